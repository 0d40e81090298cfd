//! The text encoders of Stable Diffusion: transformers' `CLIPTextModel` and `CLIPTextModelWithProjection`.
//!
//! Pipelines read an encoder at different places: the last layer, one before it, with or without the final norm, and the
//! pooled embedding beside it. What a call wants is its [`TextTap`]; each tap that is asked for has a graph of its own, which
//! leaves out what nothing reads. It is built on first use, or before by [`TextEncoder::prepare`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{check_ids, check_size};
use crate::error::{Error, Result};
use crate::graph::clip::{HiddenState, TextConfig, TextOutputs, text_tower};
use crate::lora::Component;
use crate::session::{Data, Input, Network, SessionOptions};
use crate::weights::Weights;

/// What is read from the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TextTap {
    /// Layers left out at the end: 0 reads the last one.
    pub skip: usize,
    /// Whether the final norm is applied to the hidden state.
    pub norm: bool,
    /// Whether the pooled embedding is read too: the end token after all layers and the final norm, projected.
    pub pooled: bool,
}

impl Default for TextTap {
    /// The normed last layer, without pooling: what Stable Diffusion 1 and 2 read.
    fn default() -> Self {
        Self { skip: 0, norm: true, pooled: false }
    }
}

/// What an encoder makes of rows of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct TextFeatures {
    /// `[batch, length, width]`.
    pub hidden: Vec<f32>,
    /// `[batch, projection]`, where the tap asks for it.
    pub pooled: Option<Vec<f32>>,
}

/// Some encoders were saved with all of the CLIP model that they come from.
const OTHER_HALF: [&str; 4] = ["vision_model.", "visual_projection.", "text_projection.", "logit_scale"];

/// A text encoder.
#[derive(Debug)]
pub struct TextEncoder {
    config: TextConfig,
    folder: PathBuf,
    options: SessionOptions,
    /// One network for each tap in use.
    networks: Mutex<Vec<(TextTap, Arc<Network>)>>,
}

impl TextEncoder {
    /// Opens `folder` (`config.json` and `model.safetensors`): names and shapes of the weights are checked here, their values
    /// when the first network is built.
    ///
    /// # Errors
    /// A config that is not implemented, or weights that are missing or do not fit it.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let config = TextConfig::read(&folder.join("config.json"))?;
        let mut weights = weights(folder, options)?;
        let everything = TextOutputs {
            hidden: Some(HiddenState { layer: config.tower.layers, norm: true }),
            projection: config.projection,
        };
        text_tower(&config, everything, options.precision, false, &mut weights)?;
        weights.refuse_extra(&[], &OTHER_HALF)?;
        Ok(Self { config, folder: folder.to_path_buf(), options: options.clone(), networks: Mutex::default() })
    }

    /// Tokens in a row; prompts are padded or cut to it.
    pub fn length(&self) -> usize {
        self.config.length
    }

    /// Width of a token's embedding.
    pub fn width(&self) -> usize {
        self.config.tower.width
    }

    /// Layers of the encoder: a tap can leave out as many.
    pub fn layers(&self) -> usize {
        self.config.tower.layers
    }

    /// Width of the pooled embedding; `None` for a `CLIPTextModel`, which has no projection.
    pub fn projection_dim(&self) -> Option<usize> {
        self.config.projection
    }

    /// Builds the network of `tap`, which [`TextEncoder::encode`] would otherwise do the first time.
    ///
    /// # Errors
    /// A tap that this encoder does not have, damaged weights, or a runtime that does not start.
    pub fn prepare(&self, tap: TextTap) -> Result<()> {
        self.network(tap).map(|_| ())
    }

    /// Drops all networks, and the memory they hold; the next call builds its own again.
    pub fn release(&self) {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Reads `batch` rows of token ids, `[batch, length]`, at `tap`.
    ///
    /// # Errors
    /// Wrong size, an id outside the vocabulary, a tap that this encoder does not have, or a failure of the runtime.
    pub fn encode(&self, ids: &[i64], batch: usize, tap: TextTap) -> Result<TextFeatures> {
        let TextConfig { length, vocabulary, pooled, .. } = self.config;
        check_size("token ids", batch * length, ids.len())?;
        check_ids(ids, vocabulary)?;
        let network = self.network(tap)?;
        let hidden = ids.len() * self.config.tower.width;
        let ids_input = Input { name: "ids", shape: &[batch, length], data: Data::I64(ids) };
        let Some(projection) = self.config.projection.filter(|_| tap.pooled) else {
            return Ok(TextFeatures { hidden: network.run(&[ids_input], hidden)?, pooled: None });
        };
        let rows = pooled.rows(ids, length);
        let pooled = Input { name: "pooled", shape: &[batch], data: Data::I64(&rows) };
        let [hidden, pooled] = network.run_all(&[ids_input, pooled], [hidden, batch * projection])?;
        Ok(TextFeatures { hidden, pooled: Some(pooled) })
    }

    fn network(&self, tap: TextTap) -> Result<Arc<Network>> {
        // Held while a network is built: whoever asks for the same one meanwhile waits for it.
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, network)) = networks.iter().find(|(known, _)| *known == tap) {
            return Ok(Arc::clone(network));
        }
        let mut weights = weights(&self.folder, &self.options)?;
        let in_place = self.options.keeps_in_place(&weights);
        let model = text_tower(&self.config, self.outputs(tap)?, self.options.precision, in_place, &mut weights)?;
        let network = Arc::new(Network::load("the text encoder", &model, &weights, &self.options)?);
        networks.push((tap, Arc::clone(&network)));
        Ok(network)
    }

    fn outputs(&self, tap: TextTap) -> Result<TextOutputs> {
        let layers = self.config.tower.layers;
        let layer = layers.checked_sub(tap.skip).ok_or(Error::SkippedLayers { skip: tap.skip, layers })?;
        if tap.pooled && self.config.projection.is_none() {
            return Err(Error::NoProjection { folder: self.folder.clone() });
        }
        let hidden = Some(HiddenState { layer, norm: tap.norm });
        Ok(TextOutputs { hidden, projection: self.config.projection.filter(|_| tap.pooled) })
    }
}

/// With what LoRA files add for the encoder that lies in a folder of this name.
fn weights(folder: &Path, options: &SessionOptions) -> Result<Weights> {
    let weights = Weights::open_for(folder, "model", options.precision)?;
    match Component::of_folder(folder) {
        Some(component) => weights.adapt(&options.adapters, component),
        None => Ok(weights),
    }
}
