//! The decoder of diffusers' `AutoencoderKL`.

use std::path::Path;

use serde_json::json;

use crate::config::ConfigReader;
use crate::error::Result;
use crate::graph::layers::{ConvShape, GroupNorm, Net};
use crate::onnx::{Dim, Tensor};
use crate::session::Precision;
use crate::weights::Weights;

/// Fixed in diffusers for every norm of the class.
const EPSILON: f32 = 1e-6;

/// What `config.json` says about the decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct VaeConfig {
    /// Channels of a latent.
    pub latent_channels: usize,
    /// Channels of an image.
    pub out_channels: usize,
    /// Channels of each resolution, finest first.
    pub channels: Vec<usize>,
    /// Residual blocks of the encoder at each resolution; the decoder has one more.
    pub layers: usize,
    /// Groups of the norms.
    pub norm_groups: usize,
    /// Whether the middle block attends.
    pub mid_attention: bool,
    /// Whether a 1x1 convolution comes first.
    pub post_quant_conv: bool,
    /// What the denoiser's latents are divided by before decoding.
    pub scaling_factor: f32,
    /// What they are multiplied by before the division and what is added after it, for each channel, by pipelines that look at it.
    pub statistics: Option<ChannelStatistics>,
    /// Whether values may exceed the range of half precision, so that pipelines in it decode in `f32`.
    pub force_upcast: bool,
}

/// Deviation and mean of each latent channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelStatistics {
    /// `latents_mean`.
    pub mean: Vec<f32>,
    /// `latents_std`.
    pub deviation: Vec<f32>,
}

impl VaeConfig {
    /// Reads the config.
    ///
    /// # Errors
    /// An unreadable file, or a value that makes no sense or is not implemented.
    pub fn read(path: &Path) -> Result<Self> {
        let mut reader = ConfigReader::open(path)?;
        reader.only("_class_name", &[json!("AutoencoderKL")])?;
        reader.only("act_fn", &[json!("silu"), json!("swish")])?;
        // the encoder, sizes that bind nobody, and what none of these pipelines looks at
        reader.ignore(&["down_block_types", "use_quant_conv", "in_channels", "sample_size", "shift_factor"]);
        let latent_channels = reader.size("latent_channels", 4)?;
        let groups = reader.size("norm_num_groups", 32)?;
        let channels = reader.channels(groups, vec![64])?;
        let blocks = vec!["UpDecoderBlock2D"; channels.len()];
        reader.only("up_block_types", &[json!(blocks)])?;
        let config = Self {
            latent_channels,
            out_channels: reader.size("out_channels", 3)?,
            channels,
            layers: reader.layers("layers_per_block", 1)?,
            norm_groups: groups,
            mid_attention: reader.take("mid_block_add_attention", "true or false", true)?,
            post_quant_conv: reader.take("use_post_quant_conv", "true or false", true)?,
            scaling_factor: divisor(&mut reader)?,
            statistics: statistics(&mut reader, latent_channels)?,
            // Where it is absent (files older than the option), nothing is known to exceed the range.
            force_upcast: reader.take("force_upcast", "true or false", false)?,
        };
        reader.finish()?;
        Ok(config)
    }

    /// Pixels for each latent, in each direction.
    pub fn upscale(&self) -> usize {
        1 << (self.channels.len() - 1)
    }
}

/// `scaling_factor`, by which latents are divided.
fn divisor(reader: &mut ConfigReader) -> Result<f32> {
    const KEY: &str = "scaling_factor";
    const EXPECTED: &str = "a number above 0";
    let factor: f32 = reader.take(KEY, EXPECTED, 0.18215)?;
    if factor.is_finite() && factor > 0.0 { Ok(factor) } else { Err(reader.wrong(KEY, EXPECTED, Some(&json!(factor)))) }
}

/// diffusers uses `latents_mean` and `latents_std` only where both are given.
fn statistics(reader: &mut ConfigReader, channels: usize) -> Result<Option<ChannelStatistics>> {
    let mut list = |key| {
        let expected = format!("a list of {channels} numbers, one for each latent channel");
        let values: Option<Vec<f32>> = reader.take_optional(key, &expected)?;
        match values {
            Some(values) if values.len() != channels => Err(reader.wrong(key, &expected, Some(&json!(values)))),
            values => Ok(values),
        }
    };
    let (mean, deviation) = (list("latents_mean")?, list("latents_std")?);
    Ok(mean.zip(deviation).map(|(mean, deviation)| ChannelStatistics { mean, deviation }))
}

/// The graph. Input `latents` `[batch, latent_channels, height, width]`, already scaled; output `image`
/// `[batch, out_channels, upscale * height, upscale * width]`, nominally in [-1, 1].
///
/// # Errors
/// Weights that do not fit the config.
pub fn vae_decoder(config: &VaeConfig, precision: Precision, weights: &mut Weights) -> Result<Vec<u8>> {
    let mut net = Net::new(weights, precision);
    let dims = [Dim::Named("batch"), Dim::Fixed(config.latent_channels), Dim::Named("height"), Dim::Named("width")];
    let mut x = net.input("latents", &dims);
    if config.post_quant_conv {
        x = net.conv("post_quant_conv", &x, [config.latent_channels; 2], ConvShape::same(1))?;
    }
    let norm = GroupNorm { groups: config.norm_groups, epsilon: EPSILON };
    let coarsest = config.channels.len() - 1;
    let mut channels = config.channels[coarsest];
    x = net.conv("decoder.conv_in", &x, [channels, config.latent_channels], ConvShape::same(3))?;
    x = residual(&mut net, "decoder.mid_block.resnets.0", &x, [channels; 2], norm)?;
    if config.mid_attention {
        x = attention(&mut net, "decoder.mid_block.attentions.0", &x, channels, norm)?;
    }
    x = residual(&mut net, "decoder.mid_block.resnets.1", &x, [channels; 2], norm)?;
    for (block, &next) in config.channels.iter().rev().enumerate() {
        let at = format!("decoder.up_blocks.{block}");
        for layer in 0..=config.layers {
            x = residual(&mut net, &format!("{at}.resnets.{layer}"), &x, [next, channels], norm)?;
            channels = next;
        }
        if block < coarsest {
            x = net.upsample_conv(&format!("{at}.upsamplers.0.conv"), &x, [channels; 2])?;
        }
    }
    x = net.group_norm("decoder.conv_norm_out", &x, channels, norm)?;
    x = net.silu(&x);
    x = net.conv("decoder.conv_out", &x, [config.out_channels, channels], ConvShape::same(3))?;
    net.output("image", &x);
    Ok(net.graph.finish("vae decoder"))
}

/// `ResnetBlock2D` without a time; `channels` is `[output, input]`.
fn residual(net: &mut Net<'_>, at: &str, x: &Tensor, channels: [usize; 2], norm: GroupNorm) -> Result<Tensor> {
    let [output, input] = channels;
    // Declared first and last in the sum, it is what the runtime computes first: the image before it, at the finest resolution the
    // largest of all, is then not kept in two layouts while the other branch is computed. The bits are the same.
    let straight = if input == output {
        None
    } else {
        Some(net.conv(&format!("{at}.conv_shortcut"), x, channels, ConvShape::same(1))?)
    };
    let h = net.group_norm(&format!("{at}.norm1"), x, input, norm)?;
    let h = net.silu(&h);
    let h = net.conv(&format!("{at}.conv1"), &h, channels, ConvShape::same(3))?;
    let h = net.group_norm(&format!("{at}.norm2"), &h, output, norm)?;
    let h = net.silu(&h);
    let h = net.conv(&format!("{at}.conv2"), &h, [output; 2], ConvShape::same(3))?;
    Ok(match straight {
        Some(straight) => net.add(&h, &straight),
        None => net.add(x, &h),
    })
}

/// One head over all pixels.
fn attention(net: &mut Net<'_>, at: &str, x: &Tensor, channels: usize, norm: GroupNorm) -> Result<Tensor> {
    // Checkpoints from before diffusers 0.17 name the projections differently.
    let old = net.weights.contains(&format!("{at}.query.weight"));
    let names = if old { ["query", "key", "value", "proj_attn"] } else { ["to_q", "to_k", "to_v", "to_out.0"] };
    let h = net.group_norm(&format!("{at}.group_norm"), x, channels, norm)?;
    let h = net.to_sequence(&h, channels);
    let mut project = |name: &str, h: &Tensor| net.linear(&format!("{at}.{name}"), h, channels, channels, true);
    let (q, k, v) = (project(names[0], &h)?, project(names[1], &h)?, project(names[2], &h)?);
    let mixed = net.attention([&q, &k, &v], 1, false);
    let mixed = net.linear(&format!("{at}.{}", names[3]), &mixed, channels, channels, true)?;
    let mixed = net.to_image(&mixed, x);
    Ok(net.add(&mixed, x))
}
