//! Two modes instead of one.
//!
//! A machine that takes one of two code paths gives one of two scores. A floor that is made wide enough for both hides every change
//! that is smaller than their distance, so repeats are looked at: the best division into two groups (2-means, exact in one
//! dimension) explains a share R2 of the variance, and that share is compared with what it would be for normal noise.

use super::{Random, mean};

/// Fewer values are not enough to call anything a mode.
const FEWEST: usize = 4;

/// Even noise without modes (a uniform one) stays below this share.
const LEAST_SHARE: f64 = 0.85;

/// So rare a share of normal noise is called two modes.
const LEVEL: f64 = 0.01;

const DRAWS: usize = 2_000;

/// Two groups of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modes {
    /// Mean of the lower group.
    pub low: f64,
    /// Mean of the upper one.
    pub high: f64,
    /// The share of values in the lower group.
    pub share_low: f64,
    /// How much of the variance the division explains.
    pub explained: f64,
}

/// The two modes of `values`, where there are two. Each has at least two values: one that stands alone is an outlier.
#[must_use]
pub fn modes(values: &[f64]) -> Option<Modes> {
    if values.len() < FEWEST {
        return None;
    }
    let found = divide(values)?;
    if found.explained < LEAST_SHARE {
        return None;
    }
    let mut random = Random::new(values.len() as u64);
    let as_clear = (0..DRAWS).filter(|_| {
        let noise: Vec<f64> = (0..values.len()).map(|_| random.normal()).collect();
        divide(&noise).is_some_and(|noise| noise.explained >= found.explained)
    });
    (as_clear.count() as f64 / DRAWS as f64 <= LEVEL).then_some(found)
}

/// The division into two groups of at least two that explains most; `None` where all values are equal.
fn divide(values: &[f64]) -> Option<Modes> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let grand = mean(&sorted);
    let total: f64 = sorted.iter().map(|value| (value - grand).powi(2)).sum();
    if sorted.first() == sorted.last() || total <= 0.0 {
        return None;
    }
    let (count, sum) = (sorted.len() as f64, sorted.iter().sum::<f64>());
    let mut best: Option<Modes> = None;
    let mut below = sorted[0];
    for split in 2..=sorted.len() - 2 {
        below += sorted[split - 1];
        let n = split as f64;
        let (low, high) = (below / n, (sum - below) / (count - n));
        let explained = (n * (low - grand).powi(2) + (count - n) * (high - grand).powi(2)) / total;
        if best.is_none_or(|best| explained > best.explained) {
            best = Some(Modes { low, high, share_low: n / count, explained });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_exact_modes_are_found_and_noise_is_not() {
        let found = modes(&[0.986, 0.958, 0.986, 0.986, 0.958, 0.986]).unwrap();
        assert!((found.low - 0.958).abs() < 1e-12 && (found.high - 0.986).abs() < 1e-12, "{found:?}");
        assert!((found.share_low - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(modes(&[0.9; 8]), None, "nothing varies");
        assert_eq!(modes(&[0.9, 0.9, 0.9, 0.9, 0.9, 0.1]), None, "one outlier");
        assert_eq!(modes(&[0.9, 0.9, 0.1]), None, "too few to say");
    }

    #[test]
    fn noise_is_rarely_taken_for_modes() {
        let mut random = Random::new(7);
        for n in [5, 10, 30] {
            let normal = (0..100).filter(|_| modes(&(0..n).map(|_| random.normal()).collect::<Vec<_>>()).is_some());
            assert!(normal.count() <= 4, "normal noise, {n} values");
            let even = (0..100).filter(|_| modes(&(0..n).map(|_| random.uniform()).collect::<Vec<_>>()).is_some());
            assert!(even.count() <= 8, "uniform noise, {n} values");
            let two = (0..100).filter(|_| {
                let mode = |random: &mut Random| f64::from(u8::from(random.uniform() < 0.5)) + 0.02 * random.normal();
                modes(&(0..n).map(|_| mode(&mut random)).collect::<Vec<_>>()).is_some()
            });
            assert!(two.count() >= if n == 5 { 50 } else { 95 }, "two modes, {n} values");
        }
    }
}
