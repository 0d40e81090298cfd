//! CLIP's vision tower: transformers' `CLIPVisionModelWithProjection`, and that half of a `CLIPModel`.

use std::path::Path;

use super::check_size;
use crate::error::Result;
use crate::graph::clip::{VisionConfig, vision_tower};
use crate::session::{Data, Device, Input, Network, Precision, SessionOptions};
use crate::weights::Weights;

/// Images of one call on the CPU: more take more memory and no less time for each. Embeddings do not depend on it, bit for bit.
const TOGETHER: usize = 2;

/// A loaded vision tower. It always computes in `f32`: scores do not depend on the precision of the networks that make images.
#[derive(Debug)]
pub struct ClipVision {
    config: VisionConfig,
    projection: usize,
    network: Network,
    /// How many images one call computes at most.
    together: usize,
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
        let together = if options.device == Device::Cpu { TOGETHER } else { usize::MAX };
        Ok(Self { config, projection, network, together })
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
        let each = channels * image_size * image_size;
        check_size("pixel values", batch * each, pixels.len())?;
        let mut embeddings = Vec::with_capacity(batch * self.projection);
        for pixels in pixels.chunks(each.saturating_mul(self.together)) {
            let images = pixels.len() / each;
            let shape = [images, channels, image_size, image_size];
            let input = Input { name: "pixels", shape: &shape, data: Data::F32(pixels) };
            embeddings.extend(self.network.run(&[input], images * self.projection)?);
        }
        Ok(embeddings)
    }
}
