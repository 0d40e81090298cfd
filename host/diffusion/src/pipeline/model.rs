//! An opened model folder: what its configs say, before any network is loaded.

use std::path::Path;

use serde_json::Value;

use super::Family;
use super::load::{LoadError, Options};
use crate::repository::{Repository, RepositoryError};
use crate::scheduler::SchedulerConfig;

/// A folder whose configs were read.
pub(super) struct Model {
    pub(super) repository: Repository,
    pub(super) family: Family,
    pub(super) scheduler: SchedulerConfig,
    pub(super) shape: Shape,
    /// Whether the UNet was distilled to read the guidance scale: then it is asked once, not with and without the prompt.
    pub(super) reads_guidance: bool,
    /// Whether a negative prompt that nobody gave is zeros, and not an empty text.
    pub(super) zeros_for_empty: bool,
}

/// Sizes of a model's images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Width and height that the model was trained for, in pixels.
    pub(super) size: (u32, u32),
    /// Pixels for each latent, in each direction.
    pub(super) upscale: usize,
}

impl Model {
    pub(super) fn open(reference: &str, base: &Path, options: &Options) -> Result<Self, LoadError> {
        let repository = Repository::stable_diffusion_in(reference, base, options.graph_precision())?;
        let family = repository.family().unwrap_or(Family::StableDiffusion);
        let scheduler = SchedulerConfig::from_json(&repository.json("scheduler/scheduler_config.json")?)
            .map_err(|source| LoadError::Scheduler { folder: repository.folder().join("scheduler"), source })?;
        let scheduler = match family {
            Family::StableDiffusion => scheduler.for_stable_diffusion(),
            Family::Xl | Family::LatentConsistency => scheduler,
        };
        let unet = repository.config("unet")?;
        let index = repository.json("model_index.json")?;
        let zeros = index.get("force_zeros_for_empty_prompt").and_then(Value::as_bool);
        Ok(Self {
            shape: Shape::read(&repository, family, &unet)?,
            reads_guidance: unet.get("time_cond_proj_dim").is_some_and(|dim| !dim.is_null()),
            zeros_for_empty: family == Family::Xl && zeros.unwrap_or(true),
            repository,
            family,
            scheduler,
        })
    }
}

impl Shape {
    fn read(repository: &Repository, family: Family, unet: &Value) -> Result<Self, RepositoryError> {
        let vae = repository.config("vae")?;
        let resolutions = vae.get("block_out_channels").and_then(Value::as_array).map_or(1, Vec::len);
        let upscale = 1 << resolutions.saturating_sub(1).min(16);
        // The UNet's own reader has words for a size that is missing or makes no sense.
        let [width, height] = family.trained_size(unet).unwrap_or([64, 64]);
        let pixels = |latents: usize| u32::try_from(latents.saturating_mul(upscale)).unwrap_or(u32::MAX);
        Ok(Self { size: (pixels(width), pixels(height)), upscale })
    }
}
