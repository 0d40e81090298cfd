//! What `config.json` says about a `UNet2DConditionModel`.

use std::path::Path;

use super::TimeWaves;
use super::options;
use crate::config::{ConfigReader, MOST_LAYERS};
use crate::error::Result;

/// A UNet of the Stable Diffusion families. Lists have one entry for each resolution, finest first.
#[derive(Debug, Clone, PartialEq)]
pub struct UnetConfig {
    /// Height and width of the latents it was trained on.
    pub sample_size: [usize; 2],
    /// Latent channels in.
    pub in_channels: usize,
    /// Latent channels out.
    pub out_channels: usize,
    /// Channels of each resolution.
    pub channels: Vec<usize>,
    /// Whether the down block of each resolution attends to the text.
    pub down_attention: Vec<bool>,
    /// The middle block.
    pub middle: Middle,
    /// Whether the up block of each resolution attends to the text; coarsest first, as the blocks run.
    pub up_attention: Vec<bool>,
    /// Residual blocks in each down block; up blocks have one more.
    pub layers: Vec<usize>,
    /// Attention heads.
    pub heads: Vec<usize>,
    /// Transformer layers in each attention of each down block.
    pub down_depths: Vec<Vec<usize>>,
    /// Transformer layers of the middle block's attention.
    pub middle_depth: usize,
    /// Transformer layers in each attention of each up block; coarsest first.
    pub up_depths: Vec<Vec<usize>>,
    /// Whether even the first attention of a transformer layer reads the text.
    pub only_cross_attention: Vec<bool>,
    /// Whether attention is computed in `f32` in a network of half precision.
    pub upcast_attention: bool,
    /// Width of the text embedding.
    pub cross_attention_dim: usize,
    /// Groups of the group norms.
    pub norm_groups: usize,
    /// Epsilon of the residual blocks' norms.
    pub norm_epsilon: f32,
    /// Kernel of the first convolution.
    pub conv_in_kernel: usize,
    /// Kernel of the last convolution.
    pub conv_out_kernel: usize,
    /// Width of the time embedding.
    pub time_dim: usize,
    /// How a timestep becomes waves.
    pub waves: TimeWaves,
    /// Pooled text and sizes that are added to the time embedding (Stable Diffusion XL).
    pub added: Option<AddedConditions>,
    /// Width of the guidance scale's embedding, which is added to the timestep's waves (distilled models).
    pub guidance_width: Option<usize>,
}

/// The kind of a middle block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Middle {
    /// There is none.
    None,
    /// `UNetMidBlock2D`: one residual block.
    Residual,
    /// `UNetMidBlock2DCrossAttn`: attention between two residual blocks.
    CrossAttention,
}

/// `addition_embed_type` `text_time`: a pooled text embedding and the waves of sizes and crops, side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddedConditions {
    /// How each number becomes waves.
    pub waves: TimeWaves,
    /// Width of everything together.
    pub width: usize,
}

impl UnetConfig {
    /// Reads the config.
    ///
    /// # Errors
    /// An unreadable file, or a value that makes no sense or is not implemented.
    pub fn read(path: &Path) -> Result<Self> {
        let mut reader = ConfigReader::open(path)?;
        options::refuse(&mut reader)?;
        let groups = reader.size("norm_num_groups", 32)?;
        let channels = reader.channels(groups, vec![320, 640, 1280, 1280])?;
        let count = channels.len();
        let down = ["DownBlock2D", "CrossAttnDownBlock2D"];
        let up = ["UpBlock2D", "CrossAttnUpBlock2D"];
        let waves = TimeWaves {
            width: channels[0],
            cosine_first: reader.take("flip_sin_to_cos", "true or false", true)?,
            shift: reader.take("freq_shift", "a number", 0.0)?,
        };
        let layers = reader.numbers("layers_per_block", count, MOST_LAYERS, 2)?;
        let depths = options::depths(&mut reader, &layers)?;
        let added = options::added(&mut reader)?;
        let config = Self {
            sample_size: options::sample_size(&mut reader)?,
            in_channels: reader.size("in_channels", 4)?,
            out_channels: reader.size("out_channels", 4)?,
            down_attention: options::block_types(
                &mut reader,
                "down_block_types",
                down,
                [true, true, true, false],
                count,
            )?,
            middle: options::middle(&mut reader)?,
            up_attention: options::block_types(&mut reader, "up_block_types", up, [false, true, true, true], count)?,
            layers,
            heads: options::heads(&mut reader, &channels)?,
            down_depths: depths.down,
            middle_depth: depths.middle,
            up_depths: depths.up,
            only_cross_attention: reader.per_block("only_cross_attention", count, false)?,
            upcast_attention: reader.take("upcast_attention", "true or false", false)?,
            cross_attention_dim: options::text_width(&mut reader, count)?,
            norm_groups: groups,
            norm_epsilon: reader.take("norm_eps", "a number", 1e-5)?,
            conv_in_kernel: options::odd(&mut reader, "conv_in_kernel")?,
            conv_out_kernel: options::odd(&mut reader, "conv_out_kernel")?,
            time_dim: reader.size("time_embedding_dim", channels[0] * 4)?,
            waves,
            added: added.map(|(wave, width)| AddedConditions { waves: TimeWaves { width: wave, ..waves }, width }),
            guidance_width: options::guidance_width(&mut reader)?,
            channels,
        };
        reader.finish()?;
        Ok(config)
    }

    /// Latent height and width are multiples of this unless the odd-size form of the graph is used.
    pub fn alignment(&self) -> usize {
        1 << (self.channels.len() - 1)
    }

    /// Values for each text that join the time embedding: 0 where the time is all there is.
    pub fn conditions_width(&self) -> usize {
        self.guidance_width.map_or(0, |_| self.waves.width) + self.added.map_or(0, |_| self.time_dim)
    }
}
