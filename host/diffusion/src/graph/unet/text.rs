//! The text's side of the attention to it.
//!
//! Keys and values of all layers lie side by side in one tensor `[texts, length, 2 * sum of widths]`, in the order in which
//! the UNet's graph is built. [`unet_text`] makes it, once for each text; the UNet cuts it up again, which costs next to
//! nothing.

use super::UnetConfig;
use crate::error::Result;
use crate::graph::layers::Net;
use crate::onnx::{Attribute, Dim, ElementType, Tensor};
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
        Self { value: net.graph.input("text", ElementType::F32, &dims), layers: Vec::new() }
    }

    /// Keys and values `[texts, length, width]` of the layer at `at`.
    pub(super) fn keys_and_values(&mut self, net: &mut Net<'_>, at: &str, width: usize) -> (Tensor, Tensor) {
        let first = text_width(&self.layers);
        self.layers.push(TextLayer { at: at.to_owned(), width });
        let mut columns = |first: usize| {
            let [start, end, axis] = [first, first + width, 2].map(|value| net.graph.integers(&[value as i64]));
            net.graph.op("Slice", &[&self.value, &start, &end, &axis], &[])
        };
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

/// The graph that prepares texts for `layers`. Input `text` `[texts, length, cross_attention_dim]`; output `projected`
/// `[texts, length, text_width(layers)]`.
///
/// # Errors
/// Weights that do not fit the config.
pub fn unet_text(config: &UnetConfig, layers: &[TextLayer], weights: &mut Weights) -> Result<Vec<u8>> {
    let mut net = Net::new(weights);
    let dims = [Dim::Named("texts"), Dim::Named("length"), Dim::Fixed(config.cross_attention_dim)];
    let text = net.graph.input("text", ElementType::F32, &dims);
    let mut projected = Vec::with_capacity(2 * layers.len());
    for TextLayer { at, width } in layers {
        for name in ["to_k", "to_v"] {
            projected.push(net.linear(&format!("{at}.{name}"), &text, config.cross_attention_dim, *width, false)?);
        }
    }
    let projected: Vec<&Tensor> = projected.iter().collect();
    let projected = net.graph.op("Concat", &projected, &[("axis", Attribute::Int(2))]);
    net.graph.output("projected", &projected);
    Ok(net.graph.finish("unet text"))
}
