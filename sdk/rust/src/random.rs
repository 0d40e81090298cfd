//! The only chance there is in a plugin: numbers that follow from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"): 64 bits of state, period 2^64,
/// the same numbers on every machine and in every version of this crate.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of this seed. Neighbouring seeds give unrelated streams.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `0.0 .. 1.0`, with 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64")]
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0 .. bound`, without bias (Lemire 2019, "Fast random integer generation in an interval").
    ///
    /// # Panics
    /// When `bound` is 0.
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what the method looks at")]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        let reject = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            if wide as u64 >= reject {
                return (wide >> 64) as u64;
            }
        }
    }

    /// One of the items, or `None` of none.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        (!items.is_empty())
            .then(|| self.below(items.len() as u64))
            .and_then(|index| items.get(usize::try_from(index).ok()?))
    }

    /// Puts the items in a random order (Fisher and Yates).
    #[expect(clippy::cast_possible_truncation, reason = "an index below a length fits")]
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// `count` different numbers below `bound` (all of them when there are fewer), each set of them equally likely, in
    /// increasing order, without touching the rest (Floyd 1987): also for a bound far beyond memory.
    pub fn distinct(&mut self, count: u64, bound: u64) -> Vec<u64> {
        let mut chosen = std::collections::BTreeSet::new();
        for last in bound.saturating_sub(count)..bound {
            let candidate = self.below(last + 1);
            if !chosen.insert(candidate) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// From the reference implementation in C, <https://prng.di.unimi.it/splitmix64.c>, seed 1234567.
    #[test]
    fn the_stream_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let stream: Vec<u64> = (0..5).map(|_| random.next_u64()).collect();
        let wanted = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(stream, wanted);
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut random = Random::new(1);
        for bound in [1, 2, 3, 10, u64::MAX] {
            assert!((0..100).all(|_| random.below(bound) < bound));
        }
        let mut counts = [0u32; 6];
        for _ in 0..6_000 {
            counts[usize::try_from(random.below(6)).unwrap()] += 1;
        }
        // Four standard deviations of a binomial with n = 6000, p = 1/6.
        assert!(counts.iter().all(|&count| count.abs_diff(1_000) < 116), "{counts:?}");
    }

    #[test]
    fn distinct_numbers_are_distinct_ordered_and_enough() {
        let mut random = Random::new(7);
        for (count, bound, wanted) in [(3, 10, 3), (10, 3, 3), (0, 5, 0), (5, 0, 0), (100, u64::MAX, 100)] {
            let numbers = random.distinct(count, bound);
            assert_eq!(numbers.len(), wanted);
            assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]) && numbers.iter().all(|&number| number < bound));
        }
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::new(3).shuffle(&mut items);
        assert!(items.windows(2).any(|pair| pair[0] > pair[1]));
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
        assert_eq!(Random::new(0).choose::<u8>(&[]), None);
    }
}
