//! VAE decoders that were exported.

use std::path::Path;

use super::OnnxFault;
use super::config::Config;
use super::network::{Feed, Network, Values};
use super::part::Part;
use crate::error::Result;
use crate::models::{check_size, unscale};
use crate::onnx::Port;
use crate::session::{Device, SessionOptions};

/// Channels of an image.
const COLOURS: usize = 3;

/// An exported decoder.
#[derive(Debug)]
pub(crate) struct VaeDecoder {
    part: Part,
    network: Network,
    device: Device,
    latents: Port,
    output: String,
    scaling_factor: f32,
    /// Deviation and mean of each channel.
    statistics: Option<(Vec<f32>, Vec<f32>)>,
    latent_channels: usize,
    upscale: usize,
}

impl VaeDecoder {
    /// Loads `vae_decoder` beside the folder `vae`, whose config serves where `vae_decoder` has none.
    pub(crate) fn load(folder: &Path, vae: &Path, options: &SessionOptions) -> Result<Self> {
        let part = Part::open("the VAE decoder", folder, options.device)?;
        const LATENTS: [&str; 2] = ["latent_sample", "latent"];
        part.only_inputs(&LATENTS)?;
        let latents = part.needed_input(&LATENTS)?;
        part.floats(&latents, 4, "floats [batch, channels, height, width]")?;
        let output = part.needed_output(&["sample", "images"])?;
        part.floats(&output, 4, "floats [batch, 3, height, width]")?;
        let config = Config::read(&[folder.join("config.json"), vae.join("config.json")])?;
        let missing = |what| OnnxFault::Config { what, config: config.path.display().to_string() };
        if config.is_empty() {
            return Err(part.fault(missing("scaling factor")));
        }
        let levels = config.count("block_out_channels");
        let pixels = output.fixed(2).zip(latents.fixed(2)).map(|(pixels, latents)| pixels / latents);
        let upscale = levels.map(|levels| 1 << levels.saturating_sub(1).min(16)).or(pixels);
        let latent_channels =
            part.size("latent channels", latents.fixed(1), &config.path, config.size("latent_channels")?)?;
        let statistics = ["latents_std", "latents_mean"].map(|key| config.numbers(key, latent_channels));
        let [deviations, means] = statistics;
        Ok(Self {
            statistics: deviations?.zip(means?),
            scaling_factor: config.divisor("scaling_factor", 0.18215)?,
            latent_channels,
            upscale: upscale.filter(|&scale| scale > 0).ok_or_else(|| part.fault(missing("block_out_channels")))?,
            network: Network::load(&part, options)?,
            device: options.device,
            output: output.name,
            part,
            latents,
        })
    }

    pub(crate) fn scaling_factor(&self) -> f32 {
        self.scaling_factor
    }

    pub(crate) fn unscale(&self, latents: &mut [f32], shape: [usize; 4], statistics: bool) -> Result<()> {
        let known = self.statistics.as_ref().filter(|_| statistics);
        let known = known.map(|(deviations, means)| (deviations.as_slice(), means.as_slice()));
        unscale(latents, shape, self.latent_channels, self.scaling_factor, known)
    }

    pub(crate) fn latent_channels(&self) -> usize {
        self.latent_channels
    }

    pub(crate) fn upscale(&self) -> usize {
        self.upscale
    }

    /// Refuses a size that the graph cannot do, before anything is computed.
    pub(crate) fn accepts(&self, [rows, columns]: [usize; 2]) -> Result<()> {
        self.part.accepts(&self.latents, 2, "a latent height of", rows)?;
        self.part.accepts(&self.latents, 3, "a latent width of", columns)
    }

    pub(crate) fn decode(&self, latents: &[f32], [batch, _, rows, columns]: [usize; 4]) -> Result<Vec<f32>> {
        let image = self.latent_channels * rows * columns;
        check_size("latents", batch * image, latents.len())?;
        self.accepts([rows, columns])?;
        let together = self.part.together(&self.latents, batch, self.device)?;
        let expected = together * COLOURS * rows * columns * self.upscale * self.upscale;
        let mut pixels = Vec::with_capacity(expected * batch / together);
        for latents in latents.chunks(together * image) {
            let shape = vec![together, self.latent_channels, rows, columns];
            let feed = Feed { port: &self.latents, shape, values: Values::Floats(latents) };
            pixels.extend(self.network.run(vec![feed], &[(&self.output, expected)])?.into_iter().flatten());
        }
        Ok(pixels)
    }
}
