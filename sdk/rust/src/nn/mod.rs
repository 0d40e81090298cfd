//! Inference with ONNX models that the suite declares by name (`[models] aesthetic = "head.onnx"`), through `wasi:nn`.
//!
//! ```
//! use difftest_sdk::Error;
//! use difftest_sdk::nn::{Graph, Tensor};
//!
//! /// The first output of a model whose input is called `x`.
//! fn rate(embedding: &[f32]) -> Result<f64, Error> {
//!     let graph = Graph::by_name("aesthetic")?;
//!     let outputs = graph.compute(&[("x", Tensor::new(&[1, embedding.len()], embedding)?)])?;
//!     let rating = outputs.first().ok_or_else(|| Error::other("the model has no output"))?;
//!     Ok(f64::from(rating.1.values::<f32>()?[0]))
//! }
//! ```
//!
//! Names are all there is: a plugin brings no model of its own and names no file. As with [`models`](crate::models), a plugin
//! that uses it is *model-dependent*, and away from WebAssembly there is no host, unless a test answers in its place:
//! [`testing::with_graphs`].

mod half;
#[cfg(target_family = "wasm")]
mod host;
mod tensor;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

use std::borrow::Borrow;

pub use half::{Bf16, F16};
#[cfg(target_family = "wasm")]
use host::Source;
pub use tensor::{Element, ElementType, Tensor};
#[cfg(not(target_family = "wasm"))]
use testing::Source;

use crate::Error;

/// A model, ready to compute.
#[derive(Debug)]
pub struct Graph(Source);

impl Graph {
    /// The model that the suite declares under this name.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it declares none, [`Error::Other`] when the model cannot be loaded.
    pub fn by_name(name: &str) -> Result<Self, Error> {
        Source::by_name(name).map(Self)
    }

    /// One inference: every input of the model by its name, in any order, each a [`Tensor`] or a reference to one. The answer
    /// has every output with its name, in the model's order.
    ///
    /// # Errors
    /// [`Error::Other`] for a name that the model does not have, one that is missing or given twice, a wrong type or shape, and
    /// for whatever goes wrong in the inference.
    pub fn compute<T: Borrow<Tensor>>(&self, inputs: &[(&str, T)]) -> Result<Vec<(String, Tensor)>, Error> {
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| (*name, tensor.borrow())).collect();
        self.0.compute(&inputs)
    }
}
