//! Numbers that sum up the scores of a test.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of a test's scores is compared with the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub enum Statistic {
    /// `mean`: the default.
    Mean,
    /// `median`: the mean of the middle two for an even number.
    Median,
    /// `min`: the worst image where higher is better.
    Min,
    /// `max`.
    Max,
    /// `pNN`: percentile by linear interpolation, as NumPy's default.
    Percentile(u8),
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => f.write_str("mean"),
            Self::Median => f.write_str("median"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Percentile(p) => write!(f, "p{p}"),
        }
    }
}

impl std::str::FromStr for Statistic {
    type Err = NotAStatistic;

    fn from_str(text: &str) -> Result<Self, NotAStatistic> {
        Ok(match text {
            "mean" => Self::Mean,
            "median" => Self::Median,
            "min" => Self::Min,
            "max" => Self::Max,
            // Only the spelling that `Display` writes: not `p05`, not `p+5`.
            _ => match text.strip_prefix('p').and_then(|p| p.parse::<u8>().ok()) {
                Some(p) if p <= 100 && text.len() == p.to_string().len() + 1 => Self::Percentile(p),
                _ => return Err(NotAStatistic),
            },
        })
    }
}

/// The text names no statistic.
#[derive(Debug, thiserror::Error)]
#[error("expected mean, median, min, max or a percentile such as p10")]
pub struct NotAStatistic;

impl From<Statistic> for String {
    fn from(statistic: Statistic) -> Self {
        statistic.to_string()
    }
}

impl TryFrom<String> for Statistic {
    type Error = NotAStatistic;

    fn try_from(text: String) -> Result<Self, NotAStatistic> {
        text.parse()
    }
}

impl Statistic {
    /// This statistic of `scores`; `None` where there are none. Never outside of the smallest and largest score.
    ///
    /// The mean sums in the order given, so it is the same on every machine. Percentiles interpolate linearly between the
    /// order statistics, as `numpy.percentile(scores, p)` does (method 7 of Hyndman and Fan 1996).
    #[must_use]
    pub fn of(self, scores: &[f64]) -> Option<f64> {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        Some(match self {
            // Rounding may push a mean past its scores: the mean of three 0.1 would be above 0.1.
            Self::Mean => mean(scores).clamp(least, most),
            Self::Median => f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]),
            Self::Min => least,
            Self::Max => most,
            Self::Percentile(p) => percentile(&sorted, p).clamp(least, most),
        })
    }
}

fn mean(scores: &[f64]) -> f64 {
    let count = scores.len() as f64;
    let sum: f64 = scores.iter().sum();
    if sum.is_finite() { sum / count } else { scores.iter().map(|score| score / count).sum() }
}

/// `sorted` has at least one score.
fn percentile(sorted: &[f64], p: u8) -> f64 {
    let position = (sorted.len() - 1) as f64 * (f64::from(p.min(100)) / 100.0);
    let below = (position.floor() as usize).min(sorted.len() - 1);
    let (a, b) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    let t = position - below as f64;
    // From the nearer end, as NumPy: exact at both ends.
    if !(b - a).is_finite() {
        a * (1.0 - t) + b * t
    } else if t < 0.5 {
        a + (b - a) * t
    } else {
        b - (b - a) * (1.0 - t)
    }
}
