//! Drawing numbers without repeats from a range of any size.

use std::collections::BTreeMap;

use difftest_sdk::Random;

/// The numbers below `total` in a random order, one at a time: Fisher and Yates' shuffle that remembers only the places it
/// has touched. Every order is equally likely, the first `n` numbers cost `n` entries, and they do not depend on how many
/// more are taken.
#[derive(Clone, Debug)]
pub struct Draws {
    random: Random,
    next: u64,
    total: u64,
    moved: BTreeMap<u64, u64>,
}

impl Draws {
    /// The order of this seed.
    #[must_use]
    pub fn new(seed: u64, total: u64) -> Self {
        Self { random: Random::new(seed), next: 0, total, moved: BTreeMap::new() }
    }
}

impl Iterator for Draws {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.next >= self.total {
            return None;
        }
        let place = self.next;
        let other = place + self.random.below(self.total - place);
        let here = self.moved.remove(&place).unwrap_or(place);
        self.next += 1;
        Some(if other == place { here } else { self.moved.insert(other, here).unwrap_or(other) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_once() {
        for total in [0, 1, 2, 7, 100] {
            let mut drawn: Vec<u64> = Draws::new(3, total).collect();
            drawn.sort_unstable();
            assert_eq!(drawn, (0..total).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_order_is_about_equally_likely() {
        let mut counts = BTreeMap::new();
        for seed in 0..6_000 {
            *counts.entry(Draws::new(seed, 3).collect::<Vec<_>>()).or_insert(0_u32) += 1;
        }
        // four standard deviations of a binomial with n = 6000, p = 1/6
        assert!(counts.len() == 6 && counts.values().all(|count| count.abs_diff(1_000) < 116), "{counts:?}");
    }

    #[test]
    fn a_huge_range_is_no_trouble() {
        let drawn: std::collections::BTreeSet<u64> = Draws::new(1, u64::MAX).take(1_000).collect();
        assert_eq!(drawn.len(), 1_000);
    }
}
