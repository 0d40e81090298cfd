//! Thresholds, and the verdict over a test's scores.
//!
//! [`judge`] is a function of the gates and the scores alone and is never cached: a changed threshold judges stored scores again.
//! A score that is missing is never read as a number: its gates do not hold, and the verdict is [`Verdict::Error`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Verdict;
use crate::suite::Span;

/// What the scores of one metric over one test must satisfy.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The metric's name.
    pub metric: String,
    /// What of the scores is compared.
    pub of: Statistic,
    /// With what.
    pub bound: Bound,
    /// Where it stands in the suite.
    pub span: Span,
}

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

/// The bound as the suite writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// At least this; closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// At most this; closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// A gate with what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// The metric's name.
    pub metric: String,
    /// What was compared.
    pub of: Statistic,
    /// With what.
    pub bound: Bound,
    /// The value; `None` when a score is missing, and then the gate does not hold.
    pub value: Option<f64>,
    /// How many scores went in.
    pub scores: usize,
    /// Whether it holds.
    pub holds: bool,
    /// Which rule was applied.
    #[serde(default)]
    pub rule: Rule,
    /// What the scores can and cannot prove, for a rule that asks that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// How a gate looks at scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The statistic lies inside the bound.
    #[default]
    Bound,
    /// The lower end of the mean's interval is at least the floor (for a metric where lower is better: the upper end at most).
    Floor,
    /// The mean is not worse than the baseline's by more than the margin.
    NoWorseThanBaseline,
    /// The mean is better than the baseline's, by more than the margin.
    Improved,
    /// The share of images inside the bound is at least so much.
    Rate,
    /// At least so many images lie inside the bound.
    Similar,
}

/// What scores can prove. All of it is over prompts: the seeds of a prompt are averaged first, for they are not independent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What follows.
    pub decision: Decision,
    /// How many prompts it rests on.
    pub prompts: usize,
    /// What was estimated: the mean, the mean difference to the baseline, or the share.
    pub estimate: f64,
    /// Lower end of its interval, one-sided 95 %; `None` where too few prompts have one.
    pub lower: Option<f64>,
    /// Upper end of its interval, one-sided 95 %.
    pub upper: Option<f64>,
    /// What the interval is held against: floor, minus the margin, or the share.
    pub limit: f64,
    /// Probability of an estimate as bad as this one, were the limit just kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The same after Holm's correction for all such gates of the suite: `fail` is said only where this is below 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_adjusted: Option<f64>,
    /// The mean of the baseline's scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The smallest difference that so many prompts show with a power of 0.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
    /// How many prompts would show a difference of the margin (or of the distance to the floor) with a power of 0.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts_needed: Option<u64>,
    /// The prompts that lost most against the baseline, the worst first: id and change of the mean score.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<(String, f64)>,
}

/// What scores prove of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// That it holds.
    Pass,
    /// That it does not.
    Fail,
    /// Neither.
    Inconclusive,
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

impl Bound {
    /// Whether `value` lies inside; both ends count as inside.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }

    /// How far `value` lies inside the nearer end; negative is how much it is short by. Infinite without any end.
    #[must_use]
    pub fn margin(&self, value: f64) -> f64 {
        let above = self.min.map_or(f64::INFINITY, |min| value - min);
        let below = self.max.map_or(f64::INFINITY, |max| max - value);
        above.min(below)
    }
}

impl GateResult {
    /// [`Bound::margin`] of the value, where there is one.
    #[must_use]
    pub fn margin(&self) -> Option<f64> {
        self.value.map(|value| self.bound.margin(value))
    }
}

/// Judges a test. `scores` gives the scores of a metric, one entry for each case in the order of the cases; `None` where there is no
/// score. The results are in the order of `gates`.
///
/// - [`Verdict::Error`] when a gate's metric has no cases or misses a score (one that is not finite is missing): what could not be
///   computed is neither a pass nor a failure. Such a gate has no value and does not hold.
/// - [`Verdict::Fail`] when a gate does not hold.
/// - [`Verdict::Pass`] otherwise; without gates the scores are reported, not judged.
///
/// Only the metrics of gates are asked for: that another metric misses a score is for the caller to turn into an error.
#[must_use]
pub fn judge(gates: &[Gate], scores: impl Fn(&str) -> Vec<Option<f64>>) -> (Verdict, Vec<GateResult>) {
    let results: Vec<GateResult> = gates.iter().map(|gate| gate.apply(&scores(&gate.metric))).collect();
    let verdict = if results.iter().any(|result| result.value.is_none()) {
        Verdict::Error
    } else if results.iter().all(|result| result.holds) {
        Verdict::Pass
    } else {
        Verdict::Fail
    };
    (verdict, results)
}

impl Gate {
    fn apply(&self, scores: &[Option<f64>]) -> GateResult {
        let present: Vec<f64> = scores.iter().flatten().copied().filter(|score| score.is_finite()).collect();
        let complete = present.len() == scores.len();
        let value = if complete { self.of.of(&present) } else { None };
        GateResult {
            metric: self.metric.clone(),
            of: self.of,
            bound: self.bound,
            value,
            scores: present.len(),
            holds: value.is_some_and(|value| self.bound.holds(value)),
            rule: Rule::Bound,
            evidence: None,
        }
    }
}

#[cfg(test)]
mod tests;
