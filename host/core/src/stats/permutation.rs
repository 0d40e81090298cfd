//! The sign-flip permutation test.

use super::Random;

/// With at most this many values every pattern of signs is looked at.
const EXACT: usize = 16;

/// Patterns that are drawn beyond that, fewer for very many values.
const DRAWS: usize = 50_000;
const FEWEST_DRAWS: usize = 2_000;
const MOST_SUMMANDS: usize = 20_000_000;

/// Always the same stream: the same scores have the same p-value.
const SEED: u64 = 0x6469_6666_7465_7374;

/// Probability of a mean as low as that of `values`, were each as likely to have the other sign: one-sided, for the claim that the
/// mean is below 0. Exact up to 16 values; beyond that (1 + hits) / (1 + draws), which is never 0. 1 for no values.
#[must_use]
pub fn sign_flip(values: &[f64]) -> f64 {
    let observed: f64 = values.iter().sum();
    // Sums of the same numbers in another order differ in their last bits: those count as equal.
    let observed = observed + 1e-12 * values.iter().map(|value| value.abs()).sum::<f64>();
    let low = |signs: &dyn Fn(usize) -> bool| {
        let sum: f64 = values.iter().enumerate().map(|(i, value)| if signs(i) { -value } else { *value }).sum();
        usize::from(sum <= observed)
    };
    if values.len() <= EXACT {
        let patterns = 1_usize << values.len();
        let hits: usize = (0..patterns).map(|pattern| low(&|i| pattern >> i & 1 == 1)).sum();
        return hits as f64 / patterns as f64;
    }
    let mut random = Random::new(SEED);
    let draws = (MOST_SUMMANDS / values.len()).clamp(FEWEST_DRAWS, DRAWS);
    let mut words = vec![0_u64; values.len().div_ceil(64)];
    let mut hits = 0;
    for _ in 0..draws {
        words.fill_with(|| random.bits());
        hits += low(&|i| words[i / 64] >> (i % 64) & 1 == 1);
    }
    (1 + hits) as f64 / (1 + draws) as f64
}

/// How many values it takes until the least p-value that [`sign_flip`] can have, 1 / 2^n, lies below `level`.
#[must_use]
pub fn fewest_for(level: f64) -> usize {
    (1..64).find(|&n| 0.5_f64.powi(n) < level).unwrap_or(64) as usize
}
