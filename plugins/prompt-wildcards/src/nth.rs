//! Combination number `n` of a template, without those before it.
//!
//! The order is that of nested loops: the first choice of a text changes slowest, the last fastest; a choice goes through
//! its options as written; with several at once, through the smaller numbers of options first, then through what comes
//! first, what comes second, and so on. All numbers here are below the number of combinations, which the caller has bounded
//! (`walk::MAX_COMBINATIONS`), so nothing overflows.

use crate::draft::Draft;
use crate::template::{Choice, Piece, Template, factorial};

impl Template {
    /// Writes combination `index`, below [`Size::combinations`](crate::template::Size::combinations); `None` when it takes
    /// two options of the same text at once, which is no prompt.
    pub(crate) fn nth(&self, mut index: u64, draft: &mut Draft) -> Option<()> {
        let mut rest = self.size().combinations;
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => draft.text.push_str(text),
                Piece::Choice(choice) => {
                    rest /= choice.combinations();
                    let own = index / rest;
                    index %= rest;
                    draft.choice(choice, |draft| choice.nth(own, draft))?;
                }
            }
        }
        Some(())
    }
}

impl Choice {
    fn nth(&self, mut index: u64, draft: &mut Draft) -> Option<()> {
        let ways = |k: usize| factorial(k) * self.ways[k];
        let mut count = self.min;
        while index >= ways(count) {
            index -= ways(count);
            count += 1;
        }
        let mut free: Vec<usize> = (0..self.options.all.len()).collect();
        // [k]: ways to take k of the free ones, in one order
        let mut left = self.ways[..=count].to_vec();
        let mut taken = Vec::with_capacity(count);
        for others in (0..count).rev() {
            for place in 0..free.len() {
                let option = &self.options.all[free[place]].body;
                let combinations = option.size().combinations;
                let remain = if others == 0 { Vec::new() } else { without(&left, combinations) };
                let after = remain.get(others).map_or(1, |ways| factorial(others) * ways);
                if index < combinations * after {
                    taken.push((option, index / after));
                    index %= after;
                    free.remove(place);
                    left = remain;
                    break;
                }
                index -= combinations * after;
            }
        }
        draft.join(&self.separator, taken, |draft, (option, index)| option.nth(index, draft))
    }
}

/// The elementary symmetric polynomials without one of their variables: `e_k = e'_k + c e'_(k-1)` solved for `e'`.
fn without(all: &[u64], combinations: u64) -> Vec<u64> {
    let mut without = vec![1_u64; all.len()];
    for k in 1..all.len() {
        without[k] = all[k] - combinations * without[k - 1];
    }
    without
}
