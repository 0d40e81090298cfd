//! Weights with LoRA files added to them.
//!
//! The graph gets the two factors of what is added, and a node that adds their product; all of it is constant, so the runtime
//! computes it once while it loads the graph and then keeps the sum alone, as it does with weights of half precision, which are
//! widened in the same way. Rows of a weight get rows of the sum.

use super::{Weights, as_element};
use crate::error::Result;
use crate::lora::{Adapters, Addition, Component, Factors, fit};
use crate::onnx::{ElementType, External, GraphBuilder, Tensor};

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

/// A weight, or some rows of one, as its file holds it.
pub(super) struct Stored<'w> {
    /// What its value is called.
    pub(super) name: &'w str,
    pub(super) element: ElementType,
    pub(super) place: &'w External,
    /// Rows of the whole weight.
    pub(super) rows: usize,
    /// The first one that is wanted.
    pub(super) first: usize,
}

impl Stored<'_> {
    /// It with `additions`, as `part`, the shape of the wanted rows.
    pub(super) fn sum(&self, graph: &mut GraphBuilder, part: &[usize], additions: &[Addition]) -> Result<Tensor> {
        let name = self.name;
        let known = format!("{name} adapted");
        if let Some(sum) = graph.known(&known) {
            return Ok(sum);
        }
        let Factors { rank, up, down } = Factors::read(additions, self.rows)?.rows(self.first, part[0]);
        let [rows, columns] = [part[0], down.len() / rank];
        let up = graph.numbers(&format!("{name} up"), &up, &[rows, rank]);
        let down = graph.numbers(&format!("{name} down"), &down, &[rank, columns]);
        // One node for product and sum: whatever is folded stays in memory until everything is.
        let base = graph.external(name, self.element, &[rows, columns], self.place);
        let base = as_element(graph, base, self.element, ElementType::F32);
        let mut sum = graph.op("Gemm", &[&up, &down, &base], &[]);
        if part.len() != 2 {
            let shape: Vec<i64> = part.iter().map(|&side| side as i64).collect();
            let shape = graph.integers(&shape);
            sum = graph.op("Reshape", &[&sum, &shape], &[]);
        }
        graph.remember(&known, &sum);
        Ok(sum)
    }
}
