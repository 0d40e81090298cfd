//! Control images: what the metrics of a suite make of images that are no good.
//!
//! A black frame and one of noise, as large as the real image, under its prompt; and the real image under the prompt of another. One
//! case for each prompt is enough, and [`MOST`] prompts: nothing is generated for them.

use difftest_core::calibrate::{Control, ControlKind, control};
use difftest_core::event::{ErrorInfo, ImageRecord};
use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, Item, Metric, MetricKind};
use difftest_core::stats::Random;
use difftest_metrics::decode;

use crate::collect::from_metric;
use crate::conduct::SuiteRun;
use crate::evidence::Force;
use crate::load::Loader;
use crate::stages;

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

/// An image of the suite to compare with.
struct Real {
    case: usize,
    image: Image,
    record: ImageRecord,
}

/// Measures the controls of every image metric and pair metric of a suite. `records` has the stored image of each case of the plan,
/// `score(case, metric)` what the metric said of it.
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
        let reals = match reals(suite, test, records) {
            Ok(reals) => reals,
            Err(error) => {
                controlled.push(Controlled { test, metric: 0, outcome: Err(error) });
                continue;
            }
        };
        for (index, metric) in metrics.iter().enumerate() {
            let Some(AnyMetric::Each(metric)) = metric.loaded() else { continue };
            let reference = |case: usize| match (metric.info().kind, loaded.references[test].as_ref()) {
                (MetricKind::Pair, Some((reference, _))) => {
                    reference.of(&stages::request(&suite.plan.cases[case])).map(Some).map_err(|e| from_metric(&e, None))
                }
                _ => Ok(None),
            };
            // On a thread with the stack that plugins need.
            let outcome = loaded.pool.install(|| {
                [ControlKind::Black, ControlKind::Noise, ControlKind::ShuffledPrompts]
                    .into_iter()
                    .map(|kind| one(suite, &**metric, kind, &reals, &reference, &|case| score(case, index)))
                    .collect()
            });
            controlled.push(Controlled { test, metric: index, outcome });
        }
    }
    Ok(controlled)
}

/// One image for each prompt.
fn reals(suite: &SuiteRun, test: usize, records: &[Option<ImageRecord>]) -> Result<Vec<Real>, ErrorInfo> {
    let mut reals: Vec<Real> = Vec::new();
    for (index, case) in suite.plan.cases.iter().enumerate().filter(|(_, case)| case.test == test) {
        let known = reals.iter().any(|real| suite.plan.cases[real.case].prompt.id == case.prompt.id);
        let Some(record) = records.get(index).and_then(Option::as_ref).filter(|_| !known && reals.len() < MOST) else {
            continue;
        };
        let image = decode::read(&record.path, &decode::Limits::default()).map_err(|error| ErrorInfo {
            kind: "image-file".into(),
            message: error.to_string(),
            hint: None,
            case: None,
        })?;
        reals.push(Real { case: index, image, record: record.clone() });
    }
    Ok(reals)
}

fn one(
    suite: &SuiteRun,
    metric: &dyn Metric,
    kind: ControlKind,
    reals: &[Real],
    reference: &dyn Fn(usize) -> Result<Option<Image>, ErrorInfo>,
    score: &dyn Fn(usize) -> Option<f64>,
) -> Result<Control, ErrorInfo> {
    let mut items = Vec::with_capacity(reals.len());
    for (place, real) in reals.iter().enumerate() {
        let (width, height) = (real.image.width(), real.image.height());
        let image = match kind {
            ControlKind::Black => flat(width, height, |_| 0),
            ControlKind::Noise => {
                let mut random = Random::new(place as u64);
                flat(width, height, |_| random.bits() as u8)
            }
            ControlKind::ShuffledPrompts => real.image.clone(),
        };
        // Of the next image, around the corner.
        let told = match kind {
            ControlKind::ShuffledPrompts => &reals[(place + 1) % reals.len()],
            ControlKind::Black | ControlKind::Noise => real,
        };
        let sample = stages::sample(&suite.plan.cases[told.case], &told.record.attributes);
        items.push(Item { image, sample, reference: reference(real.case)? });
    }
    let scores = metric.measure(&items).into_iter().zip(reals).filter_map(|(answer, real)| {
        let prompt = suite.plan.cases[real.case].prompt.id.as_str();
        let real = score(real.case)?;
        Some(answer.map(|score| (prompt, score.value, real)).map_err(|error| from_metric(&error, None)))
    });
    Ok(control(kind, metric.info().direction, &scores.collect::<Result<Vec<_>, _>>()?))
}

fn flat(width: u32, height: u32, mut pixel: impl FnMut(usize) -> u8) -> Image {
    let bytes = width as usize * height as usize * 3;
    let pixels: Vec<u8> = (0..bytes).map(&mut pixel).collect();
    Image::new(width, height, pixels).expect("three bytes for each pixel")
}
