//! transformers' `CLIPModel`: texts and images in one space.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::{ClipVision, check_ids, check_size};
use crate::error::Result;
use crate::graph::clip::{TextConfig, TextOutputs, read_clip_config, text_tower};
use crate::session::{Data, Input, Network, Precision, Reach, SessionOptions};
use crate::weights::Weights;

/// Both towers of a CLIP model. The tower of texts is checked when the model is loaded, and opened for the first text: who asks for
/// images alone never pays for it.
#[derive(Debug)]
pub struct ClipModel {
    folder: PathBuf,
    options: SessionOptions,
    text_config: TextConfig,
    projection: usize,
    text: OnceLock<Network>,
    /// Held by whoever opens the tower of texts.
    opening: Mutex<()>,
    vision: ClipVision,
}

impl ClipModel {
    /// Loads `folder` (`config.json` and `model.safetensors`). It always computes in `f32`: scores do not depend on the precision of
    /// the networks that make images.
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, or a runtime that does not start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let (text_config, _, projection) = read_clip_config(&folder.join("config.json"))?;
        text_network(folder, &text_config, projection, &SessionOptions { reach: Reach::Values, ..options.clone() })?;
        let vision = ClipVision::load(folder, options)?;
        Ok(Self {
            folder: folder.to_owned(),
            options: options.clone(),
            text_config,
            projection,
            text: OnceLock::new(),
            opening: Mutex::default(),
            vision,
        })
    }

    /// Side of the square input image.
    pub fn image_size(&self) -> usize {
        self.vision.image_size()
    }

    /// Tokens in a row of text.
    pub fn length(&self) -> usize {
        self.text_config.length
    }

    /// Width of an embedding.
    pub fn projection_dim(&self) -> usize {
        self.projection
    }

    /// Embeds `batch` rows of token ids, `[batch, length]`; gives `[batch, projection_dim]`, not normalised.
    ///
    /// # Errors
    /// Wrong size, an id outside the vocabulary, or a failure of the runtime.
    pub fn embed_text(&self, ids: &[i64], batch: usize) -> Result<Vec<f32>> {
        let TextConfig { length, vocabulary, pooled, .. } = self.text_config;
        check_size("token ids", batch * length, ids.len())?;
        check_ids(ids, vocabulary)?;
        let pooled = pooled.rows(ids, length);
        let inputs = [
            Input { name: "ids", shape: &[batch, length], data: Data::I64(ids) },
            Input { name: "pooled", shape: &[batch], data: Data::I64(&pooled) },
        ];
        self.text()?.run(&inputs, batch * self.projection)
    }

    fn text(&self) -> Result<&Network> {
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.text.get().is_none() {
            // Only who holds the lock sets it.
            let _ = self.text.set(text_network(&self.folder, &self.text_config, self.projection, &self.options)?);
        }
        drop(opening);
        Ok(self.text.get().expect("set above, and never taken away"))
    }

    /// Embeds `batch` preprocessed images, `[batch, 3, image_size, image_size]`; gives `[batch, projection_dim]`, not
    /// normalised.
    ///
    /// # Errors
    /// Wrong size, or a failure of the runtime.
    pub fn embed_image(&self, pixels: &[f32], batch: usize) -> Result<Vec<f32>> {
        self.vision.embed(pixels, batch)
    }
}

/// The tower of texts. Its weights are opened for it alone, so that each tower looks for damage in its own tensors only.
fn text_network(folder: &Path, config: &TextConfig, projection: usize, options: &SessionOptions) -> Result<Network> {
    let mut weights = Weights::open(folder, "model")?;
    let outputs = TextOutputs { hidden: None, projection: Some(projection) };
    let in_place = options.keeps_in_place(&weights);
    let model = text_tower(config, outputs, Precision::F32, in_place, &mut weights)?;
    weights.refuse_extra(&[], &["vision_model.", "visual_projection.", "logit_scale"])?;
    Network::load("CLIP's text tower", &model, &weights, options)
}
