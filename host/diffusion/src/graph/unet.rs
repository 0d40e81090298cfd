//! diffusers' `UNet2DConditionModel`, Stable Diffusion 1 and 2 family.
//!
//! Down blocks halve the resolution and remember their results, a middle block mixes the coarsest, up blocks double the
//! resolution and read what was remembered, last first. Every residual block sees the timestep, attention sees the text.
//!
//! Two things are computed once instead of many times; the bits are the same. The keys and values of the text are a graph of
//! their own ([`unet_text`]), because they stay the same over the steps: 3 % of a small evaluation. And a single image may
//! be given several texts, as guidance does: until it first meets them, there is only one image (7 %).

mod blocks;
mod config;
mod text;

pub use config::{TimeWaves, UnetConfig};
pub use text::{TextLayer, text_width, unet_text};

use crate::error::Result;
use crate::graph::layers::{ConvShape, GroupNorm, Net};
use crate::onnx::{Dim, ElementType, Tensor};
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
    /// The activated time embedding, `[1, time_dim]`.
    time: Tensor,
    text: Text,
}

/// Depth, heads and kind of the attention at one resolution.
#[derive(Clone, Copy)]
struct Attention {
    heads: usize,
    layers: usize,
    only_cross: bool,
}

impl UnetConfig {
    fn attention(&self, resolution: usize) -> Attention {
        Attention {
            heads: self.heads[resolution],
            layers: self.transformer_layers[resolution],
            only_cross: self.only_cross_attention[resolution],
        }
    }
}

/// The graph, and the layers that [`unet_text`] has to prepare the text for. Inputs `sample`
/// `[images, in_channels, height, width]`, `time` `[1, waves.width]` (one timestep for the whole batch, so that its small
/// products do not depend on the batch), `text` from [`unet_text`] with as many texts as images, or any number for one image;
/// output `prediction` `[texts, out_channels, height, width]`.
///
/// With `aligned`, height and width must be multiples of [`UnetConfig::alignment`]; without, any size is taken.
///
/// # Errors
/// Weights that do not fit the config.
pub fn unet(config: &UnetConfig, aligned: bool, weights: &mut Weights) -> Result<(Vec<u8>, Vec<TextLayer>)> {
    let mut net = Net::new(weights);
    let [images, height, width] = ["images", "height", "width"].map(Dim::Named);
    let sample = net.graph.input("sample", ElementType::F32, &[images, Dim::Fixed(config.in_channels), height, width]);
    let waves = net.graph.input("time", ElementType::F32, &[Dim::Fixed(1), Dim::Fixed(config.waves.width)]);
    let text = Text::input(&mut net);

    let time = net.linear("time_embedding.linear_1", &waves, config.waves.width, config.time_dim, true)?;
    let time = net.silu(&time);
    let time = net.linear("time_embedding.linear_2", &time, config.time_dim, config.time_dim, true)?;
    // Every residual block begins its use of the time with the same activation.
    let time = net.silu(&time);
    let mut context = Context { config, time, text };

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
    net.graph.output("prediction", &y);
    Ok((net.graph.finish("unet"), context.text.layers))
}
