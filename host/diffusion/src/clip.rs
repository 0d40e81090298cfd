//! `clip_score`: how well an image fits its prompt, as the cosine of their CLIP embeddings.
//!
//! The raw cosine in [-1, 1], without the factor 100 or 2.5, the clamping and the text prefix that other tools add (see
//! `MetricInfo::variant`, which names the model and the preprocessing: scores of different variants must not be compared).
//! Images are preprocessed on Pillow's path ([`difftest_metrics::clip_preprocess`]), texts are cut at 77 tokens with the end
//! token kept, and embedded once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use difftest_core::digest::{Digest, Hasher};
use difftest_core::image::Image;
use difftest_core::metric::{
    Direction, Item, Metric, MetricError, MetricInfo, MetricKind, MetricSource, Sample, Score,
};
use difftest_metrics::clip_preprocess::{ClipPreprocess, PreprocessError};

use crate::error::Error;
use crate::models::ClipModel;
use crate::pipeline::{Options, load::described};
use crate::repository::{Repository, RepositoryError};
use crate::session::SessionOptions;
use crate::tokenizer::{ClipTokenizer, TokenizerError};

/// The CLIP model that is used where a suite names none.
pub const DEFAULT_MODEL: &str = "builtin:shapes-clip";

/// Images in one call of the vision tower: more do not run faster on a CPU.
const BATCH: usize = 8;

/// Texts that are remembered.
const TEXTS: usize = 65_536;

/// The metric, loaded.
pub struct ClipScore {
    info: MetricInfo,
    model: ClipModel,
    tokenizer: ClipTokenizer,
    preprocess: ClipPreprocess,
    texts: Mutex<HashMap<String, Arc<[f32]>>>,
}

/// Why a CLIP model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The reference or the folder.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The image preprocessing.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The tokenizer's files.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The towers or ONNX Runtime.
    #[error(transparent)]
    Network(#[from] Error),
    /// Parts that do not belong together.
    #[error("{what}: {left} does not fit {right}")]
    Mismatch {
        /// Of what.
        what: &'static str,
        /// On one side.
        left: usize,
        /// On the other.
        right: usize,
    },
}

impl ClipError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Repository(error) => error.hint(),
            Self::Network(error) => error.hint(),
            _ => None,
        }
    }
}

impl ClipScore {
    /// What `clip_score` with that model is, without loading it: its files are checked and hashed.
    ///
    /// # Errors
    /// [`ClipError`] names the file and the reason.
    pub fn describe(reference: &str, base: &Path) -> Result<MetricInfo, ClipError> {
        let repository = Repository::clip(reference, base)?;
        describe(&repository, &preprocess(&repository)?)
    }

    /// Loads a CLIP model: `builtin:shapes-clip` or a folder as transformers saves it. Relative folders start at `base`.
    ///
    /// # Errors
    /// [`ClipError`] names the file and the reason.
    pub fn load(reference: &str, base: &Path, options: &Options) -> Result<Self, ClipError> {
        let repository = Repository::clip(reference, base)?;
        let preprocess = preprocess(&repository)?;
        let info = describe(&repository, &preprocess)?;
        let tokenizer = ClipTokenizer::load(repository.folder())?;
        // It scores while the next images are being made: its threads must not wait at the expense of theirs.
        let session = SessionOptions { spin: false, ..options.session(1) };
        let model = ClipModel::load(repository.folder(), &session)?;
        let mismatch = |what, left, right| Err(ClipError::Mismatch { what, left, right });
        if preprocess.crop as usize != model.image_size() {
            return mismatch("image size", preprocess.crop as usize, model.image_size());
        }
        if tokenizer.max_length() != model.length() {
            return mismatch("text length", tokenizer.max_length(), model.length());
        }
        Ok(Self { info, model, tokenizer, preprocess, texts: Mutex::default() })
    }

    /// The embedding of a text, `[projection]`, not normalised.
    ///
    /// # Errors
    /// When the text cannot be tokenized or the text tower fails.
    pub fn embed_text(&self, text: &str) -> Result<Arc<[f32]>, ClipError> {
        let lock = || self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(text) {
            return Ok(Arc::clone(known));
        }
        let embedding: Arc<[f32]> = self.model.embed_text(&self.tokenizer.encode(text)?.ids, 1)?.into();
        let mut texts = lock();
        if texts.len() >= TEXTS {
            texts.clear();
        }
        texts.insert(text.to_owned(), Arc::clone(&embedding));
        Ok(embedding)
    }

    /// The embeddings of images, `[images, projection]`, not normalised.
    ///
    /// # Errors
    /// When the vision tower fails.
    pub fn embed_images<'a>(&self, images: impl ExactSizeIterator<Item = &'a Image>) -> Result<Vec<f32>, ClipError> {
        let count = images.len();
        let pixels: Vec<f32> = images.flat_map(|image| self.preprocess.apply(image)).collect();
        Ok(self.model.embed_image(&pixels, count)?)
    }

    fn score(&self, image: &[f32], sample: &Sample) -> Result<Score, MetricError> {
        let text = self.embed_text(&sample.prompt).map_err(|error| metric_error("clip", described(&error)))?;
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
        let width = self.model.projection_dim();
        items
            .chunks(BATCH)
            .flat_map(|chunk| match self.embed_images(chunk.iter().map(|item| &item.image)) {
                Ok(embeddings) => chunk
                    .iter()
                    .zip(embeddings.chunks_exact(width))
                    .map(|(item, image)| self.score(image, &item.sample))
                    .collect(),
                Err(error) => vec![Err(metric_error("clip", described(&error))); chunk.len()],
            })
            .collect()
    }
}

/// Cosine of the angle between two vectors, summed in `f64`; never outside [-1, 1], NaN for a zero vector.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0)
}

fn preprocess(repository: &Repository) -> Result<ClipPreprocess, ClipError> {
    Ok(ClipPreprocess::from_json(&repository.json("preprocessor_config.json")?)?)
}

fn describe(repository: &Repository, preprocess: &ClipPreprocess) -> Result<MetricInfo, ClipError> {
    let files = repository.digests()?;
    let models = vec![("clip".to_owned(), model_digest(&files))];
    let variant = format!("cosine/{}/{}", models[0].1.short(), preprocess.id());
    Ok(MetricInfo {
        name: "clip_score".to_owned(),
        summary: "cosine of the CLIP embeddings of image and prompt".to_owned(),
        kind: MetricKind::Image,
        direction: Direction::HigherIsBetter,
        range: Some((-1.0, 1.0)),
        unit: None,
        config_schema: None,
        variant,
        source: MetricSource::Host { models },
    })
}

/// One digest for all files of the model, by name and content.
fn model_digest(files: &[(String, Digest)]) -> Digest {
    let mut hasher = Hasher::new();
    for (name, digest) in files {
        hasher.field(name.as_bytes());
        hasher.field(digest.to_string().as_bytes());
    }
    hasher.finish()
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
