//! CLIP's vision tower: transformers' `CLIPVisionModelWithProjection`, and that half of a `CLIPModel`.

use std::path::Path;

use super::check_size;
use crate::error::Result;
use crate::graph::clip::{VisionConfig, vision_tower};
use crate::session::{Data, Input, Network, Precision, SessionOptions};
use crate::weights::Weights;

/// A loaded vision tower. It always computes in `f32`: scores do not depend on the precision of the networks that make images.
#[derive(Debug)]
pub struct ClipVision {
    config: VisionConfig,
    projection: usize,
    network: Network,
}

impl ClipVision {
    /// Loads `folder` (`config.json` and `model.safetensors`).
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, or a runtime that does not start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let (config, projection) = VisionConfig::read(&folder.join("config.json"))?;
        let mut weights = Weights::open(folder, "model")?;
        let model = vision_tower(&config, projection, Precision::F32, &mut weights)?;
        weights.refuse_extra(&[], &["text_model.", "text_projection.", "logit_scale"])?;
        let network = Network::load("CLIP's vision tower", &model, &weights, options)?;
        Ok(Self { config, projection, network })
    }

    /// Side of the square input image.
    pub fn image_size(&self) -> usize {
        self.config.image_size
    }

    /// Width of an embedding.
    pub fn projection_dim(&self) -> usize {
        self.projection
    }

    /// Embeds `batch` preprocessed images, `[batch, 3, image_size, image_size]`; gives `[batch, projection_dim]`, not
    /// normalised.
    ///
    /// # Errors
    /// Wrong size, or a failure of the runtime.
    pub fn embed(&self, pixels: &[f32], batch: usize) -> Result<Vec<f32>> {
        let VisionConfig { channels, image_size, .. } = self.config;
        let shape = [batch, channels, image_size, image_size];
        check_size("pixel values", shape.iter().product(), pixels.len())?;
        let input = Input { name: "pixels", shape: &shape, data: Data::F32(pixels) };
        self.network.run(&[input], batch * self.projection)
    }
}
