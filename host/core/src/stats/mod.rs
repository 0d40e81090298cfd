//! What scores can prove: pure functions over slices of numbers, each checked against SciPy or statsmodels.
//!
//! The unit of inference is the prompt. Images of one prompt with several seeds resemble each other, and an interval that takes them
//! for independent is far too narrow: with four seeds it holds what it promises in four cases out of five instead of nineteen out of
//! twenty (see `simulation.rs`). So the seeds of a prompt are averaged first ([`ByPrompt::means`]), and every interval, test and
//! statement on power is about the means that remain.
//!
//! | file | holds | source |
//! |---|---|---|
//! | `prompts.rs` | scores by prompt, their means, variance between and within prompts | one-way random effects (ANOVA) |
//! | `interval.rs` | Student's interval of a mean, Wilson's interval of a share | Student 1908; Wilson 1927 |
//! | `permutation.rs` | p-value by flipping signs | Fisher 1935; Phipson and Smyth 2010 for the sampled one |
//! | `holm.rs` | many p-values | Holm 1979 |
//! | `power.rs` | what a number of prompts can show | Student's t in place of the normal quantiles |
//! | `modes.rs` | two modes instead of one | 2-means against a normal null |
//! | `random.rs` | seeded numbers for the two that draw | SplitMix64 |
//!
//! Everything is deterministic: what draws has a fixed seed. Nothing here knows of gates; `gate` turns these numbers into decisions.

mod holm;
mod interval;
mod modes;
mod permutation;
mod power;
mod prompts;
mod random;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod simulation;

pub use holm::holm;
pub(crate) use interval::t_quantile;
pub use interval::{LEVEL, student, wilson, wilson_p};
pub use modes::{Modes, modes};
pub use permutation::{fewest_for, sign_flip};
pub use power::{POWER, detectable, prompts_needed};
pub use prompts::{ByPrompt, Components};
pub use random::Random;

/// The mean; 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The standard deviation with n - 1 in the denominator; `None` for fewer than two values.
#[must_use]
pub fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    // Equal values have no spread, whatever rounding says of their mean.
    if values.iter().all(|value| *value == values[0]) {
        return Some(0.0);
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}
