//! Thresholds, and the verdict over a test's scores.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
            _ => match text.strip_prefix('p').and_then(|p| p.parse().ok()) {
                Some(p) if p <= 100 => Self::Percentile(p),
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
