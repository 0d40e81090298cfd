//! Same inputs, another outcome: what should be the same every time and was not.
//!
//! | file | holds |
//! |---|---|
//! | `outcomes` | images and scores |
//! | `verdicts` | verdicts |

mod outcomes;
mod verdicts;

use serde::Serialize;

use super::{History, HistoryError};

/// What was not the same every time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flakes {
    /// Cases whose image changed although model, settings, prompt, seed and runtime did not.
    pub images: Vec<FlakyImage>,
    /// Scores that changed although image, prompt and metric did not.
    pub scores: Vec<FlakyScore>,
    /// Tests whose verdict changed although nothing else did: suite, images' inputs, metrics and baseline.
    pub tests: Vec<FlakyTest>,
}

/// A case with several images for the same inputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlakyImage {
    /// The case's id.
    pub case: String,
    /// The model.
    pub model: String,
    /// The environment.
    pub environment: String,
    /// Each image with the runs that had it, in the order of their first runs.
    pub images: Vec<(String, Vec<String>)>,
}

/// An image with several scores by the same metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlakyScore {
    /// The case's id.
    pub case: String,
    /// The metric.
    pub metric: String,
    /// The image.
    pub image: String,
    /// Least score.
    pub least: f64,
    /// Greatest score.
    pub most: f64,
    /// In how many runs.
    pub runs: usize,
}

/// A test whose verdict changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlakyTest {
    /// The suite.
    pub suite: String,
    /// The test.
    pub test: String,
    /// The model.
    pub model: String,
    /// The environment.
    pub environment: String,
    /// How often the verdict was another than in the run before.
    pub changes: usize,
    /// How often of these the suite, the images' inputs, the metrics and the baseline were the same.
    pub unexplained: usize,
    /// Each run's verdict, the oldest first.
    pub verdicts: Vec<(String, String)>,
}

impl History {
    /// Everything that was not the same every time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn flaky(&self) -> Result<Flakes, HistoryError> {
        Ok(Flakes { images: self.flaky_images()?, scores: self.flaky_scores()?, tests: self.flaky_tests()? })
    }
}
