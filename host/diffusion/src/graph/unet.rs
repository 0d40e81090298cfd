//! diffusers' `UNet2DConditionModel`, as Stable Diffusion 1, 2 and XL and the models distilled from them use it.
//!
//! Down blocks halve the resolution and remember their results, a middle block mixes the coarsest, up blocks double the
//! resolution and read what was remembered, last first. Every residual block sees the timestep, attention sees the text.
//!
//! Two things are computed once instead of many times; the bits are the same. The keys and values of the text are a graph of
//! their own ([`unet_text`]), because they stay the same over the steps: 3 % of a small evaluation. And a single image may
//! be given several texts, as guidance does: until it first meets them, there is only one image (7 %). In Stable Diffusion XL and
//! models distilled with guidance, a text adds to the time embedding too ([`UnetConfig::conditions_width`]), so an image meets it
//! in its first residual block; that addition is computed once as well.

mod blocks;
mod config;
mod options;
mod text;
mod waves;

pub use config::{AddedConditions, Middle, UnetConfig};
pub use text::{TextLayer, text_width, unet_text};
pub use waves::{TimeWaves, guidance_features};

use crate::error::Result;
use crate::graph::layers::{ConvShape, GroupNorm, Net};
use crate::onnx::{Dim, Tensor};
use crate::session::Precision;
use crate::weights::Weights;
use text::Text;

/// An image and its channels.
#[derive(Clone)]
struct Features {
    value: Tensor,
    channels: usize,
    /// Has not met the text yet: the batch is that of the images, not that of the texts.
    shared: bool,
}

/// What every block reads besides its image.
struct Context<'c> {
    config: &'c UnetConfig,
    /// The activated time embedding, `[1, time_dim]`, or `[texts, time_dim]` where texts add to it.
    time: Tensor,
    text: Text,
    /// The most pixels of the latents, where weights are to stay in place.
    pixels: Option<usize>,
}

impl Context<'_> {
    /// The most pixels at a resolution.
    fn pixels(&self, resolution: usize) -> Option<usize> {
        self.pixels.map(|pixels| pixels >> (2 * resolution))
    }
}

/// Depth, heads and kind of an attention.
#[derive(Clone, Copy)]
struct Attention {
    heads: usize,
    layers: usize,
    only_cross: bool,
    upcast: bool,
}

impl UnetConfig {
    fn attention(&self, resolution: usize, layers: usize) -> Attention {
        Attention {
            heads: self.heads[resolution],
            layers,
            only_cross: self.only_cross_attention[resolution],
            upcast: self.upcast_attention,
        }
    }
}

/// The graph, and the layers that [`unet_text`] has to prepare the text for. Inputs `sample`
/// `[images, in_channels, height, width]`, `time` `[1, waves.width]` (one timestep for the whole batch, so that its small
/// products do not depend on the batch), `text` from [`unet_text`] with as many texts as images, or any number for one image, and
/// where [`UnetConfig::conditions_width`] is not 0 `conditions` from the same graph; output `prediction` `[texts, out_channels, height, width]`.
///
/// With `aligned`, height and width must be multiples of [`UnetConfig::alignment`]; without, any size is taken. With `pixels`, which
/// is for aligned sizes, latents have at most so many, and large weights stay in place ([`Net::at_pixels`]).
///
/// # Errors
/// Weights that do not fit the config.
pub fn unet(
    config: &UnetConfig,
    aligned: bool,
    pixels: Option<usize>,
    precision: Precision,
    weights: &mut Weights,
) -> Result<(Vec<u8>, Vec<TextLayer>)> {
    let mut net = Net::new(weights, precision);
    let [images, height, width] = ["images", "height", "width"].map(Dim::Named);
    let sample = net.input("sample", &[images, Dim::Fixed(config.in_channels), height, width]);
    let time = time_embedding(&mut net, config)?;
    let text = Text::input(&mut net);
    let mut context = Context { config, time, text, pixels };
    net.at_pixels(pixels);

    let channels = config.channels[0];
    let first = ConvShape::same(config.conv_in_kernel);
    let value = net.conv("conv_in", &sample, [channels, config.in_channels], first)?;
    let mut x = Features { value, channels, shared: true };
    let mut skips = vec![x.clone()];
    let coarsest = config.channels.len() - 1;
    for block in 0..=coarsest {
        x = blocks::down(&mut net, &mut context, block, x, &mut skips)?;
    }
    x = blocks::middle(&mut net, &mut context, x)?;
    for block in 0..=coarsest {
        x = blocks::up(&mut net, &mut context, block, x, &mut skips, aligned)?;
    }
    let norm = GroupNorm { groups: config.norm_groups, epsilon: config.norm_epsilon };
    let y = net.group_norm("conv_norm_out", &x.value, x.channels, norm)?;
    let y = net.silu(&y);
    let last = ConvShape::same(config.conv_out_kernel);
    let y = net.conv("conv_out", &y, [config.out_channels, x.channels], last)?;
    // A network without attention has one prediction for all texts.
    let y = if x.shared { context.text.spread(&mut net, &y, 4) } else { y };
    net.output("prediction", &y);
    Ok((net.graph.finish("unet"), context.text.layers))
}

/// The activated embedding of input `time` and, where texts add to it, of input `conditions`.
fn time_embedding(net: &mut Net<'_>, config: &UnetConfig) -> Result<Tensor> {
    let (width, dim) = (config.waves.width, config.time_dim);
    let mut time = net.input("time", &[Dim::Fixed(1), Dim::Fixed(width)]);
    let conditions = match config.conditions_width() {
        0 => None,
        width => Some(net.input("conditions", &[Dim::Named("texts"), Dim::Fixed(width)])),
    };
    let mut first = 0;
    let mut add = |net: &mut Net<'_>, there: bool, x: Tensor, width: usize| match &conditions {
        Some(conditions) if there => {
            let part = net.columns(conditions, 1, first, width);
            first += width;
            net.add(&x, &part)
        }
        _ => x,
    };
    time = add(net, config.guidance_width.is_some(), time, width);
    time = net.linear("time_embedding.linear_1", &time, width, dim, true)?;
    time = net.silu(&time);
    time = net.linear("time_embedding.linear_2", &time, dim, dim, true)?;
    time = add(net, config.added.is_some(), time, dim);
    // Every residual block begins its use of the time with the same activation.
    Ok(net.silu(&time))
}
