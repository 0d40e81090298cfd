//! What a text stands for, as a tree whose sizes are known: the number of combinations, the longest text, the work.
//!
//! A `__list__` is a choice among the list's entries, so there are two kinds of piece only. Entries are shared: a list
//! that is used a hundred times is in memory once, which is why sizes are computed bottom up and bounded there.

use std::rc::Rc;

/// Deepest nesting of choices and lists in each other.
pub const MAX_DEPTH: u32 = 64;
/// Characters of the longest prompt, as the host takes them.
pub const MAX_CHARS: u64 = 10_000;
/// Pieces looked at for one prompt: what keeps ten lists of ten empty uses of each other from being 10^10 steps.
pub const MAX_STEPS: u64 = 100_000;

/// A text with choices in it.
#[derive(Clone, Debug, Default)]
pub struct Template {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) size: Size,
}

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Literal(String),
    Choice(Choice),
}

/// `min..=max` different options, joined.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) options: Rc<Options>,
    /// At most `max`.
    pub(crate) min: usize,
    /// At most the number of options.
    pub(crate) max: usize,
    pub(crate) separator: String,
    /// Written `__list__`, not as a group.
    pub(crate) is_list: bool,
    /// Where to record what was taken: an index into the names of [`crate::parse::Sites`].
    pub(crate) site: Option<usize>,
    /// `ways[k]`: combinations with `k` options in one order, the k-th elementary symmetric polynomial of the options'
    /// combinations, for `k` up to `max` where that is below [`MANY`]. Saturating.
    pub(crate) ways: Vec<u64>,
    size: Size,
}

/// What a choice or a list has to choose from.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) all: Vec<Alternative>,
    /// The weight of each and all before it, so that one of thousands is found in a few steps.
    pub(crate) up_to: Vec<f64>,
    /// How many weigh more than nothing.
    pub(crate) possible: usize,
}

/// One option of a choice.
#[derive(Clone, Debug)]
pub(crate) struct Alternative {
    pub(crate) weight: f64,
    pub(crate) body: Template,
}

impl Options {
    /// `None` when all of them weigh nothing, or there are none.
    pub(crate) fn new(all: Vec<Alternative>) -> Option<Rc<Self>> {
        let mut sum = 0.0;
        let up_to = all.iter().map(|option| {
            sum += option.weight;
            sum
        });
        let up_to = up_to.collect();
        let possible = all.iter().filter(|option| option.weight > 0.0).count();
        (possible > 0).then(|| Rc::new(Self { all, up_to, possible }))
    }
}

/// From so many options taken at once the combinations are more than anybody walks: 10! = 3,628,800.
pub(crate) const MANY: usize = 10;

/// Sizes of what a template stands for. All saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Combinations, those that make equal texts counted separately.
    pub combinations: u64,
    /// Characters of the longest text.
    pub chars: u64,
    /// Pieces in the combination with the most of them.
    pub steps: u64,
    /// Choices inside each other.
    pub depth: u32,
}

impl Template {
    pub(crate) fn new(pieces: Vec<Piece>) -> Self {
        let empty = Size { combinations: 1, chars: 0, steps: 1, depth: 0 };
        let size = pieces.iter().fold(empty, |size, piece| {
            let own = match piece {
                Piece::Literal(text) => {
                    Size { combinations: 1, chars: text.chars().count() as u64, steps: 1, depth: 0 }
                }
                Piece::Choice(choice) => choice.size,
            };
            Size {
                combinations: size.combinations.saturating_mul(own.combinations),
                chars: size.chars.saturating_add(own.chars),
                steps: size.steps.saturating_add(own.steps),
                depth: size.depth.max(own.depth),
            }
        });
        Self { pieces, size }
    }

    /// How much it stands for.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// The list that is all of the text, or `None`.
    pub(crate) fn only_list(&self) -> Option<&Choice> {
        match self.pieces.as_slice() {
            [Piece::Choice(choice)] if choice.is_list => Some(choice),
            _ => None,
        }
    }
}

impl Choice {
    /// `bounds` beyond the number of options mean all of them.
    pub(crate) fn new(options: Rc<Options>, bounds: (usize, usize), separator: String, site: Option<usize>) -> Self {
        let (min, max) = (bounds.0.min(options.all.len()), bounds.1.min(options.all.len()));
        let mut ways = vec![0_u64; max.min(MANY) + 1];
        ways[0] = 1;
        for option in &options.all {
            for k in (1..ways.len()).rev() {
                ways[k] = ways[k].saturating_add(ways[k - 1].saturating_mul(option.body.size.combinations));
            }
        }
        let combinations = if max >= MANY {
            u64::MAX
        } else {
            (min..=max).fold(0_u64, |sum, k| sum.saturating_add(factorial(k).saturating_mul(ways[k])))
        };
        let most = |of: &dyn Fn(&Size) -> u64| {
            let mut each: Vec<u64> = options.all.iter().map(|option| of(&option.body.size)).collect();
            each.sort_unstable_by(|a, b| b.cmp(a));
            each.into_iter().take(max).fold(0_u64, u64::saturating_add)
        };
        let joints = (max as u64).saturating_sub(1).saturating_mul(separator.chars().count() as u64);
        let depth = options.all.iter().map(|option| option.body.size.depth).max().unwrap_or(0);
        let size = Size {
            combinations,
            chars: most(&|size| size.chars).saturating_add(joints),
            steps: most(&|size| size.steps).saturating_add(1),
            depth: depth.saturating_add(1),
        };
        Self { options, min, max, separator, is_list: false, site, ways, size }
    }

    /// A `__list__`: one of its entries.
    pub(crate) fn list(entries: Rc<Options>, site: Option<usize>) -> Self {
        Self { is_list: true, ..Self::new(entries, (1, 1), String::new(), site) }
    }

    pub(crate) fn combinations(&self) -> u64 {
        self.size.combinations
    }
}

/// `k!` for `k` below [`MANY`].
pub(crate) fn factorial(k: usize) -> u64 {
    (1..=k as u64).product()
}
