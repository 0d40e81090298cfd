//! What `config.json` says about a CLIP tower.
//!
//! Absent keys have the defaults of transformers' `CLIPTextConfig` and `CLIPVisionConfig` (openai/clip-vit-base-patch32).

use std::path::Path;

use serde_json::json;

use super::bookkeeping::BOOKKEEPING;
use crate::config::ConfigReader;
use crate::error::Result;

/// Gelu variants of the multi-layer perceptrons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(1.702 x)`: OpenAI's models.
    QuickGelu,
    /// By the error function: OpenCLIP's models.
    Gelu,
}

/// The transformer of one tower.
#[derive(Debug, Clone, PartialEq)]
pub struct TowerConfig {
    /// Width of a token.
    pub width: usize,
    /// Width inside the perceptron.
    pub inner: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of heads; divides the width.
    pub heads: usize,
    /// The perceptron's activation.
    pub activation: Activation,
    /// Epsilon of the layer norms.
    pub epsilon: f32,
}

/// Which token stands for the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PooledToken {
    /// The highest id, first occurrence: configs written before the end token's id was corrected say
    /// `eos_token_id = 2`, and transformers keeps their old rule.
    HighestId,
    /// The first token with this id; the first token of all if there is none.
    First(i64),
}

impl PooledToken {
    /// Its position in one row of ids.
    pub fn position(self, ids: &[i64]) -> usize {
        let wanted = match self {
            Self::HighestId => ids.iter().copied().max(),
            Self::First(id) => Some(id),
        };
        ids.iter().position(|&id| Some(id) == wanted).unwrap_or(0)
    }

    /// For each row of `length` ids its position in all of them together.
    pub fn rows(self, ids: &[i64], length: usize) -> Vec<i64> {
        ids.chunks(length).enumerate().map(|(row, ids)| (row * length + self.position(ids)) as i64).collect()
    }
}

/// A text tower.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// The transformer.
    pub tower: TowerConfig,
    /// Number of token ids.
    pub vocabulary: usize,
    /// Tokens in a row.
    pub length: usize,
    /// The token that stands for the row.
    pub pooled: PooledToken,
    /// Width that token is projected to, where the model has a projection of its own (`CLIPTextModelWithProjection`).
    pub projection: Option<usize>,
}

/// A vision tower.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    /// The transformer.
    pub tower: TowerConfig,
    /// Colour channels.
    pub channels: usize,
    /// Side of the square input.
    pub image_size: usize,
    /// Side of a patch.
    pub patch_size: usize,
}

impl TextConfig {
    /// Reads the config of a `CLIPTextModel` or `CLIPTextModelWithProjection`.
    ///
    /// # Errors
    /// An unreadable file, or a value that makes no sense or is not implemented.
    pub fn read(path: &Path) -> Result<Self> {
        let mut reader = ConfigReader::open(path)?;
        let [plain, projecting] = [json!(["CLIPTextModel"]), json!(["CLIPTextModelWithProjection"])];
        let projects = reader.peek("architectures") == Some(&projecting);
        reader.only("architectures", &[plain, projecting])?;
        let projection = reader.size("projection_dim", 512)?;
        Self::take(reader, projects.then_some(projection))
    }

    fn take(mut reader: ConfigReader, projection: Option<usize>) -> Result<Self> {
        let tower = TowerConfig::take(&mut reader, [512, 2048, 12, 8])?;
        reader.only("model_type", &[json!("clip_text_model")])?;
        let eos = reader.take("eos_token_id", "a token id", 49407i64)?;
        let config = Self {
            tower,
            vocabulary: reader.size("vocab_size", 49408)?,
            length: reader.size("max_position_embeddings", 77)?,
            pooled: if eos == 2 { PooledToken::HighestId } else { PooledToken::First(eos) },
            projection,
        };
        reader.finish()?;
        Ok(config)
    }
}

impl VisionConfig {
    /// Reads the config of a `CLIPVisionModelWithProjection`, or the half of a `CLIPModel`'s; gives the projection's width too.
    ///
    /// # Errors
    /// As [`TextConfig::read`].
    pub fn read(path: &Path) -> Result<(Self, usize)> {
        let mut reader = ConfigReader::open(path)?;
        if reader.peek("model_type") == Some(&json!("clip")) {
            return read_clip(path).map(|(_, vision, projection)| (vision, projection));
        }
        reader.only("architectures", &[json!(["CLIPVisionModelWithProjection"])])?;
        let projection = reader.size("projection_dim", 512)?;
        Ok((Self::take(reader)?, projection))
    }

    fn take(mut reader: ConfigReader) -> Result<Self> {
        let tower = TowerConfig::take(&mut reader, [768, 3072, 12, 12])?;
        reader.only("model_type", &[json!("clip_vision_model")])?;
        let config = Self {
            tower,
            channels: reader.size("num_channels", 3)?,
            image_size: reader.size("image_size", 224)?,
            patch_size: reader.size("patch_size", 32)?,
        };
        if config.patch_size > config.image_size {
            return Err(reader.wrong("patch_size", "at most image_size", Some(&json!(config.patch_size))));
        }
        reader.finish()?;
        Ok(config)
    }
}

impl TowerConfig {
    fn take(reader: &mut ConfigReader, [width, inner, layers, heads]: [usize; 4]) -> Result<Self> {
        reader.ignore(BOOKKEEPING);
        let activation = reader.take("hidden_act", "the name of an activation", "quick_gelu".to_owned())?;
        let activation = match activation.as_str() {
            "quick_gelu" => Activation::QuickGelu,
            "gelu" => Activation::Gelu,
            other => {
                return Err(reader.unsupported("hidden_act", &json!(other), &[json!("quick_gelu"), json!("gelu")]));
            }
        };
        let tower = Self {
            width: reader.size("hidden_size", width)?,
            inner: reader.size("intermediate_size", inner)?,
            layers: reader.layers("num_hidden_layers", layers)?,
            heads: reader.size("num_attention_heads", heads)?,
            activation,
            epsilon: reader.take("layer_norm_eps", "a number", 1e-5)?,
        };
        if !tower.width.is_multiple_of(tower.heads) {
            let expected = format!("a divisor of hidden_size {}", tower.width);
            return Err(reader.wrong("num_attention_heads", &expected, Some(&json!(tower.heads))));
        }
        Ok(tower)
    }
}

pub(super) fn read_clip(path: &Path) -> Result<(TextConfig, VisionConfig, usize)> {
    let mut reader = ConfigReader::open(path)?;
    let projection = reader.size("projection_dim", 512)?;
    reader.ignore(BOOKKEEPING);
    reader.only("model_type", &[json!("clip")])?;
    reader.only("architectures", &[json!(["CLIPModel"])])?;
    reader.ignore(&["logit_scale_init_value"]);
    let mut halves = Vec::new();
    for half in ["text_config", "vision_config"] {
        let mut config = reader.object(half)?;
        // Old files say the same twice; transformers lets the second stand.
        config.overlay(reader.object(&format!("{half}_dict"))?);
        config.ignore(&["architectures"]);
        halves.push(config);
    }
    reader.finish()?;
    match <[ConfigReader; 2]>::try_from(halves) {
        Ok([text, vision]) => Ok((TextConfig::take(text, None)?, VisionConfig::take(vision)?, projection)),
        Err(_) => unreachable!("two halves are read above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pooled_token_follows_both_rules() {
        assert_eq!(PooledToken::HighestId.position(&[7, 9, 3, 9]), 1);
        assert_eq!(PooledToken::First(3).position(&[7, 9, 3, 3]), 2);
        assert_eq!(PooledToken::First(5).position(&[7, 9, 3, 3]), 0);
    }
}
