//! transformers' `CLIPModel`: texts and images in one space.

use std::path::Path;

use super::{ClipVision, check_ids, check_size};
use crate::error::Result;
use crate::graph::clip::{TextConfig, TextOutputs, read_clip_config, text_tower};
use crate::session::{Data, Input, Network, Precision, SessionOptions};
use crate::weights::Weights;

/// Both towers of a loaded CLIP model.
#[derive(Debug)]
pub struct ClipModel {
    text_config: TextConfig,
    projection: usize,
    text: Network,
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
        // Opened for each tower, so that each looks for damage in its own tensors only.
        let mut weights = Weights::open(folder, "model")?;
        let model = text_tower(
            &text_config,
            TextOutputs { hidden: None, projection: Some(projection) },
            Precision::F32,
            options.keeps_in_place(&weights),
            &mut weights,
        )?;
        weights.refuse_extra(&[], &["vision_model.", "visual_projection.", "logit_scale"])?;
        let text = Network::load("CLIP's text tower", &model, &weights, options)?;
        let vision = ClipVision::load(folder, options)?;
        Ok(Self { text_config, projection, text, vision })
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
        self.text.run(&inputs, batch * self.projection)
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
