//! Intervals.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use super::{deviation, mean};

/// Confidence of each end of an interval by itself; the interval of both ends has 90 %.
pub const LEVEL: f64 = 0.95;

/// Quantile of Student's distribution; `freedom` is at least 1, `level` between 0 and 1.
pub(crate) fn t_quantile(level: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom.max(1.0)).map_or(f64::NAN, |t| t.inverse_cdf(level))
}

/// Quantile of the standard normal distribution.
pub(super) fn z_quantile(level: f64) -> f64 {
    Normal::standard().inverse_cdf(level)
}

/// Lower and upper end of the mean of `values`, each one-sided of `level`: mean -/+ t(level, n - 1) s / sqrt(n). A two-sided
/// interval of 95 % has the level 0.975. `None` for fewer than two values.
#[must_use]
pub fn student(values: &[f64], level: f64) -> Option<(f64, f64)> {
    let (mean, deviation) = (mean(values), deviation(values)?);
    if deviation == 0.0 {
        return Some((values[0], values[0]));
    }
    let half = t_quantile(level, (values.len() - 1) as f64) * deviation / (values.len() as f64).sqrt();
    Some((mean - half, mean + half))
}

/// Wilson's interval of a share among `n` independent images (which may be an effective number), each end one-sided of `level`.
/// `n` is more than 0.
#[must_use]
pub fn wilson(share: f64, n: f64, level: f64) -> (f64, f64) {
    let z = z_quantile(level);
    let (square, scale) = (z * z / n, 1.0 / (1.0 + z * z / n));
    let middle = share + square / 2.0;
    let half = z * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt();
    (((middle - half) * scale).max(0.0), ((middle + half) * scale).min(1.0))
}

/// Probability of a share as low as `share` among `n` images, were `limit` the true one: the score test that [`wilson`] inverts.
#[must_use]
pub fn wilson_p(share: f64, n: f64, limit: f64) -> f64 {
    let z = (share - limit) / (limit * (1.0 - limit) / n).sqrt();
    Normal::standard().cdf(z)
}
