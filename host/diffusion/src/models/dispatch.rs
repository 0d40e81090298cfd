//! One call for a network, wherever it comes from: a graph built for its safetensors files, or one that was exported before.
//!
//! A folder that holds both is read as safetensors: those graphs are built for the device at hand, can be read at every layer, take
//! LoRA files, and are what the fidelity table is about. Only where no safetensors file lies is `model.onnx` taken.

use std::path::{Path, PathBuf};

use super::text_encoder::{TextFeatures, TextTap};
use super::unet::Added;
use super::{OnnxFault, ready, text_encoder, unet, vae};
use crate::error::{Error, Result};
use crate::lora::{Adapters, Component};
use crate::session::SessionOptions;

/// A text encoder: transformers' `CLIPTextModel` or `CLIPTextModelWithProjection`.
#[derive(Debug)]
pub struct TextEncoder(Source<text_encoder::TextEncoder, ready::TextEncoder>);

/// A denoiser: diffusers' `UNet2DConditionModel`.
#[derive(Debug)]
pub struct Unet(Source<unet::Unet, ready::Unet>);

/// From latents to pixels: the decoder of diffusers' `AutoencoderKL`.
#[derive(Debug)]
pub struct VaeDecoder(Source<vae::VaeDecoder, ready::VaeDecoder>);

/// Texts as one denoiser reads them. They serve for all steps.
#[derive(Debug, Clone)]
pub struct ProjectedTexts(Source<unet::ProjectedTexts, ready::Texts>);

#[derive(Debug, Clone)]
enum Source<B, R> {
    Built(B),
    Ready(R),
}

/// The same call on either.
macro_rules! either {
    ($source:expr, $network:ident => $call:expr) => {
        match $source {
            Source::Built($network) => $call,
            Source::Ready($network) => $call,
        }
    };
}

/// The folder of the exported graph of `component`, where it has no safetensors files; the VAE's lies in a folder of its own.
pub(crate) fn exported(component: &Path) -> Option<PathBuf> {
    let is_vae = component.file_name().is_some_and(|name| name == "vae");
    let folder = if is_vae { component.with_file_name("vae_decoder") } else { component.to_path_buf() };
    (ready::graph_in(&folder).is_some() && !has_safetensors(component)).then_some(folder)
}

/// Refuses LoRA files for the exported graph in `folder`.
fn refuse_adapters(folder: &Path, adapters: &Adapters) -> Result<()> {
    match Component::of_folder(folder) {
        Some(component) if adapters.touch(component) => {
            let path = ready::graph_in(folder).unwrap_or_else(|| folder.to_path_buf());
            Err(Error::Onnx { path, fault: Box::new(OnnxFault::Adapters) })
        }
        _ => Ok(()),
    }
}

/// Weights, shards of them or the index of shards, in any variant.
fn has_safetensors(folder: &Path) -> bool {
    let is_one = |name: &str| name.contains(".safetensors");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name.to_str().is_some_and(is_one))
}

impl TextEncoder {
    /// Opens `folder`: `config.json` and `model.safetensors`, or `model.onnx`. What can be checked without running it is checked
    /// here, values of weights when a network is first built.
    ///
    /// # Errors
    /// A config that is not implemented, weights that are missing or do not fit it, or a graph of an unknown dialect.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        Ok(Self(match exported(folder) {
            Some(folder) => {
                refuse_adapters(&folder, &options.adapters)?;
                Source::Ready(ready::TextEncoder::load(&folder, options)?)
            }
            None => Source::Built(text_encoder::TextEncoder::load(folder, options)?),
        }))
    }

    /// Tokens in a row; prompts are padded or cut to it.
    pub fn length(&self) -> usize {
        either!(&self.0, network => network.length())
    }

    /// Width of a token's embedding.
    pub fn width(&self) -> usize {
        either!(&self.0, network => network.width())
    }

    /// Layers of the encoder: a tap can leave out as many.
    pub fn layers(&self) -> usize {
        either!(&self.0, network => network.layers())
    }

    /// Width of the pooled embedding; `None` for a `CLIPTextModel`, which has no projection.
    pub fn projection_dim(&self) -> Option<usize> {
        either!(&self.0, network => network.projection_dim())
    }

    /// Builds the network of `tap`, which [`TextEncoder::encode`] would otherwise do the first time.
    ///
    /// # Errors
    /// A tap that this encoder does not have, damaged weights, or a runtime that does not start.
    pub fn prepare(&self, tap: TextTap) -> Result<()> {
        either!(&self.0, network => network.prepare(tap))
    }

    /// Drops all networks, and the memory they hold; the next call builds its own again.
    pub fn release(&self) {
        either!(&self.0, network => network.release());
    }

    /// Reads `batch` rows of token ids, `[batch, length]`, at `tap`.
    ///
    /// # Errors
    /// Wrong size, an id outside the vocabulary, a tap that this encoder does not have, or a failure of the runtime.
    pub fn encode(&self, ids: &[i64], batch: usize, tap: TextTap) -> Result<TextFeatures> {
        either!(&self.0, network => network.encode(ids, batch, tap))
    }
}

impl ProjectedTexts {
    /// Number of texts.
    pub fn count(&self) -> usize {
        match &self.0 {
            Source::Built(texts) => texts.count(),
            Source::Ready(texts) => texts.count,
        }
    }

    /// All texts of `parts`, in that order, for several images in one call.
    ///
    /// # Errors
    /// Texts of different lengths or for different networks.
    pub fn concat(parts: &[&Self]) -> Result<Self> {
        let built: Vec<_> = parts.iter().filter_map(|part| part.built()).collect();
        let ready: Vec<_> = parts.iter().filter_map(|part| part.ready()).collect();
        match (built.as_slice(), ready.as_slice()) {
            (built, []) => Ok(Self(Source::Built(unet::ProjectedTexts::concat(built)?))),
            ([], ready) => Ok(Self(Source::Ready(ready::Texts::concat(ready)?))),
            _ => Err(other_network()),
        }
    }

    fn built(&self) -> Option<&unet::ProjectedTexts> {
        match &self.0 {
            Source::Built(texts) => Some(texts),
            Source::Ready(_) => None,
        }
    }

    fn ready(&self) -> Option<&ready::Texts> {
        match &self.0 {
            Source::Built(_) => None,
            Source::Ready(texts) => Some(texts),
        }
    }
}

impl Unet {
    /// Loads `folder`: `config.json` and `diffusion_pytorch_model.safetensors`, or `model.onnx`.
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, a graph of an unknown dialect, or a runtime that does not
    /// start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        Ok(Self(match exported(folder) {
            Some(folder) => {
                refuse_adapters(&folder, &options.adapters)?;
                Source::Ready(ready::Unet::load(&folder, options)?)
            }
            None => Source::Built(unet::Unet::load(folder, options)?),
        }))
    }

    /// Refuses weights of `folder` that do not fit its config, and LoRA files that do not fit them, without reading any value:
    /// loading would refuse them too.
    ///
    /// # Errors
    /// A config that is not implemented, weights that are missing or do not fit it, the first LoRA file with a layer for none of
    /// them, or LoRA files for a graph that was exported.
    pub fn check(folder: &Path, options: &SessionOptions) -> Result<()> {
        match exported(folder) {
            Some(folder) => refuse_adapters(&folder, &options.adapters),
            None => unet::Unet::check(folder, options),
        }
    }

    /// Height and width of the latents it was trained on.
    pub fn sample_size(&self) -> [usize; 2] {
        either!(&self.0, network => network.sample_size())
    }

    /// Latent channels it reads.
    pub fn in_channels(&self) -> usize {
        either!(&self.0, network => network.in_channels())
    }

    /// Latent channels it predicts.
    pub fn out_channels(&self) -> usize {
        either!(&self.0, network => network.out_channels())
    }

    /// Width of the text embedding it reads.
    pub fn cross_attention_dim(&self) -> usize {
        either!(&self.0, network => network.cross_attention_dim())
    }

    /// Whether it reads a pooled text and sizes beside the tokens.
    pub fn reads_added(&self) -> bool {
        match &self.0 {
            Source::Built(network) => network.config().added.is_some(),
            Source::Ready(network) => network.reads_added(),
        }
    }

    /// Whether it was distilled to read the guidance scale.
    pub fn reads_guidance(&self) -> bool {
        match &self.0 {
            Source::Built(network) => network.config().guidance_width.is_some(),
            Source::Ready(network) => network.reads_guidance(),
        }
    }

    /// Refuses latents of a height and width, or timesteps, that an exported graph cannot do; built ones do all.
    ///
    /// # Errors
    /// The first that is not possible, by number.
    pub fn accepts(&self, latents: [usize; 2], timesteps: &[f32]) -> Result<()> {
        match &self.0 {
            Source::Built(_) => Ok(()),
            Source::Ready(network) => network.accepts(latents, timesteps),
        }
    }

    /// Prepares `count` texts `[count, length, cross_attention_dim]` for [`Unet::predict_under`].
    ///
    /// `added` is for networks that read it (Stable Diffusion XL). `guidance` is the scale, 8.5 say, for those distilled to read it;
    /// without it they add nothing to the time.
    ///
    /// # Errors
    /// Wrong size, conditions that this network does not read, or a failure of the runtime.
    pub fn project_texts(
        &self,
        prompt_embeds: &[f32],
        count: usize,
        added: Option<Added<'_>>,
        guidance: Option<f64>,
    ) -> Result<ProjectedTexts> {
        Ok(ProjectedTexts(match &self.0 {
            Source::Built(network) => Source::Built(network.project_texts(prompt_embeds, count, added, guidance)?),
            Source::Ready(network) => Source::Ready(network.texts(prompt_embeds, count, added, guidance)?),
        }))
    }

    /// Predicts for `sample` of `shape` `[batch, in_channels, height, width]` at one `timestep`, under `prompt_embeds`
    /// `[batch, length, cross_attention_dim]`; gives `[batch, out_channels, height, width]`.
    ///
    /// # Errors
    /// Wrong sizes, or a failure of the runtime.
    pub fn predict(&self, sample: &[f32], shape: [usize; 4], timestep: f32, prompt_embeds: &[f32]) -> Result<Vec<f32>> {
        match &self.0 {
            Source::Built(network) => network.predict(sample, shape, timestep, prompt_embeds),
            Source::Ready(network) => {
                let texts = network.texts(prompt_embeds, shape[0], None, None)?;
                network.predict_under(sample, shape, timestep, &texts)
            }
        }
    }

    /// [`Unet::predict`] under texts prepared before, one for each image of the batch. Of one image, it predicts under each of
    /// the texts and gives `[texts, out_channels, height, width]`: the bits that a batch of copies gives, in less time.
    ///
    /// # Errors
    /// Wrong sizes, texts of another network, a size or timestep that an exported graph cannot do, or a failure of the runtime.
    pub fn predict_under(
        &self,
        sample: &[f32],
        shape: [usize; 4],
        timestep: f32,
        texts: &ProjectedTexts,
    ) -> Result<Vec<f32>> {
        match (&self.0, &texts.0) {
            (Source::Built(network), Source::Built(texts)) => network.predict_under(sample, shape, timestep, texts),
            (Source::Ready(network), Source::Ready(texts)) => network.predict_under(sample, shape, timestep, texts),
            _ => Err(other_network()),
        }
    }
}

impl VaeDecoder {
    /// Loads the folder `vae` (`config.json` and `diffusion_pytorch_model.safetensors`), or `vae_decoder/model.onnx` beside it.
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, a graph of an unknown dialect, or a runtime that does not
    /// start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        Ok(Self(match exported(folder) {
            Some(decoder) => Source::Ready(ready::VaeDecoder::load(&decoder, folder, options)?),
            None => Source::Built(vae::VaeDecoder::load(folder, options)?),
        }))
    }

    /// Refuses weights of `folder` that do not fit its config, without reading any value: loading would refuse them too. A graph that
    /// was exported has its weights in it.
    ///
    /// # Errors
    /// A config that is not implemented, or weights that are missing or do not fit it.
    pub fn check(folder: &Path, options: &SessionOptions) -> Result<()> {
        match exported(folder) {
            Some(_) => Ok(()),
            None => vae::VaeDecoder::check(folder, options),
        }
    }

    /// What the denoiser's latents are divided by before decoding.
    pub fn scaling_factor(&self) -> f32 {
        either!(&self.0, network => network.scaling_factor())
    }

    /// Turns latents as the denoiser leaves them, `shape` `[batch, latent_channels, height, width]`, into those that
    /// [`VaeDecoder::decode`] takes; with `statistics`, by the mean and deviation of each channel where the config has them.
    ///
    /// # Errors
    /// Wrong size.
    pub fn unscale(&self, latents: &mut [f32], shape: [usize; 4], statistics: bool) -> Result<()> {
        either!(&self.0, network => network.unscale(latents, shape, statistics))
    }

    /// Channels of a latent.
    pub fn latent_channels(&self) -> usize {
        either!(&self.0, network => network.latent_channels())
    }

    /// Pixels for each latent, in each direction.
    pub fn upscale(&self) -> usize {
        either!(&self.0, network => network.upscale())
    }

    /// Refuses latents of a height and width that an exported graph cannot do; built ones do all.
    ///
    /// # Errors
    /// The side that is not possible, by number.
    pub fn accepts(&self, latents: [usize; 2]) -> Result<()> {
        match &self.0 {
            Source::Built(_) => Ok(()),
            Source::Ready(network) => network.accepts(latents),
        }
    }

    /// Decodes `latents` of `shape` `[batch, latent_channels, height, width]`, already scaled and shifted; gives
    /// `[batch, 3, upscale * height, upscale * width]`, nominally in [-1, 1].
    ///
    /// # Errors
    /// Wrong size, a size that an exported graph cannot do, or a failure of the runtime.
    pub fn decode(&self, latents: &[f32], shape: [usize; 4]) -> Result<Vec<f32>> {
        either!(&self.0, network => network.decode(latents, shape))
    }
}

fn other_network() -> Error {
    Error::Conditioning { network: "the UNet", why: "was given texts that another network prepared".to_owned() }
}
