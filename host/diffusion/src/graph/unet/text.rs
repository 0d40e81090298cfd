//! The text's side of what a UNet reads of it.
//!
//! Keys and values of all layers lie side by side in one tensor `[texts, length, 2 * sum of widths]`, in the order in which
//! the UNet's graph is built. [`unet_text`] makes it, once for each text; the UNet cuts it up again, which costs next to
//! nothing. In the same way `conditions` `[texts, conditions_width]` holds what a text adds to the time: to the waves of the
//! timestep, then to its embedding.

use super::{AddedConditions, UnetConfig};
use crate::error::Result;
use crate::graph::layers::Net;
use crate::onnx::{Attribute, Dim, Tensor};
use crate::session::Precision;
use crate::weights::Weights;

/// A layer that attends to the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLayer {
    /// The path of its module.
    at: String,
    /// Width of a key, and of a value.
    width: usize,
}

/// Values for each token of a text: a key and a value for each layer.
pub fn text_width(layers: &[TextLayer]) -> usize {
    layers.iter().map(|layer| 2 * layer.width).sum()
}

/// The text in the UNet's graph.
pub(super) struct Text {
    /// All keys and values.
    value: Tensor,
    /// The layers that have taken theirs.
    pub(super) layers: Vec<TextLayer>,
}

impl Text {
    /// Declares the input.
    pub(super) fn input(net: &mut Net<'_>) -> Self {
        let dims = ["texts", "length", "keys and values"].map(Dim::Named);
        Self { value: net.input("text", &dims), layers: Vec::new() }
    }

    /// Keys and values `[texts, length, width]` of the layer at `at`.
    pub(super) fn keys_and_values(&mut self, net: &mut Net<'_>, at: &str, width: usize) -> (Tensor, Tensor) {
        let first = text_width(&self.layers);
        self.layers.push(TextLayer { at: at.to_owned(), width });
        let mut columns = |first: usize| net.columns(&self.value, 2, first, width);
        (columns(first), columns(first + width))
    }

    /// Repeats `x` of `rank` dimensions for every text, where it is the only one of its batch.
    pub(super) fn spread(&self, net: &mut Net<'_>, x: &Tensor, rank: usize) -> Tensor {
        let texts = net.graph.op("Shape", &[&self.value], &[("end", Attribute::Int(1))]);
        let rest = net.graph.integers(&vec![1; rank - 1]);
        let shape = net.graph.op("Concat", &[&texts, &rest], &[("axis", Attribute::Int(0))]);
        net.graph.op("Expand", &[x, &shape], &[])
    }
}

/// The graph that prepares texts for `layers`. Inputs `text` `[texts, length, cross_attention_dim]` and, as the config asks for
/// them, `guidance` `[texts, guidance_width]` and `added` `[texts, added.width]`; outputs `projected`
/// `[texts, length, text_width(layers)]` and, with any of the latter inputs, `conditions` `[texts, conditions_width]`.
///
/// # Errors
/// Weights that do not fit the config.
pub fn unet_text(
    config: &UnetConfig,
    layers: &[TextLayer],
    precision: Precision,
    weights: &mut Weights,
) -> Result<Vec<u8>> {
    let mut net = Net::new(weights, precision);
    let dims = [Dim::Named("texts"), Dim::Named("length"), Dim::Fixed(config.cross_attention_dim)];
    let text = net.input("text", &dims);
    let mut projected = Vec::with_capacity(2 * layers.len());
    for TextLayer { at, width } in layers {
        for name in ["to_k", "to_v"] {
            projected.push(net.linear(&format!("{at}.{name}"), &text, config.cross_attention_dim, *width, false)?);
        }
    }
    let projected: Vec<&Tensor> = projected.iter().collect();
    let projected = net.graph.op("Concat", &projected, &[("axis", Attribute::Int(2))]);
    net.output("projected", &projected);
    let mut conditions = Vec::new();
    if let Some(width) = config.guidance_width {
        let guidance = net.input("guidance", &[Dim::Named("texts"), Dim::Fixed(width)]);
        conditions.push(net.linear("time_embedding.cond_proj", &guidance, width, config.waves.width, false)?);
    }
    if let Some(AddedConditions { width, .. }) = config.added {
        let added = net.input("added", &[Dim::Named("texts"), Dim::Fixed(width)]);
        let added = net.linear("add_embedding.linear_1", &added, width, config.time_dim, true)?;
        let added = net.silu(&added);
        conditions.push(net.linear("add_embedding.linear_2", &added, config.time_dim, config.time_dim, true)?);
    }
    if !conditions.is_empty() {
        let conditions: Vec<&Tensor> = conditions.iter().collect();
        let conditions = net.graph.op("Concat", &conditions, &[("axis", Attribute::Int(1))]);
        net.output("conditions", &conditions);
    }
    Ok(net.graph.finish("unet text"))
}
