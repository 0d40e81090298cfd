//! The text encoder of Stable Diffusion: transformers' `CLIPTextModel`, without pooling.

use std::path::Path;

use super::{check_ids, check_size};
use crate::error::Result;
use crate::graph::clip::{TextConfig, TextOutput, text_tower};
use crate::session::{Data, Input, Network, SessionOptions};
use crate::weights::Weights;

/// A loaded text encoder.
#[derive(Debug)]
pub struct TextEncoder {
    config: TextConfig,
    network: Network,
}

impl TextEncoder {
    /// Loads `folder` (`config.json` and `model.safetensors`).
    ///
    /// # Errors
    /// A config that is not implemented, damaged or unfitting weights, or a runtime that does not start.
    pub fn load(folder: &Path, options: &SessionOptions) -> Result<Self> {
        let config = TextConfig::read(&folder.join("config.json"))?;
        let mut weights = Weights::open(folder, "model")?;
        let model = text_tower(&config, TextOutput::Hidden, &mut weights)?;
        let network = Network::load("the text encoder", &model, &weights, options)?;
        Ok(Self { config, network })
    }

    /// Tokens in a row; prompts are padded or cut to it.
    pub fn length(&self) -> usize {
        self.config.length
    }

    /// Width of a token's embedding.
    pub fn width(&self) -> usize {
        self.config.tower.width
    }

    /// Embeds `batch` rows of token ids, `[batch, length]`; gives `[batch, length, width]` after the final norm.
    ///
    /// # Errors
    /// Wrong size, an id outside the vocabulary, or a failure of the runtime.
    pub fn encode(&self, ids: &[i64], batch: usize) -> Result<Vec<f32>> {
        let shape = [batch, self.config.length];
        check_size("token ids", shape.iter().product(), ids.len())?;
        check_ids(ids, self.config.vocabulary)?;
        let input = Input { name: "ids", shape: &shape, data: Data::I64(ids) };
        self.network.run(&[input], ids.len() * self.config.tower.width)
    }
}
