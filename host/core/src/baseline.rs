//! Accepted images and scores that a run is compared with, as gates and reports need them. Reading and writing them is `store`'s.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One baseline in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// What it is.
    pub info: BaselineInfo,
    /// By case id.
    pub cases: BTreeMap<String, BaselineCase>,
    /// Scores of set metrics, by `suite::test` and metric.
    pub sets: BTreeMap<(String, String), BaselineScore>,
}

/// Which baseline, for the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineInfo {
    /// Its name, such as `v1.0`.
    pub name: String,
    /// The class of environments that its images were made in: scores and images of another are never compared with these.
    pub environment: String,
    /// Over everything in it.
    pub digest: Digest,
}

/// What was accepted for a case.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineCase {
    /// The image file.
    pub path: PathBuf,
    /// SHA-256 of size and pixels.
    pub image: Digest,
    /// By metric name.
    pub scores: BTreeMap<String, BaselineScore>,
}

/// A score that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineScore {
    /// The score.
    pub value: f64,
    /// The key of the exact metric that gave it: variant, plugin, models, config. Scores of another key are not comparable.
    pub metric: String,
}

impl Baseline {
    /// The score of a case, if it was given by the metric of this key.
    #[must_use]
    pub fn score(&self, case: &str, metric: &str, key: &str) -> Option<f64> {
        let score = self.cases.get(case)?.scores.get(metric)?;
        (score.metric == key).then_some(score.value)
    }
}
