//! From latents to pixels: the decoder of diffusers' `AutoencoderKL`.

use std::path::Path;

use super::{check_size, unscale};
use crate::error::Result;
use crate::graph::vae::{VaeConfig, vae_decoder};
use crate::session::{Data, Input, Network, Precision, SessionOptions};
use crate::weights::Weights;

/// A loaded decoder.
#[derive(Debug)]
pub struct VaeDecoder {
    config: VaeConfig,
    network: Network,
}

impl VaeDecoder {
    /// Loads `folder` (`config.json` and `diffusion_pytorch_model.safetensors`). Where its config has `force_upcast`, it decodes in
    /// `f32` instead of `f16`, whose range its values exceed.
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, or a runtime that does not start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let (config, model, weights) = graph(folder, options)?;
        let network = Network::load("the VAE decoder", &model, &weights, options)?;
        Ok(Self { config, network })
    }

    /// Refuses weights of `folder` that do not fit its config, without reading any value: loading would refuse them too.
    ///
    /// # Errors
    /// A config that is not implemented, or weights that are missing or do not fit it.
    pub fn check(folder: &Path, options: &SessionOptions) -> Result<()> {
        graph(folder, options).map(|_| ())
    }

    /// What the denoiser's latents are divided by before decoding.
    pub fn scaling_factor(&self) -> f32 {
        self.config.scaling_factor
    }

    /// Turns latents as the denoiser leaves them, `shape` `[batch, latent_channels, height, width]`, into those that
    /// [`VaeDecoder::decode`] takes; with `statistics`, by the mean and deviation of each channel where the config has them.
    ///
    /// # Errors
    /// Wrong size.
    pub fn unscale(&self, latents: &mut [f32], shape: [usize; 4], statistics: bool) -> Result<()> {
        let VaeConfig { scaling_factor, latent_channels, statistics: ref known, .. } = self.config;
        let known = known.as_ref().filter(|_| statistics);
        let known = known.map(|known| (known.deviation.as_slice(), known.mean.as_slice()));
        unscale(latents, shape, latent_channels, scaling_factor, known)
    }

    /// Channels of a latent.
    pub fn latent_channels(&self) -> usize {
        self.config.latent_channels
    }

    /// Pixels for each latent, in each direction.
    pub fn upscale(&self) -> usize {
        self.config.upscale()
    }

    /// Decodes `latents` of `shape` `[batch, latent_channels, height, width]`, already scaled; gives
    /// `[batch, 3, upscale * height, upscale * width]`, nominally in [-1, 1].
    ///
    /// # Errors
    /// Wrong size, or a failure of the runtime.
    pub fn decode(&self, latents: &[f32], shape: [usize; 4]) -> Result<Vec<f32>> {
        let VaeConfig { latent_channels, out_channels, .. } = self.config;
        let [batch, _, rows, columns] = shape;
        let shape = [batch, latent_channels, rows, columns];
        check_size("latents", shape.iter().product(), latents.len())?;
        let scale = self.config.upscale();
        let input = Input { name: "latents", shape: &shape, data: Data::F32(latents) };
        self.network.run(&[input], batch * out_channels * rows * columns * scale * scale)
    }
}

/// The graph of the decoder in `folder`, with the config it was made by and the weights it reads.
fn graph(folder: &Path, options: &SessionOptions) -> Result<(VaeConfig, Vec<u8>, Weights)> {
    let config = VaeConfig::read(&folder.join("config.json"))?;
    let precision = match options.precision {
        Precision::F16 if config.force_upcast => Precision::F32,
        precision => precision,
    };
    // The files of the wanted precision all the same, as diffusers reads them before it widens them.
    let mut weights = Weights::open_for(folder, "diffusion_pytorch_model", options.precision)?;
    let model = vae_decoder(&config, precision, &mut weights)?;
    // The encoder, and what training left behind.
    weights.refuse_extra(&[], &["encoder.", "quant_conv.", "loss."])?;
    Ok((config, model, weights))
}
