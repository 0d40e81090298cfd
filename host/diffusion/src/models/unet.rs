//! The denoiser: diffusers' `UNet2DConditionModel`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::check_size;
use crate::error::Result;
use crate::graph::unet::{UnetConfig, unet};
use crate::session::{Data, Input, Network, SessionOptions};
use crate::weights::Weights;

/// A loaded denoiser.
#[derive(Debug)]
pub struct Unet {
    config: UnetConfig,
    folder: PathBuf,
    options: SessionOptions,
    aligned: Network,
    /// The form for sizes that do not halve evenly, which almost nobody asks for: made on first use.
    any_size: Mutex<Option<Arc<Network>>>,
}

impl Unet {
    /// Loads `folder` (`config.json` and `diffusion_pytorch_model.safetensors`).
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, or a runtime that does not start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let config = UnetConfig::read(&folder.join("config.json"))?;
        let aligned = network(folder, &config, true, options)?;
        Ok(Self { config, folder: folder.to_path_buf(), options: options.clone(), aligned, any_size: Mutex::new(None) })
    }

    /// What `config.json` says.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// Height and width of the latents it was trained on.
    pub fn sample_size(&self) -> [usize; 2] {
        self.config.sample_size
    }

    /// Latent channels it reads.
    pub fn in_channels(&self) -> usize {
        self.config.in_channels
    }

    /// Latent channels it predicts.
    pub fn out_channels(&self) -> usize {
        self.config.out_channels
    }

    /// Width of the text embedding it reads.
    pub fn cross_attention_dim(&self) -> usize {
        self.config.cross_attention_dim
    }

    /// Predicts for `sample` of `shape` `[batch, in_channels, height, width]` at one `timestep`, under `prompt_embeds`
    /// `[batch, length, cross_attention_dim]`; gives `[batch, out_channels, height, width]`.
    ///
    /// # Errors
    /// Wrong sizes, or a failure of the runtime.
    pub fn predict(&self, sample: &[f32], shape: [usize; 4], timestep: f32, prompt_embeds: &[f32]) -> Result<Vec<f32>> {
        let UnetConfig { in_channels, out_channels, cross_attention_dim: width, waves, .. } = self.config;
        let [batch, _, rows, columns] = shape;
        check_size("latents", batch * in_channels * rows * columns, sample.len())?;
        let length = prompt_embeds.len() / (batch * width).max(1);
        check_size("prompt embeddings", batch * length.max(1) * width, prompt_embeds.len())?;
        let time = waves.features(timestep);
        let inputs = [
            Input { name: "sample", shape: &[batch, in_channels, rows, columns], data: Data::F32(sample) },
            Input { name: "time", shape: &[1, time.len()], data: Data::F32(&time) },
            Input { name: "text", shape: &[batch, length, width], data: Data::F32(prompt_embeds) },
        ];
        let expected = batch * out_channels * rows * columns;
        if [rows, columns].iter().all(|side| side % self.config.alignment() == 0) {
            self.aligned.run(&inputs, expected)
        } else {
            self.any_size()?.run(&inputs, expected)
        }
    }

    fn any_size(&self) -> Result<Arc<Network>> {
        let mut made = self.any_size.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(network) = made.as_ref() {
            return Ok(Arc::clone(network));
        }
        let network = Arc::new(network(&self.folder, &self.config, false, &self.options)?);
        *made = Some(Arc::clone(&network));
        Ok(network)
    }
}

fn network(folder: &Path, config: &UnetConfig, aligned: bool, options: &SessionOptions) -> Result<Network> {
    let mut weights = Weights::open(folder, "diffusion_pytorch_model")?;
    let model = unet(config, aligned, &mut weights)?;
    Network::load("the UNet", &model, &weights, options)
}
