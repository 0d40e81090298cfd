//! What `config.json` says about a `UNet2DConditionModel`.
//!
//! Implemented is the Stable Diffusion 1 and 2 family; the many options that other models added to the same class are
//! pinned to their neutral values, so a model that uses one is refused by the option's name.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::ConfigReader;
use crate::error::Result;

/// A UNet of the Stable Diffusion 1 and 2 family. Lists have one entry for each resolution, finest first.
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
    /// Whether the up block of each resolution attends to the text; coarsest first, as the blocks run.
    pub up_attention: Vec<bool>,
    /// Residual blocks in each down block; up blocks have one more.
    pub layers: Vec<usize>,
    /// Attention heads.
    pub heads: Vec<usize>,
    /// Transformer layers in each attention.
    pub transformer_layers: Vec<usize>,
    /// Whether even the first attention of a transformer layer reads the text.
    pub only_cross_attention: Vec<bool>,
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
}

/// The sinusoidal embedding of a timestep (diffusers' `get_timestep_embedding`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeWaves {
    /// Number of features.
    pub width: usize,
    /// Cosines before sines.
    pub cosine_first: bool,
    /// Subtracted from the number of frequencies in the exponent.
    pub shift: f32,
}

impl TimeWaves {
    /// The features of one timestep.
    ///
    /// Products are rounded to `f32` where torch rounds them; the functions are taken in `f64` and rounded once, which
    /// gives the same bits on every platform and differs from torch by its own rounding at most.
    pub fn features(&self, timestep: f32) -> Vec<f32> {
        let half = self.width / 2;
        let angle = |index: usize| {
            let exponent = (-(10000f64.ln()) as f32 * index as f32) / (half as f32 - self.shift);
            f64::from(timestep * f64::from(exponent).exp() as f32)
        };
        let cosines = (0..half).map(|index| angle(index).cos() as f32);
        let sines = (0..half).map(|index| angle(index).sin() as f32);
        let mut features: Vec<f32> =
            if self.cosine_first { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
        features.resize(self.width, 0.0);
        features
    }
}

impl UnetConfig {
    /// Reads the config.
    ///
    /// # Errors
    /// An unreadable file, or a value that makes no sense or is not implemented.
    pub fn read(path: &Path) -> Result<Self> {
        let mut reader = ConfigReader::open(path)?;
        refuse_options(&mut reader)?;
        let channels: Vec<usize> = reader.take("block_out_channels", "a list of sizes", vec![320, 640, 1280, 1280])?;
        let count = channels.len();
        let groups = reader.size("norm_num_groups", 32)?;
        if count == 0 || channels.iter().any(|&channels| channels == 0 || channels % groups != 0) {
            let expected = format!("a list of multiples of norm_num_groups {groups}");
            return Err(reader.wrong("block_out_channels", &expected, Some(&json!(channels))));
        }
        let down = ["DownBlock2D", "CrossAttnDownBlock2D"];
        let up = ["UpBlock2D", "CrossAttnUpBlock2D"];
        let config = Self {
            sample_size: sample_size(&mut reader)?,
            in_channels: reader.size("in_channels", 4)?,
            out_channels: reader.size("out_channels", 4)?,
            down_attention: block_types(&mut reader, "down_block_types", down, [true, true, true, false], count)?,
            up_attention: block_types(&mut reader, "up_block_types", up, [false, true, true, true], count)?,
            layers: reader.per_block("layers_per_block", count, 2)?,
            heads: heads(&mut reader, &channels)?,
            transformer_layers: reader.per_block("transformer_layers_per_block", count, 1)?,
            only_cross_attention: reader.per_block("only_cross_attention", count, false)?,
            cross_attention_dim: text_width(&mut reader, count)?,
            norm_groups: groups,
            norm_epsilon: reader.take("norm_eps", "a number", 1e-5)?,
            conv_in_kernel: odd(&mut reader, "conv_in_kernel")?,
            conv_out_kernel: odd(&mut reader, "conv_out_kernel")?,
            time_dim: reader.size("time_embedding_dim", channels[0] * 4)?,
            waves: TimeWaves {
                width: channels[0],
                cosine_first: reader.take("flip_sin_to_cos", "true or false", true)?,
                shift: reader.take("freq_shift", "a number", 0.0)?,
            },
            channels,
        };
        reader.finish()?;
        Ok(config)
    }

    /// Latent height and width are multiples of this unless the odd-size form of the graph is used.
    pub fn alignment(&self) -> usize {
        1 << (self.channels.len() - 1)
    }
}

/// Options of the class that are not implemented, pinned to their neutral values, and those without effect here.
fn refuse_options(reader: &mut ConfigReader) -> Result<()> {
    reader.only("_class_name", &[json!("UNet2DConditionModel")])?;
    for key in [
        "addition_embed_type",
        "class_embed_type",
        "cross_attention_norm",
        "encoder_hid_dim",
        "encoder_hid_dim_type",
        "num_attention_heads",
        "num_class_embeds",
        "reverse_transformer_layers_per_block",
        "time_cond_proj_dim",
        "time_embedding_act_fn",
        "timestep_post_act",
    ] {
        reader.only(key, &[Value::Null])?;
    }
    for (key, neutral) in [
        ("attention_type", json!(["default"])),
        ("act_fn", json!(["silu", "swish"])),
        ("center_input_sample", json!([false])),
        ("class_embeddings_concat", json!([false])),
        ("downsample_padding", json!([1])),
        ("dual_cross_attention", json!([false])),
        ("mid_block_scale_factor", json!([1])),
        ("mid_block_type", json!(["UNetMidBlock2DCrossAttn"])),
        ("resnet_out_scale_factor", json!([1])),
        ("resnet_skip_time_act", json!([false])),
        ("resnet_time_scale_shift", json!(["default"])),
        ("time_embedding_type", json!(["positional"])),
    ] {
        reader.only(key, neutral.as_array().map_or(&[], Vec::as_slice))?;
    }
    reader.ignore(&[
        // act only on options refused above
        "addition_embed_type_num_heads",
        "addition_time_embed_dim",
        "projection_class_embeddings_input_dim",
        // read by another kind of middle block only
        "mid_block_only_cross_attention",
        // training
        "dropout",
        // computation is in f32 throughout
        "upcast_attention",
        // the two forms are one here: a 1x1 convolution is a linear layer on the transposed image
        "use_linear_projection",
    ]);
    Ok(())
}

fn sample_size(reader: &mut ConfigReader) -> Result<[usize; 2]> {
    const EXPECTED: &str = "a size, or a height and a width";
    let value: Value = reader.require("sample_size", EXPECTED)?;
    let sizes = match &value {
        Value::Array(_) => serde_json::from_value::<[usize; 2]>(value.clone()).ok(),
        _ => value.as_u64().map(|size| [size as usize; 2]),
    };
    sizes.filter(|sizes| !sizes.contains(&0)).ok_or_else(|| reader.wrong("sample_size", EXPECTED, Some(&value)))
}

/// For each block whether it is the second of the two `kinds`.
fn block_types(
    reader: &mut ConfigReader,
    key: &str,
    kinds: [&str; 2],
    default: [bool; 4],
    count: usize,
) -> Result<Vec<bool>> {
    let names: Option<Vec<String>> = reader.take_optional(key, "a list of block names")?;
    let Some(names) = names else {
        return if count == default.len() {
            Ok(default.to_vec())
        } else {
            Err(reader.wrong(key, &format!("a list of {count} block names"), None))
        };
    };
    if names.len() != count {
        let expected = format!("{count} block names, as block_out_channels has sizes");
        return Err(reader.wrong(key, &expected, Some(&json!(names))));
    }
    names
        .iter()
        .map(|name| kinds.iter().position(|kind| kind == name).map(|kind| kind == 1))
        .collect::<Option<Vec<bool>>>()
        .ok_or_else(|| reader.unsupported(key, &json!(names)))
}

/// `attention_head_dim` is, in this class, the number of heads.
fn heads(reader: &mut ConfigReader, channels: &[usize]) -> Result<Vec<usize>> {
    let heads = reader.per_block("attention_head_dim", channels.len(), 8usize)?;
    if heads.iter().zip(channels).any(|(&heads, &channels)| heads == 0 || channels % heads != 0) {
        let expected = format!("divisors of block_out_channels {channels:?} (it counts heads)");
        return Err(reader.wrong("attention_head_dim", &expected, Some(&json!(heads))));
    }
    Ok(heads)
}

fn text_width(reader: &mut ConfigReader, count: usize) -> Result<usize> {
    let widths = reader.per_block("cross_attention_dim", count, 1280usize)?;
    match widths.as_slice() {
        [first, rest @ ..] if *first > 0 && rest.iter().all(|width| width == first) => Ok(*first),
        _ => Err(reader.unsupported("cross_attention_dim", &json!(widths))),
    }
}

fn odd(reader: &mut ConfigReader, key: &str) -> Result<usize> {
    let kernel = reader.size(key, 3)?;
    if kernel % 2 == 1 { Ok(kernel) } else { Err(reader.unsupported(key, &json!(kernel))) }
}
