//! Control images: what the metrics of a suite make of images that are no good.
//!
//! A black frame and one of noise, as large as the real image, under its prompt; and the real image under the prompt of another. One
//! case for each prompt is enough, and [`MOST`] prompts: nothing is generated for them. Their scores are kept and found as any others:
//! a control is an image with a digest.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | for `difftest calibrate`: every metric of a suite |
//! | `subject.rs` | the controls of one metric over one test |
//! | `refuse.rs` | for a run: gates of tests with `controls = true` |

mod refuse;
mod subject;

use difftest_core::calibrate::Control;
use difftest_core::event::{ErrorInfo, ImageRecord};
use difftest_core::metric::{AnyMetric, MetricKind};

use crate::conduct::SuiteRun;
use crate::evidence::Force;
use crate::load::Loader;

pub(crate) use refuse::refused;
pub(crate) use subject::{Subject, reals};

/// At most so many prompts of a test.
pub const MOST: usize = 24;

/// What a metric of a test makes of the controls, or why it could not.
#[derive(Clone, Debug)]
pub struct Controlled {
    /// Index of the test.
    pub test: usize,
    /// Index of the metric.
    pub metric: usize,
    /// One for each kind.
    pub outcome: Result<Vec<Control>, ErrorInfo>,
}

/// Measures the controls of every image metric and pair metric of a suite. `records` has the stored image of each case of the plan,
/// `score(case, metric)` what the metric said of it. Nothing is looked up: what is calibrated is measured.
///
/// # Errors
/// When the suite's metrics cannot be loaded.
pub fn measure(
    suite: &SuiteRun,
    loader: &Loader<'_>,
    records: &[Option<ImageRecord>],
    score: &(dyn Fn(usize, usize) -> Option<f64> + Sync),
) -> Result<Vec<Controlled>, ErrorInfo> {
    let loaded = loader.open(suite, Force::Score)?;
    let mut controlled = Vec::new();
    for (test, metrics) in loaded.metrics.iter().enumerate() {
        let reals = reals(&suite.plan, test, |case| records.get(case)?.as_ref());
        for (index, metric) in metrics.iter().enumerate() {
            let Some(AnyMetric::Each(metric)) = metric.loaded() else { continue };
            let compares = metric.info().kind == MetricKind::Pair;
            let reference = loaded.references[test].as_ref().filter(|_| compares).map(|(reference, _)| reference);
            let subject = Subject { plan: &suite.plan, reference, kept: None };
            // On a thread with the stack that plugins need.
            let scores = loaded.pool.install(|| subject.scores(&|| Ok(metric), &reals, &|case| score(case, index)));
            let direction = metric.info().direction;
            let outcome = scores.map(|all| all.iter().map(|scores| scores.control(direction)).collect());
            controlled.push(Controlled { test, metric: index, outcome });
        }
    }
    Ok(controlled)
}
