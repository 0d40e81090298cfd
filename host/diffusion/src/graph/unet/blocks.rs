//! The blocks of the UNet.

use super::{Attention, Context, Features, Middle};
use crate::error::Result;
use crate::graph::layers::{ConvShape, GroupNorm, Net};
use crate::onnx::{Attribute, Tensor};

/// Fixed in diffusers' `Transformer2DModel`, whatever the config says about the other norms.
const TRANSFORMER_GROUP_EPSILON: f32 = 1e-6;
/// torch's default, used by `BasicTransformerBlock`.
const LAYER_NORM_EPSILON: f32 = 1e-5;

/// `DownBlock2D` or `CrossAttnDownBlock2D`.
pub(super) fn down(
    net: &mut Net<'_>,
    context: &mut Context<'_>,
    block: usize,
    mut x: Features,
    skips: &mut Vec<Features>,
) -> Result<Features> {
    let config = context.config;
    let at = format!("down_blocks.{block}");
    for layer in 0..config.layers[block] {
        x = residual(net, context, &format!("{at}.resnets.{layer}"), &x, config.channels[block])?;
        if config.down_attention[block] {
            let kind = config.attention(block, config.down_depths[block][layer]);
            x = transformer(net, context, &format!("{at}.attentions.{layer}"), x, kind)?;
        }
        skips.push(x.clone());
    }
    if block + 1 < config.channels.len() {
        net.at_pixels(context.pixels(block + 1));
        let halving = ConvShape { kernel: 3, stride: 2, padding: 1, bias: true };
        x.value = net.conv(&format!("{at}.downsamplers.0.conv"), &x.value, [x.channels; 2], halving)?;
        skips.push(x.clone());
    }
    Ok(x)
}

/// The middle block, if there is one.
pub(super) fn middle(net: &mut Net<'_>, context: &mut Context<'_>, x: Features) -> Result<Features> {
    let config = context.config;
    if config.middle == Middle::None {
        return Ok(x);
    }
    let channels = x.channels;
    let x = residual(net, context, "mid_block.resnets.0", &x, channels)?;
    if config.middle == Middle::Residual {
        return Ok(x);
    }
    // diffusers does not hand `only_cross_attention` to this block.
    let attention = Attention { only_cross: false, ..config.attention(config.channels.len() - 1, config.middle_depth) };
    let x = transformer(net, context, "mid_block.attentions.0", x, attention)?;
    residual(net, context, "mid_block.resnets.1", &x, channels)
}

/// `UpBlock2D` or `CrossAttnUpBlock2D`; `block` 0 is the coarsest.
pub(super) fn up(
    net: &mut Net<'_>,
    context: &mut Context<'_>,
    block: usize,
    mut x: Features,
    skips: &mut Vec<Features>,
    aligned: bool,
) -> Result<Features> {
    let config = context.config;
    let resolution = config.channels.len() - 1 - block;
    let at = format!("up_blocks.{block}");
    for layer in 0..=config.layers[resolution] {
        // The stack holds one entry for each of these reads: both sides count `layers + 1` a block.
        if let Some(skip) = skips.pop() {
            let shared = x.shared && skip.shared;
            let [value, remembered] = [&x, &skip].map(|half| {
                if half.shared && !shared { context.text.spread(net, &half.value, 4) } else { half.value.clone() }
            });
            let value = net.graph.op("Concat", &[&value, &remembered], &[("axis", Attribute::Int(1))]);
            x = Features { value, channels: x.channels + skip.channels, shared };
        }
        x = residual(net, context, &format!("{at}.resnets.{layer}"), &x, config.channels[resolution])?;
        if config.up_attention[block] {
            let kind = config.attention(resolution, config.up_depths[block][layer]);
            x = transformer(net, context, &format!("{at}.attentions.{layer}"), x, kind)?;
        }
    }
    if resolution > 0 {
        let conv = format!("{at}.upsamplers.0.conv");
        net.at_pixels(context.pixels(resolution - 1));
        x.value = match skips.last().filter(|_| !aligned) {
            None => net.upsample_conv(&conv, &x.value, [x.channels; 2])?,
            Some(skip) => {
                let larger = net.upsample_to(&x.value, &skip.value);
                net.conv(&conv, &larger, [x.channels; 2], ConvShape::same(3))?
            }
        };
    }
    Ok(x)
}

/// `ResnetBlock2D` with the time added between its halves.
fn residual(net: &mut Net<'_>, context: &mut Context<'_>, at: &str, x: &Features, channels: usize) -> Result<Features> {
    let config = context.config;
    let norm = GroupNorm { groups: config.norm_groups, epsilon: config.norm_epsilon };
    let h = net.group_norm(&format!("{at}.norm1"), &x.value, x.channels, norm)?;
    let h = net.silu(&h);
    let h = net.conv(&format!("{at}.conv1"), &h, [channels, x.channels], ConvShape::same(3))?;
    let time = net.linear(&format!("{at}.time_emb_proj"), &context.time, config.time_dim, channels, true)?;
    let time = net.reshape(&time, &[-1, channels as i64, 1, 1]);
    let h = net.add(&h, &time);
    // The times of several texts make one image several.
    let shared = x.shared && config.conditions_width() == 0;
    let h = net.group_norm(&format!("{at}.norm2"), &h, channels, norm)?;
    let h = net.silu(&h);
    let h = net.conv(&format!("{at}.conv2"), &h, [channels; 2], ConvShape::same(3))?;
    let straight = if x.channels == channels {
        x.value.clone()
    } else {
        net.conv(&format!("{at}.conv_shortcut"), &x.value, [channels, x.channels], ConvShape::same(1))?
    };
    Ok(Features { value: net.add(&straight, &h), channels, shared })
}

/// `Transformer2DModel`: the image as a sequence of pixels, through transformer layers, added back.
fn transformer(
    net: &mut Net<'_>,
    context: &mut Context<'_>,
    at: &str,
    x: Features,
    kind: Attention,
) -> Result<Features> {
    let Features { value, channels, shared } = x;
    let norm = GroupNorm { groups: context.config.norm_groups, epsilon: TRANSFORMER_GROUP_EPSILON };
    let h = net.group_norm(&format!("{at}.norm"), &value, channels, norm)?;
    let h = net.to_sequence(&h, channels);
    let mut h = net.pixel_linear(&format!("{at}.proj_in"), &h, [channels, channels], true)?;
    for layer in 0..kind.layers {
        let x = Features { value: h, channels, shared: shared && layer == 0 };
        h = transformer_layer(net, context, &format!("{at}.transformer_blocks.{layer}"), x, kind)?;
    }
    let h = net.pixel_linear(&format!("{at}.proj_out"), &h, [channels, channels], true)?;
    let h = net.to_image(&h, &value);
    Ok(Features { value: net.add(&h, &value), channels, shared: shared && kind.layers == 0 })
}

/// `BasicTransformerBlock` on a sequence: attention to the image, attention to the text, a gated perceptron.
fn transformer_layer(
    net: &mut Net<'_>,
    context: &mut Context<'_>,
    at: &str,
    x: Features,
    kind: Attention,
) -> Result<Tensor> {
    let Features { value: mut x, channels: width, mut shared } = x;
    for (norm, attention, cross) in [("norm1", "attn1", kind.only_cross), ("norm2", "attn2", true)] {
        let normal = net.layer_norm(&format!("{at}.{norm}"), &x, width, LAYER_NORM_EPSILON)?;
        let at = format!("{at}.{attention}");
        let mut q = net.pixel_linear(&format!("{at}.to_q"), &normal, [width, width], false)?;
        let (k, v) = if cross {
            if shared {
                q = context.text.spread(net, &q, 3);
                shared = false;
            }
            context.text.keys_and_values(net, &at, width)
        } else {
            let k = net.pixel_linear(&format!("{at}.to_k"), &normal, [width, width], false)?;
            (k, net.pixel_linear(&format!("{at}.to_v"), &normal, [width, width], false)?)
        };
        let mixed = if kind.upcast {
            net.attention_in_f32([&q, &k, &v], kind.heads)
        } else {
            net.attention([&q, &k, &v], kind.heads, false)
        };
        let mixed = net.pixel_linear(&format!("{at}.to_out.0"), &mixed, [width, width], true)?;
        x = net.add(&mixed, &x);
    }
    let normal = net.layer_norm(&format!("{at}.norm3"), &x, width, LAYER_NORM_EPSILON)?;
    // The projection's rows are the values and then the gates: two products need no splitting of their result.
    let (inner, shape) = (4 * width, [8 * width, width]);
    let values = net.linear_part(&format!("{at}.ff.net.0.proj"), &normal, shape, 0, inner)?;
    let gates = net.linear_part(&format!("{at}.ff.net.0.proj"), &normal, shape, inner, inner)?;
    let gates = net.gelu(&gates);
    let h = net.mul(&values, &gates);
    let h = net.pixel_linear(&format!("{at}.ff.net.2"), &h, [width, inner], true)?;
    Ok(net.add(&h, &x))
}
