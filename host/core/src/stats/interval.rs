//! Intervals.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use super::{deviation, mean};

/// Confidence of each end of an interval by itself; the interval of both ends has 90 %.
pub const LEVEL: f64 = 0.95;

/// From here on the expansion of [`t_quantile`] is exact to the last bits.
const EXPANDED: f64 = 1000.0;

/// Quantile of Student's distribution; `freedom` is at least 1, `level` between 0 and 1.
///
/// With many degrees of freedom by the expansion about the normal quantile (Abramowitz and Stegun 26.7.5): the iteration that finds it
/// otherwise does not end for some millions of them, which a margin far below the spread asks for.
pub(crate) fn t_quantile(level: f64, freedom: f64) -> f64 {
    if freedom > EXPANDED {
        let z = z_quantile(level);
        let odd = |factors: [f64; 5]| factors.iter().rev().fold(0.0, |sum, factor| sum * z * z + factor) * z;
        let terms = [
            odd([1.0, 0.0, 0.0, 0.0, 0.0]),
            odd([1.0, 1.0, 0.0, 0.0, 0.0]) / 4.0,
            odd([3.0, 16.0, 5.0, 0.0, 0.0]) / 96.0,
            odd([-15.0, 17.0, 19.0, 3.0, 0.0]) / 384.0,
            odd([-945.0, -1920.0, 1482.0, 776.0, 79.0]) / 92160.0,
        ];
        return terms.iter().rev().fold(0.0, |sum, term| sum / freedom + term);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_any_freedom_are_found() {
        for level in [0.8, LEVEL, 0.975] {
            // The expansion goes on where the iteration stops.
            let steps = [EXPANDED, EXPANDED + 1.0, EXPANDED + 2.0].map(|freedom| t_quantile(level, freedom));
            let change = (steps[1] - steps[0]) / (steps[2] - steps[1]);
            assert!((change - 1.0).abs() < 0.01, "{level}: {steps:?}");
            let mut last = f64::INFINITY;
            for power in 0..50 {
                let found = t_quantile(level, f64::from(power).exp2());
                assert!(found < last || (found - last).abs() < 1e-12, "{level}, 2^{power}: {found} after {last}");
                last = found;
            }
            assert!((last - z_quantile(level)).abs() < 1e-12, "{last}");
            // Here the iteration does not end.
            assert!(t_quantile(level, 549_755_813_887.0).is_finite());
        }
    }
}
