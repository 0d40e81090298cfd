//! From the results of a run to what a baseline takes in.

use std::path::Path;

use difftest_core::baseline::{BaselineScore, Question};
use difftest_core::metric::metric_key;
use difftest_metrics::decode::{self, Limits};
use difftest_report::json::{CaseResult, ImageFile, ScoreResult, SuiteResult, TestResult};
use difftest_store::baseline::Candidate;
use serde_json::Value;

use crate::error::CliError;

/// The image and the scores of a case, where it has an image.
///
/// # Errors
/// When the image is not there any more, or is not the one that the run recorded.
pub(crate) fn candidate(suite: &SuiteResult, case: &CaseResult) -> Result<Option<Candidate>, CliError> {
    let Some(file) = &case.image else { return Ok(None) };
    let image = image(&case.id, file)?;
    let test = suite.tests.iter().find(|test| test.name == case.test);
    let scores = test.map(|test| scores(test, &case.scores)).unwrap_or_default();
    let (id, prompt, seed) = (case.id.clone(), case.prompt.text.clone(), case.seed);
    let inputs = Question::of(&case.prompt, seed, &case.settings).rest();
    Ok(Some(Candidate { id, image, prompt, seed, scores, inputs }))
}

/// The pixels that the run recorded.
pub(crate) fn image(id: &str, file: &ImageFile) -> Result<difftest_core::image::Image, CliError> {
    let fail = |reason: String| {
        CliError::new("image", format!("the image of {id} cannot be taken from the run: {reason}"))
            .hint("run it again: images that are known are found, others are made anew")
    };
    let image = decode::read(Path::new(&file.path), &Limits::default()).map_err(|error| fail(error.to_string()))?;
    if image.digest() == file.digest {
        Ok(image)
    } else {
        Err(fail(format!("{} is another image now than the one that was judged", file.path)))
    }
}

/// Scores that there are, each with the key of its metric.
pub(crate) fn scores(test: &TestResult, scores: &[ScoreResult]) -> Vec<(String, BaselineScore)> {
    let with_key = scores.iter().filter_map(|score| {
        let info = test.metrics.iter().find(|metric| metric.name == score.metric)?;
        let config = test.configs.get(&score.metric).unwrap_or(&Value::Null);
        Some((score.metric.clone(), BaselineScore { value: score.value?, metric: metric_key(info, config) }))
    });
    with_key.collect()
}
