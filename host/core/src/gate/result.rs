//! What is said of a gate, and what the scores prove.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bound, Statistic};

/// A gate with what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// The metric's name.
    pub metric: String,
    /// What was compared.
    pub of: Statistic,
    /// With what: the bound of `value`. For a floor the floor; for a gate on a baseline what the difference is held against; for a
    /// rate the share, and for `similar` the number of images.
    pub bound: Bound,
    /// The value: the statistic, the mean difference to the baseline, the share or the number of images inside. `None` when a score
    /// is missing, and then the gate does not hold.
    pub value: Option<f64>,
    /// How many scores went in.
    pub scores: usize,
    /// Whether it holds; where that is a matter of proof, whether that is proven.
    pub holds: bool,
    /// Which rule was applied.
    #[serde(default)]
    pub rule: Rule,
    /// What the scores can and cannot prove, for a rule that asks that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl GateResult {
    /// [`Bound::margin`] of the value, where there is one.
    #[must_use]
    pub fn margin(&self) -> Option<f64> {
        self.value.map(|value| self.bound.margin(value))
    }

    /// What was decided; `None` where a score is missing.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        self.value?;
        let plain = if self.holds { Decision::Pass } else { Decision::Fail };
        Some(self.evidence.as_ref().map_or(plain, |evidence| evidence.decision))
    }
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
    /// What was estimated: the mean, the mean difference to the baseline (this run less the baseline), the share, or for `similar`
    /// the number of images.
    pub estimate: f64,
    /// Lower end of its interval, one-sided 95 %; `None` where too few prompts have one.
    pub lower: Option<f64>,
    /// Upper end of its interval, one-sided 95 %.
    pub upper: Option<f64>,
    /// What the interval is held against: floor, margin with its sign, share, or the number of images.
    pub limit: f64,
    /// Whether the limit is a minimum: for a metric where lower is better it is a maximum.
    #[serde(default = "yes")]
    pub at_least: bool,
    /// For a rate and for `similar`: what each image had to lie in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Bound>,
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
    /// The difference that `prompts_needed` is about: the margin, or the distance of the estimate to the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<f64>,
    /// How many prompts would show the difference `wanted` with a power of 0.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts_needed: Option<u64>,
    /// Where the variance of the scores (of their differences to the baseline) comes from, with more than one seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<Variance>,
    /// The prompts that lost most against the baseline, the worst first: id and change of the mean score.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<(String, f64)>,
    /// Cases that are compared with nothing, because they ask something else now than when the baseline was saved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpaired: Vec<Unpaired>,
    /// What a person should know besides: what so few prompts cannot show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Default for Evidence {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            decision: Decision::Inconclusive,
            prompts: 0,
            estimate: 0.0,
            lower: None,
            upper: None,
            limit: 0.0,
            at_least: true,
            each: None,
            p: None,
            p_adjusted: None,
            baseline: None,
            detectable: None,
            wanted: None,
            prompts_needed: None,
            variance: None,
            lost: Vec::new(),
            unpaired: Vec::new(),
            notes: Vec::new(),
        }
    }
}

fn yes() -> bool {
    true
}

/// Where the variance of scores comes from. That of a mean over P prompts with S seeds each is `prompt / P + seed / (P S)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variance {
    /// Between prompts.
    pub prompt: f64,
    /// Between the seeds of a prompt.
    pub seed: f64,
}

/// A case that a gate on a baseline leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unpaired {
    /// Its id.
    pub case: String,
    /// What of its question is another one: `prompt`, `negative prompt`, `seed`, `steps`, ...
    pub changed: String,
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
