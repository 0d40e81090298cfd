//! The controls of one metric over one test.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use difftest_core::calibrate::{Control, ControlKind, control};
use difftest_core::digest::Digest;
use difftest_core::event::{ErrorInfo, ImageRecord};
use difftest_core::image::Image;
use difftest_core::key::{Key, Scoring};
use difftest_core::metric::{Direction, Item, Metric, MetricError, Sample};
use difftest_core::plan::SuitePlan;
use difftest_core::stats::Random;
use difftest_metrics::decode;
use rayon::prelude::*;

use super::MOST;
use crate::collect::from_metric;
use crate::evidence::{Keeper, ScoreKeys};
use crate::references::Reference;
use crate::stages;

const KINDS: [ControlKind; 3] = [ControlKind::Black, ControlKind::Noise, ControlKind::ShuffledPrompts];

/// An image of the suite to compare with.
pub(crate) struct Real<'a> {
    case: usize,
    record: &'a ImageRecord,
    /// Read when somebody has to look at it.
    image: OnceLock<Result<Image, ErrorInfo>>,
}

/// What is measured, and where scores are looked up and kept.
pub(crate) struct Subject<'a> {
    pub(crate) plan: &'a SuitePlan,
    /// What the metric compares with, where it does.
    pub(crate) reference: Option<&'a Reference>,
    /// `None`: everything is measured.
    pub(crate) kept: Option<(&'a ScoreKeys, &'a Keeper<'a>)>,
}

/// Scores of a control beside those of the real images.
pub(crate) struct Scores<'a> {
    kind: ControlKind,
    /// Prompt, control, real.
    pairs: Vec<(&'a str, f64, f64)>,
}

impl Scores<'_> {
    /// What follows, where scores are better in this direction.
    pub(crate) fn control(&self, direction: Direction) -> Control {
        control(self.kind, direction, &self.pairs)
    }

    /// How many prompts it rests on.
    pub(crate) fn prompts(&self) -> usize {
        self.pairs.len()
    }
}

/// One image of a test for each prompt.
pub(crate) fn reals<'a>(
    plan: &SuitePlan,
    test: usize,
    record: impl Fn(usize) -> Option<&'a ImageRecord>,
) -> Vec<Real<'a>> {
    let mut reals: Vec<Real<'a>> = Vec::new();
    for (case, planned) in plan.cases.iter().enumerate().filter(|(_, case)| case.test == test) {
        let known = reals.iter().any(|real| plan.cases[real.case].prompt.id == planned.prompt.id);
        if let Some(record) = record(case).filter(|_| !known && reals.len() < MOST) {
            reals.push(Real { case, record, image: OnceLock::new() });
        }
    }
    reals
}

impl Real<'_> {
    fn image(&self) -> Result<Image, ErrorInfo> {
        let read = || {
            decode::read(&self.record.path, &decode::Limits::default()).map_err(|error| ErrorInfo {
                kind: "image-file".into(),
                message: error.to_string(),
                hint: None,
                case: None,
            })
        };
        self.image.get_or_init(read).clone()
    }
}

/// Gives a metric when it is asked for.
pub(crate) type Load<'f, 'm> = &'f (dyn Fn() -> Result<&'m Arc<dyn Metric>, MetricError> + Sync);

/// What the metric said of a case's own image.
pub(crate) type Said<'f> = &'f (dyn Fn(usize) -> Option<f64> + Sync);

impl<'a> Subject<'a> {
    /// The scores of each kind of control. `metric` is asked for where one is not known.
    pub(crate) fn scores(
        &self,
        metric: Load<'_, '_>,
        reals: &[Real<'_>],
        score: Said<'_>,
    ) -> Result<Vec<Scores<'a>>, ErrorInfo> {
        KINDS.into_iter().map(|kind| self.one(kind, metric, reals, score)).collect()
    }

    fn one(
        &self,
        kind: ControlKind,
        metric: Load<'_, '_>,
        reals: &[Real<'_>],
        score: Said<'_>,
    ) -> Result<Scores<'a>, ErrorInfo> {
        let told = |error: MetricError| from_metric(&error, None);
        let mut found: Vec<Option<f64>> = vec![None; reals.len()];
        let (mut items, mut waiting) = (Vec::new(), Vec::new());
        for (place, real) in reals.iter().enumerate() {
            let made = made(kind, place, real.record);
            // Of the next image, around the corner.
            let prompt_of = if made.is_some() { real } else { &reals[(place + 1) % reals.len()] };
            let sample = stages::sample(&self.plan.cases[prompt_of.case], &prompt_of.record.attributes);
            let digest = made.as_ref().map_or(real.record.digest, Image::digest);
            let key = self.key(&digest, &sample, real.case).map_err(told)?;
            if let Some(known) = key.and_then(|key| self.kept?.1.known(&key)) {
                found[place] = Some(known.score.value);
                continue;
            }
            let image = made.map_or_else(|| real.image(), Ok)?;
            let request = stages::request(&self.plan.cases[real.case]);
            let reference = self.reference.map(|reference| reference.of(&request)).transpose().map_err(told)?;
            items.push(Item { image, sample, reference });
            waiting.push((place, key));
        }
        if !items.is_empty() {
            let metric = metric().map_err(told)?;
            let began = Instant::now();
            let batches = items.par_chunks(metric.batch_size().max(1));
            let answers: Vec<_> = batches.flat_map_iter(|batch| metric.measure(batch)).collect();
            let seconds = began.elapsed().as_secs_f64() / items.len() as f64;
            for ((place, key), answer) in waiting.into_iter().zip(answers) {
                let score = answer.map_err(told)?;
                if let (Some((_, keeper)), Some(key)) = (self.kept, key) {
                    keeper.score(&metric.info().name, &key, &score, seconds);
                }
                found[place] = Some(score.value);
            }
        }
        let plan = self.plan;
        let pairs = found.into_iter().zip(reals).filter_map(|(control, real)| {
            Some((plan.cases[real.case].prompt.id.as_str(), control?, score(real.case)?))
        });
        Ok(Scores { kind, pairs: pairs.collect() })
    }

    fn key(&self, image: &Digest, sample: &Sample, case: usize) -> Result<Option<Key<Scoring>>, MetricError> {
        let Some((keys, _)) = self.kept else { return Ok(None) };
        let request = stages::request(&self.plan.cases[case]);
        let reference = self.reference.map(|reference| reference.digest_of(&request)).transpose()?;
        Ok(Some(keys.of_image(image, sample, reference.as_ref()).key()))
    }
}

/// The image of a control that is not the real one.
fn made(kind: ControlKind, place: usize, real: &ImageRecord) -> Option<Image> {
    let mut random = Random::new(place as u64);
    match kind {
        ControlKind::Black => Some(flat(real, |_| 0)),
        ControlKind::Noise => Some(flat(real, |_| random.bits() as u8)),
        ControlKind::ShuffledPrompts => None,
    }
}

fn flat(size: &ImageRecord, pixel: impl FnMut(usize) -> u8) -> Image {
    let bytes = size.width as usize * size.height as usize * 3;
    let pixels: Vec<u8> = (0..bytes).map(pixel).collect();
    Image::new(size.width, size.height, pixels).expect("three bytes for each pixel")
}
