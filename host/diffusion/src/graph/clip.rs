//! CLIP's towers: transformers' `CLIPTextModel`, and the text and vision halves of `CLIPModel`.

mod bookkeeping;
mod config;

use std::ops::Range;
use std::path::Path;

pub use config::{Activation, PooledToken, TextConfig, TowerConfig, VisionConfig};

use crate::error::Result;
use crate::graph::layers::{ConvShape, Net};
use crate::onnx::{Attribute, Dim, ElementType, Tensor};
use crate::session::Precision;
use crate::weights::Weights;

/// What a text graph gives; layers that none of it needs are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOutputs {
    /// `hidden` `[batch, length, width]`: every token after one of the layers.
    pub hidden: Option<HiddenState>,
    /// `embeds` `[batch, projection]`: one token of each row after all layers and the final norm, projected without bias to
    /// this width. Which token is input `pooled` `[batch]`, an index into the flattened `[batch * length]` tokens.
    pub projection: Option<usize>,
}

/// A place in the text tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenState {
    /// After so many layers: 0 are the embeddings, at most the tower's number.
    pub layer: usize,
    /// Followed by the final norm.
    pub norm: bool,
}

/// The text tower. Input `ids` `[batch, length]`, `i64`. With `in_place`, large weights stay in place ([`Net::at_pixels`]).
///
/// # Errors
/// Weights that do not fit the config.
pub fn text_tower(
    config: &TextConfig,
    outputs: TextOutputs,
    precision: Precision,
    in_place: bool,
    weights: &mut Weights,
) -> Result<Vec<u8>> {
    let TowerConfig { width, epsilon, .. } = config.tower;
    // transformers 5 writes a bare text model without the name of the half.
    let root = if weights.contains("text_model.final_layer_norm.weight") { "text_model." } else { "" };
    let mut net = Net::new(weights, precision);
    let ids = net.graph.input("ids", ElementType::I64, &[Dim::Named("batch"), Dim::Fixed(config.length)]);
    let tokens = format!("{root}embeddings.token_embedding.weight");
    let tokens = net.embedding(&tokens, &ids, [config.vocabulary, width])?;
    let positions = net.weight(&format!("{root}embeddings.position_embedding.weight"), &[config.length, width])?;
    let mut x = net.add(&tokens, &positions);
    net.at_pixels(in_place.then_some(config.length));
    let at = format!("{root}encoder");
    let mut done = 0;
    let norm = format!("{root}final_layer_norm");
    if let Some(HiddenState { layer, norm: normed }) = outputs.hidden {
        x = encoder(&mut net, &at, x, &config.tower, 0..layer, true)?;
        done = layer;
        let hidden = if normed { net.layer_norm(&norm, &x, width, epsilon)? } else { x.clone() };
        net.output("hidden", &hidden);
    }
    if let Some(projection) = outputs.projection {
        x = encoder(&mut net, &at, x, &config.tower, done..config.tower.layers, true)?;
        let pooled = net.graph.input("pooled", ElementType::I64, &[Dim::Named("batch")]);
        let flat = net.reshape(&x, &[-1, width as i64]);
        let row = net.graph.op("Gather", &[&flat, &pooled], &[("axis", Attribute::Int(0))]);
        let row = net.layer_norm(&norm, &row, width, epsilon)?;
        let embeds = net.linear("text_projection", &row, width, projection, false)?;
        net.output("embeds", &embeds);
    }
    Ok(net.graph.finish("clip text tower"))
}

/// The vision tower. Input `pixels` `[batch, channels, size, size]`; output `embeds` `[batch, projection]`, not normalised.
///
/// # Errors
/// Weights that do not fit the config.
pub fn vision_tower(
    config: &VisionConfig,
    projection: usize,
    precision: Precision,
    weights: &mut Weights,
) -> Result<Vec<u8>> {
    let TowerConfig { width, epsilon, .. } = config.tower;
    let VisionConfig { channels, image_size, patch_size, .. } = *config;
    let mut net = Net::new(weights, precision);
    let size = Dim::Fixed(image_size);
    let pixels = net.input("pixels", &[Dim::Named("batch"), Dim::Fixed(channels), size, size]);
    let patch = ConvShape { kernel: patch_size, stride: patch_size, padding: 0, bias: false };
    let patches = net.conv("vision_model.embeddings.patch_embedding", &pixels, [width, channels], patch)?;
    let patches = net.reshape(&patches, &[0, width as i64, -1]);
    let patches = net.transpose(&patches, &[0, 2, 1]);

    // A row of zeros goes before the patches, and the class embedding into row 0 of the (constant) positions: the same
    // sum as prepending the class embedding, without expanding it to the batch.
    let side = image_size / patch_size;
    let front = net.graph.integers(&[0, 1, 0, 0, 0, 0]);
    let tokens = net.graph.op("Pad", &[&patches, &front], &[]);
    let positions = net.weight("vision_model.embeddings.position_embedding.weight", &[side * side + 1, width])?;
    let class = net.weight("vision_model.embeddings.class_embedding", &[1, width])?;
    let below = net.graph.integers(&[0, 0, (side * side) as i64, 0]);
    let class = net.graph.op("Pad", &[&class, &below], &[]);
    let positions = net.add(&positions, &class);
    let hidden = net.add(&tokens, &positions);

    // The misspelling is the weights' own.
    let hidden = net.layer_norm("vision_model.pre_layrnorm", &hidden, width, epsilon)?;
    let hidden = encoder(&mut net, "vision_model.encoder", hidden, &config.tower, 0..config.tower.layers, false)?;
    let first = net.graph.integers(&[0]);
    let row = net.graph.op("Gather", &[&hidden, &first], &[("axis", Attribute::Int(1))]);
    let row = net.reshape(&row, &[-1, width as i64]);
    let row = net.layer_norm("vision_model.post_layernorm", &row, width, epsilon)?;
    let embeds = net.linear("visual_projection", &row, width, projection, false)?;
    net.output("embeds", &embeds);
    Ok(net.graph.finish("clip vision tower"))
}

fn encoder(
    net: &mut Net<'_>,
    prefix: &str,
    mut x: Tensor,
    config: &TowerConfig,
    layers: Range<usize>,
    causal: bool,
) -> Result<Tensor> {
    let TowerConfig { width, inner, epsilon, .. } = *config;
    for layer in layers {
        let at = format!("{prefix}.layers.{layer}");
        let normal = net.layer_norm(&format!("{at}.layer_norm1"), &x, width, epsilon)?;
        let q = net.pixel_linear(&format!("{at}.self_attn.q_proj"), &normal, [width, width], true)?;
        let k = net.pixel_linear(&format!("{at}.self_attn.k_proj"), &normal, [width, width], true)?;
        let v = net.pixel_linear(&format!("{at}.self_attn.v_proj"), &normal, [width, width], true)?;
        let mixed = net.attention([&q, &k, &v], config.heads, causal);
        let mixed = net.pixel_linear(&format!("{at}.self_attn.out_proj"), &mixed, [width, width], true)?;
        x = net.add(&x, &mixed);
        let normal = net.layer_norm(&format!("{at}.layer_norm2"), &x, width, epsilon)?;
        let wide = net.pixel_linear(&format!("{at}.mlp.fc1"), &normal, [inner, width], true)?;
        let wide = match config.activation {
            Activation::QuickGelu => net.sigmoid_gate(&wide, 1.702),
            Activation::Gelu => net.gelu(&wide),
        };
        let narrow = net.pixel_linear(&format!("{at}.mlp.fc2"), &wide, [width, inner], true)?;
        x = net.add(&x, &narrow);
    }
    Ok(x)
}

/// Both towers' configs and the projection of a `CLIPModel` folder.
///
/// # Errors
/// As [`TextConfig::read`].
pub fn read_clip_config(path: &Path) -> Result<(TextConfig, VisionConfig, usize)> {
    config::read_clip(path)
}
