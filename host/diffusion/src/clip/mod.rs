//! CLIP: texts and images in one space, and the host's own metric over it.
//!
//! One [`Clip`] serves everyone who asks for that model: `clip_score` ([`ClipScore`]) and every plugin that embeds images or texts
//! (through [`Embedder`]). A text or an image goes through its tower once, whoever asks first, on whatever thread; what comes out is
//! kept ([`ROWS`] of each). Images are preprocessed on Pillow's path ([`difftest_metrics::clip_preprocess`]), texts are cut at 77
//! tokens with the end token kept.

mod rows;
mod score;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use difftest_core::digest::{Digest, Hasher};
use difftest_core::image::Image;
use difftest_core::model::{Embedder, ModelError};
use difftest_metrics::clip_preprocess::{ClipPreprocess, PreprocessError};

use self::rows::{Row, Rows};
pub use self::score::ClipScore;
use crate::error::Error;
use crate::models::ClipModel;
use crate::pipeline::{Options, load::described};
use crate::repository::{Repository, RepositoryError};
use crate::session::{Reach, SessionOptions};
use crate::tokenizer::{ClipTokenizer, TokenizerError};

/// The CLIP model that is used where a suite names none.
pub const DEFAULT_MODEL: &str = "builtin:shapes-clip";

/// Images in one call of the vision tower: more do not run faster on a CPU.
const BATCH: usize = 8;

/// Embeddings that are kept of texts, and of images: 48 MiB of a model with 768 dimensions.
pub const ROWS: usize = 16_384;

/// A CLIP model, loaded.
pub struct Clip {
    description: Description,
    model: ClipModel,
    tokenizer: ClipTokenizer,
    preprocess: ClipPreprocess,
    texts: Rows<String>,
    images: Rows<Digest>,
    /// Images that went through the vision tower.
    passes: AtomicU64,
}

/// What a CLIP model is, known without loading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// One digest for all of its files, by name and content.
    pub digest: Digest,
    /// The preprocessing of images.
    pub preprocessing: String,
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
            Self::Tokenizer(error) => error.hint(),
            Self::Mismatch { .. } => Some("its files are of several models: copy the folder again".to_owned()),
            _ => None,
        }
    }
}

impl Description {
    /// Checks and hashes the files of a CLIP model: `builtin:shapes-clip` or a folder as transformers saves it. Relative folders
    /// start at `base`.
    ///
    /// # Errors
    /// [`ClipError`] names the file and the reason.
    pub fn read(reference: &str, base: &Path) -> Result<Self, ClipError> {
        let repository = Repository::clip(reference, base)?;
        let mut hasher = Hasher::new();
        for (name, digest) in repository.digests()? {
            hasher.field(name.as_bytes());
            hasher.field(digest.to_string().as_bytes());
        }
        Ok(Self { digest: hasher.finish(), preprocessing: preprocess(&repository)?.id() })
    }
}

impl Clip {
    /// Hashes and loads a model.
    ///
    /// # Errors
    /// [`ClipError`] names the file and the reason.
    pub fn load(reference: &str, base: &Path, options: &Options) -> Result<Self, ClipError> {
        Self::open(&Description::read(reference, base)?, reference, base, options)
    }

    /// Loads the model that `description` was read of, without hashing it again.
    ///
    /// # Errors
    /// [`ClipError`] names the file and the reason.
    pub fn open(description: &Description, reference: &str, base: &Path, options: &Options) -> Result<Self, ClipError> {
        // It embeds while the next images are being made: its threads must not wait at the expense of theirs.
        let session = SessionOptions { spin: false, ..options.scoring_session() };
        let repository = Repository::clip(reference, base)?;
        let (model, tokenizer, preprocess) = Self::parts(&repository, &session)?;
        let (texts, images) = (Rows::new(ROWS), Rows::new(ROWS));
        let description = description.clone();
        Ok(Self { description, model, tokenizer, preprocess, texts, images, passes: AtomicU64::new(0) })
    }

    /// Reads a model as loading it does, without starting ONNX Runtime: with `values`, every weight too, for NaN and infinity.
    ///
    /// # Errors
    /// The [`ClipError`] that loading it would end with.
    pub fn check(reference: &str, base: &Path, values: bool) -> Result<Repository, ClipError> {
        let reach = if values { Reach::Values } else { Reach::Graphs };
        let session = SessionOptions { reach, ..Options::default().scoring_session() };
        let repository = Repository::clip(reference, base)?;
        Self::parts(&repository, &session)?;
        Ok(repository)
    }

    /// Parts that belong together.
    fn parts(
        repository: &Repository,
        session: &SessionOptions,
    ) -> Result<(ClipModel, ClipTokenizer, ClipPreprocess), ClipError> {
        let preprocess = preprocess(repository)?;
        let tokenizer = ClipTokenizer::load(repository.folder())?;
        let model = ClipModel::load(repository.folder(), session)?;
        let mismatch = |what, left, right| Err(ClipError::Mismatch { what, left, right });
        if preprocess.crop as usize != model.image_size() {
            return mismatch("image size", preprocess.crop as usize, model.image_size());
        }
        if tokenizer.max_length() != model.length() {
            return mismatch("text length", tokenizer.max_length(), model.length());
        }
        Ok((model, tokenizer, preprocess))
    }

    /// What it is.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The embedding of a text, `[projection]`, not normalised.
    ///
    /// # Errors
    /// When the text cannot be tokenized or the text tower fails.
    pub fn text(&self, text: &str) -> Result<Arc<[f32]>, ClipError> {
        let rows = self.texts.get(&[text.to_owned()], 1, |_| {
            Ok::<_, ClipError>(vec![self.model.embed_text(&self.tokenizer.encode(text)?.ids, 1)?.into()])
        })?;
        Ok(Arc::clone(&rows[0]))
    }

    /// The embedding of each image, `[projection]`, not normalised. Those not seen before go through the vision tower together.
    ///
    /// # Errors
    /// When the vision tower fails.
    pub fn images(&self, images: &[&Image]) -> Result<Vec<Arc<[f32]>>, ClipError> {
        let keys: Vec<Digest> = images.iter().map(|image| image.digest()).collect();
        self.images.get(&keys, BATCH, |indices| {
            let pixels: Vec<f32> = indices.iter().flat_map(|&index| self.preprocess.apply(images[index])).collect();
            let rows = self.model.embed_image(&pixels, indices.len())?;
            self.passes.fetch_add(indices.len() as u64, Ordering::Relaxed);
            Ok(rows.chunks_exact(self.model.projection_dim()).map(Row::from).collect())
        })
    }

    /// How many images went through the vision tower so far.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }
}

impl Embedder for Clip {
    fn dimensions(&self) -> u32 {
        u32::try_from(self.model.projection_dim()).unwrap_or(u32::MAX)
    }

    fn embed_text(&self, text: &str) -> Result<Arc<[f32]>, ModelError> {
        normalised(&self.text(text).map_err(|error| failed(&error))?)
    }

    fn embed_images(&self, images: &[Image]) -> Result<Vec<Arc<[f32]>>, ModelError> {
        let rows = self.images(&images.iter().collect::<Vec<_>>()).map_err(|error| failed(&error))?;
        rows.iter().map(|row| normalised(row)).collect()
    }
}

/// The row divided by its length: squares summed in `f64` in order, each quotient rounded to `f32` once.
fn normalised(row: &[f32]) -> Result<Arc<[f32]>, ModelError> {
    let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !(length.is_finite() && length > 0.0) {
        return Err(ModelError::Failed("the embedding has no direction or holds NaN".to_owned()));
    }
    Ok(row.iter().map(|value| (f64::from(*value) / length) as f32).collect())
}

fn failed(error: &ClipError) -> ModelError {
    ModelError::Failed(described(error))
}

fn preprocess(repository: &Repository) -> Result<ClipPreprocess, ClipError> {
    Ok(ClipPreprocess::from_json(&repository.json("preprocessor_config.json")?)?)
}
