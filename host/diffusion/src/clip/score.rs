//! `clip_score`: how well an image fits its prompt, as the cosine of their CLIP embeddings.
//!
//! The raw cosine in [-1, 1], without the factor 100 or 2.5, the clamping and the text prefix that other tools add (see
//! `MetricInfo::variant`, which names the model and the preprocessing: scores of different variants must not be compared).

use std::path::Path;
use std::sync::Arc;

use difftest_core::metric::{
    Direction, Item, Metric, MetricError, MetricInfo, MetricKind, MetricSource, Sample, Score,
};

use super::{BATCH, Clip, ClipError, Description};
use crate::pipeline::{Options, load::described};

/// The metric over a loaded model.
pub struct ClipScore {
    info: MetricInfo,
    clip: Arc<Clip>,
}

impl ClipScore {
    /// The metric over `clip`, which others may ask too.
    #[must_use]
    pub fn new(clip: Arc<Clip>) -> Self {
        Self { info: Self::describe(clip.description()), clip }
    }

    /// The metric over a model of its own. Relative folders start at `base`.
    ///
    /// # Errors
    /// [`ClipError`] names the file and the reason.
    pub fn load(reference: &str, base: &Path, options: &Options) -> Result<Self, ClipError> {
        Ok(Self::new(Arc::new(Clip::load(reference, base, options)?)))
    }

    /// What `clip_score` with a model is.
    #[must_use]
    pub fn describe(model: &Description) -> MetricInfo {
        MetricInfo {
            name: "clip_score".to_owned(),
            summary: "cosine of the CLIP embeddings of image and prompt".to_owned(),
            kind: MetricKind::Image,
            direction: Direction::HigherIsBetter,
            range: Some((-1.0, 1.0)),
            unit: None,
            config_schema: None,
            variant: format!("cosine/{}/{}", model.digest.short(), model.preprocessing),
            source: MetricSource::Host { models: vec![("clip".to_owned(), model.digest)] },
        }
    }

    fn score(&self, image: &[f32], sample: &Sample) -> Result<Score, MetricError> {
        let text = self.clip.text(&sample.prompt).map_err(|error| metric_error("clip", described(&error)))?;
        let value = cosine(image, &text);
        if !value.is_finite() {
            return Err(metric_error("not-finite", "the embeddings have no direction or hold NaN".to_owned()));
        }
        Ok(Score { value, details: Vec::new(), fuel: None })
    }
}

impl Metric for ClipScore {
    fn info(&self) -> &MetricInfo {
        &self.info
    }

    fn batch_size(&self) -> usize {
        BATCH
    }

    fn measure(&self, items: &[Item]) -> Vec<Result<Score, MetricError>> {
        let of_chunk =
            |chunk: &[Item]| match self.clip.images(&chunk.iter().map(|item| &item.image).collect::<Vec<_>>()) {
                Ok(rows) => chunk.iter().zip(rows).map(|(item, row)| self.score(&row, &item.sample)).collect(),
                Err(error) => vec![Err(metric_error("clip", described(&error))); chunk.len()],
            };
        items.chunks(BATCH).flat_map(of_chunk).collect()
    }
}

/// Cosine of the angle between two vectors, summed in `f64`; never outside [-1, 1], NaN for a zero vector.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0)
}

fn metric_error(kind: &str, why: String) -> MetricError {
    MetricError { kind: kind.to_owned(), message: format!("clip_score: {why}"), hint: None }
}

#[cfg(test)]
mod tests {
    use super::cosine;

    #[test]
    fn cosine_is_the_angle() {
        assert_eq!(cosine(&[2.0, 0.0], &[5.0, 0.0]), 1.0);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 3.0]), 0.0);
        assert_eq!(cosine(&[0.5, -0.5], &[-1.0, 1.0]), -1.0);
        assert!(cosine(&[0.0, 0.0], &[1.0, 0.0]).is_nan());
    }
}
