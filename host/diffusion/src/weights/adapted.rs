//! Weights with LoRA files added to them.
//!
//! The graph gets the two factors of what is added, a product and a sum; all of it is constant, so the runtime computes it once
//! while it loads the graph and then keeps the sum alone. That costs no more memory than a weight of half precision does, which
//! is widened in the same way. Rows of a weight get rows of the sum.

use super::{Weights, as_element};
use crate::error::Result;
use crate::lora::{Adapters, Addition, Component, Factors, fit};
use crate::onnx::{ElementType, GraphBuilder, Tensor};

impl Weights {
    /// Adds to these weights, which are of `component`, what `adapters` have for it: graphs declared from now on read the sums,
    /// as `f32`.
    ///
    /// # Errors
    /// A file with a layer that none of these weights fits.
    pub fn adapt(mut self, adapters: &Adapters, component: Component) -> Result<Self> {
        let tensors = self.tensors.iter().map(|(name, entry)| (name.as_str(), entry.shape.as_slice()));
        self.additions = fit(adapters, component, tensors)?;
        Ok(self)
    }
}

/// Which rows of a weight are wanted.
pub(super) struct Rows {
    /// Rows of the whole weight.
    pub(super) all: usize,
    /// The first one.
    pub(super) first: usize,
}

/// `tensor` of shape `part`, which is called `name`, with its additions.
pub(super) fn sum(
    graph: &mut GraphBuilder,
    name: &str,
    tensor: &Tensor,
    element: ElementType,
    part: &[usize],
    additions: &[Addition],
    Rows { all, first }: Rows,
) -> Result<Tensor> {
    let known = format!("{name} adapted");
    if let Some(sum) = graph.known(&known) {
        return Ok(sum);
    }
    let Factors { rank, up, down } = Factors::read(additions, all)?.rows(first, part[0]);
    let columns = down.len() / rank;
    let up = graph.numbers(&format!("{name} up"), &up, &[part[0], rank]);
    let down = graph.numbers(&format!("{name} down"), &down, &[rank, columns]);
    let mut product = graph.op("MatMul", &[&up, &down], &[]);
    if part.len() != 2 {
        let shape: Vec<i64> = part.iter().map(|&side| side as i64).collect();
        let shape = graph.integers(&shape);
        product = graph.op("Reshape", &[&product, &shape], &[]);
    }
    let base = as_element(graph, tensor.clone(), element, ElementType::F32);
    let sum = graph.op("Add", &[&base, &product], &[]);
    graph.remember(&known, &sum);
    Ok(sum)
}
