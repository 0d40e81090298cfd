//! The colour terms: which words mean them and which region of CIELAB they name.
//!
//! The eleven basic colour terms of Berlin and Kay (1969) and cyan. A region is one or two boxes in lightness, chroma and
//! hue with soft sides: inside the core the membership is 1, outside the skirt 0, linear between. Regions overlap, because
//! people's do: turquoise passes for cyan and nearly for green. The borders were set by hand from where the names of the
//! xkcd colour survey (2010, 949 names by some 200,000 people, CC0) lie; the README says how well they agree.

use difftest_sdk::Lab;

/// A colour term.
#[derive(Debug, PartialEq)]
pub struct Term {
    /// What reports call it.
    pub name: &'static str,
    /// The words that mean it, lower case.
    pub words: &'static [&'static str],
    regions: &'static [Region],
}

/// A soft box. Hues may be negative, so that a region can lie across 0 degrees.
#[derive(Debug, PartialEq)]
struct Region {
    lightness: Ramp,
    chroma: Ramp,
    /// `None`: any hue (black, white, gray).
    hue: Option<Ramp>,
}

/// Membership along one axis: 0 up to `from`, 1 between `full_from` and `full_to`, 0 again beyond `to`.
#[derive(Debug, PartialEq)]
struct Ramp {
    from: f64,
    full_from: f64,
    full_to: f64,
    to: f64,
}

impl Ramp {
    fn at(&self, value: f64) -> f64 {
        let rise = (value - self.from) / (self.full_from - self.from);
        let fall = (self.to - value) / (self.to - self.full_to);
        rise.min(fall).clamp(0.0, 1.0)
    }
}

impl Term {
    /// How far this colour bears the term's name, 0 to 1: the best of its regions, each as good as its worst axis.
    #[must_use]
    pub fn membership(&self, color: Lab) -> f64 {
        let (chroma, hue) = (color.chroma(), color.hue());
        let region = |region: &Region| {
            let plain = region.lightness.at(color.l).min(region.chroma.at(chroma));
            match &region.hue {
                Some(range) => plain.min(range.at(hue).max(range.at(hue - 360.0))),
                None => plain,
            }
        };
        self.regions.iter().map(region).fold(0.0, f64::max)
    }
}

/// Beyond every lightness, chroma and membership test: an open end.
const OPEN: f64 = 1e3;

const fn ramp(from: f64, full_from: f64, full_to: f64, to: f64) -> Ramp {
    Ramp { from, full_from, full_to, to }
}

/// Without a lower end.
const fn upto(full_to: f64, to: f64) -> Ramp {
    ramp(-2.0 * OPEN, -OPEN, full_to, to)
}

/// Without an upper end.
const fn above(from: f64, full_from: f64) -> Ramp {
    ramp(from, full_from, OPEN, 2.0 * OPEN)
}

const fn region(lightness: Ramp, chroma: Ramp, hue: Ramp) -> Region {
    Region { lightness, chroma, hue: Some(hue) }
}

const fn neutral(lightness: Ramp, chroma: Ramp) -> Region {
    Region { lightness, chroma, hue: None }
}

/// Every term, in the order of reports.
pub static TERMS: [Term; 12] = [
    Term { name: "black", words: &["black"], regions: &[neutral(upto(14., 24.), upto(12., 22.))] },
    Term { name: "white", words: &["white"], regions: &[neutral(above(80., 88.), upto(10., 18.))] },
    Term { name: "gray", words: &["gray", "grey"], regions: &[neutral(ramp(16., 26., 84., 94.), upto(9., 20.))] },
    Term {
        name: "red",
        words: &["red", "crimson", "scarlet", "maroon"],
        regions: &[region(ramp(12., 22., 58., 68.), above(30., 45.), ramp(4., 16., 42., 52.))],
    },
    Term {
        name: "orange",
        words: &["orange"],
        regions: &[region(above(40., 50.), above(40., 50.), ramp(38., 48., 72., 82.))],
    },
    Term {
        name: "yellow",
        words: &["yellow"],
        regions: &[
            region(above(60., 70.), above(30., 45.), ramp(74., 84., 112., 122.)),
            // pale, as light yellow
            region(above(85., 92.), above(11., 16.), ramp(84., 92., 112., 118.)),
        ],
    },
    Term {
        name: "green",
        words: &["green", "lime"],
        regions: &[region(above(8., 15.), above(15., 24.), ramp(102., 112., 162., 176.))],
    },
    Term {
        name: "cyan",
        words: &["cyan", "aqua", "turquoise", "teal"],
        regions: &[region(above(22., 34.), above(12., 20.), ramp(156., 168., 206., 228.))],
    },
    Term {
        name: "blue",
        words: &["blue", "navy"],
        regions: &[
            region(above(3., 8.), above(12., 20.), ramp(212., 232., 307., 314.)),
            // pale, as light blue
            region(above(72., 80.), ramp(6., 11., 24., 36.), ramp(190., 206., 250., 275.)),
        ],
    },
    Term {
        name: "purple",
        words: &["purple", "violet", "indigo"],
        regions: &[region(above(3., 8.), above(14., 22.), ramp(305., 311., 334., 346.))],
    },
    Term {
        name: "pink",
        words: &["pink", "magenta", "fuchsia"],
        regions: &[
            region(above(45., 56.), above(12., 20.), ramp(-38., -28., 14., 32.)),
            // deep and pure, as magenta
            region(above(30., 40.), above(40., 50.), ramp(-38., -30., 0., 14.)),
        ],
    },
    Term {
        name: "brown",
        words: &["brown"],
        regions: &[region(ramp(6., 14., 54., 68.), ramp(10., 18., 64., 78.), ramp(22., 40., 86., 100.))],
    },
];

/// The terms that a prompt names, each once, in order of first mention. Words are runs of letters and digits, compared
/// without case: `Red-haired` names red, `reddish` and `tired` do not.
#[must_use]
pub fn named_in(prompt: &str) -> Vec<&'static Term> {
    let mut named: Vec<&'static Term> = Vec::new();
    for word in prompt.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        if let Some(term) = TERMS.iter().find(|term| term.words.contains(&word.as_str()))
            && !named.contains(&term)
        {
            named.push(term);
        }
    }
    named
}
