//! Thresholds, and the verdict over a test's scores.
//!
//! Judging is a function of the gates, the scores and the baseline alone and is never cached: a changed threshold judges stored
//! scores again. A score that is missing is never read as a number: its gates do not hold, and the verdict is [`Verdict::Error`].
//!
//! | file | holds |
//! |---|---|
//! | `gate.rs` | what a gate asks for |
//! | `result.rs` | what is said of a gate, and what the scores prove |
//! | `statistic.rs` | the number that a plain threshold is about |
//! | `judge.rs` | tests and suites: from scores to verdicts |
//! | `pairs.rs` | scores beside those of a baseline |
//! | `interval.rs` | gates that are held against an interval over prompts |

mod interval;
mod judge;
mod pairs;
mod result;
mod statistic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Verdict;
use crate::suite::Span;

pub use judge::{Against, CaseOf, Judged, MetricScores, TestScores, judge, judge_suite, verdict_of};
pub use pairs::no_baseline;
pub use result::{Decision, Evidence, GateResult, Rule, Unpaired, Variance};
pub use statistic::{NotAStatistic, Statistic};

/// What the scores of one metric over one test must satisfy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The metric's name.
    pub metric: String,
    /// What of the scores is compared.
    pub of: Statistic,
    /// With what; for a gate that looks at images one by one, what each has to lie in; for one that compares with a baseline, what
    /// the mean difference has to lie in.
    pub bound: Bound,
    /// How.
    pub check: Check,
    /// Where it stands in the suite.
    pub span: Span,
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

/// How scores are held against the bound, with what that needs to know: the `gate` of a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "gate", rename_all = "snake_case")]
pub enum Check {
    /// The statistic lies inside.
    #[default]
    Bound,
    /// The interval of the mean lies inside.
    Floor,
    /// The interval of the mean difference to the baseline lies inside of the margin.
    NoWorseThanBaseline {
        /// The loss of the mean that is accepted; 0 or more.
        margin: f64,
    },
    /// The interval of the mean difference to the baseline lies beyond the margin.
    Improved {
        /// The gain of the mean that is asked for; 0 or more.
        margin: f64,
    },
    /// The interval of the share of images that lie inside is not below `share`.
    Rate {
        /// More than 0, less than 1.
        share: f64,
    },
    /// So many images lie inside.
    Similar {
        /// How many.
        at_least: AtLeast,
    },
}

/// So many of the images of a test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtLeast {
    /// `8`.
    Images(u32),
    /// `"90%"`, here 0.9: rounded up to whole images.
    Share(f64),
}

/// What an inconclusive test does to the exit code: `inconclusive` of a suite. The verdict stays what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnInconclusive {
    /// It counts as failed.
    #[default]
    Fail,
    /// It is tolerated.
    Pass,
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

impl Check {
    /// Its name in results.
    #[must_use]
    pub fn rule(self) -> Rule {
        match self {
            Self::Bound => Rule::Bound,
            Self::Floor => Rule::Floor,
            Self::NoWorseThanBaseline { .. } => Rule::NoWorseThanBaseline,
            Self::Improved { .. } => Rule::Improved,
            Self::Rate { .. } => Rule::Rate,
            Self::Similar { .. } => Rule::Similar,
        }
    }

    /// Whether it asks what the scores can prove. All such gates of a suite are judged together, when all of its cases are done.
    #[must_use]
    pub fn is_statistical(self) -> bool {
        !matches!(self, Self::Bound | Self::Similar { .. })
    }

    /// Whether it compares with a baseline.
    #[must_use]
    pub fn needs_baseline(self) -> bool {
        matches!(self, Self::NoWorseThanBaseline { .. } | Self::Improved { .. })
    }
}

impl AtLeast {
    /// How many of `images` that are.
    #[must_use]
    pub fn of(self, images: usize) -> usize {
        match self {
            Self::Images(count) => count as usize,
            // 90 % of 10 are 9, though 0.9 * 10.0 may be a little more.
            Self::Share(share) => (share * images as f64 - 1e-9).ceil().max(0.0) as usize,
        }
    }
}

impl OnInconclusive {
    /// What `verdict` counts as for the exit code.
    #[must_use]
    pub fn counted(self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Self::Pass, Verdict::Inconclusive) => Verdict::Pass,
            _ => verdict,
        }
    }
}

#[cfg(test)]
mod statistical_tests;
#[cfg(test)]
mod tests;
