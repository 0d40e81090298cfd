//! What a number of prompts can show, one-sided at 5 %.
//!
//! The normal approximation n = ((z(0.95) + z(power)) sd / difference)^2 promises too much for few prompts: 7 for a difference of one
//! standard deviation, where 8 are needed. Quantiles of Student's distribution with n - 1 degrees of freedom in place of the normal
//! ones give the exact number of the noncentral distribution, or one more, from 4 prompts on.

use super::interval::{LEVEL, t_quantile};

/// How likely a difference is to be shown that is there.
pub const POWER: f64 = 0.8;

/// No suite has as many prompts.
const MOST: u64 = 1 << 40;

fn quantiles(n: u64) -> f64 {
    let freedom = (n - 1) as f64;
    t_quantile(LEVEL, freedom) + t_quantile(POWER, freedom)
}

/// The smallest difference that `n` prompts whose values have the standard deviation `deviation` show with [`POWER`]. `None` for
/// fewer than two.
#[must_use]
pub fn detectable(deviation: f64, n: usize) -> Option<f64> {
    (n >= 2).then(|| quantiles(n as u64) * deviation / (n as f64).sqrt())
}

/// How many prompts show `difference` with [`POWER`]; at least 2. `None` where no number does: the difference is 0.
#[must_use]
pub fn prompts_needed(deviation: f64, difference: f64) -> Option<u64> {
    let enough = |n: u64| quantiles(n) * deviation <= difference * (n as f64).sqrt();
    if !(difference > 0.0 && difference.is_finite() && deviation.is_finite()) {
        return None;
    }
    let mut most = 2;
    while !enough(most) {
        most *= 2;
        if most > MOST {
            return None;
        }
    }
    let mut least = 2;
    while least < most {
        let middle = u64::midpoint(least, most);
        if enough(middle) { most = middle } else { least = middle + 1 }
    }
    Some(least)
}
