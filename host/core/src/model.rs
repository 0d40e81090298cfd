//! What a plugin may ask of a model, whoever runs it.
//!
//! A suite declares models by name (`[models]`); plugins and host metrics reach them through [`Models`], so one loaded model, and
//! one forward pass for each image, serves everyone. The sandbox knows nothing of ONNX Runtime, and whoever runs the models knows
//! nothing of WebAssembly.

use std::sync::Arc;

use crate::digest::Digest;
use crate::image::Image;

/// The models that a suite declares, opened when they are first asked for.
pub trait Models: Send + Sync {
    /// Every declared name with one digest over all files of that model, sorted by name: what a score that may have asked them
    /// depends on.
    fn declared(&self) -> &[(String, Digest)];

    /// The model `name` as one that embeds texts and images.
    ///
    /// # Errors
    /// [`ModelError::NotFound`] when no such model is declared or it is of another sort; otherwise why it cannot be loaded.
    fn embedder(&self, name: &str) -> Result<Arc<dyn Embedder>, ModelError>;

    /// The model `name` as a graph of tensors.
    ///
    /// # Errors
    /// As [`Models::embedder`].
    fn graph(&self, name: &str) -> Result<Arc<dyn Graph>, ModelError>;
}

/// Embeds texts and images into one space. Rows are L2-normalised. An answer depends on the text or the pixels alone, not on what
/// else is asked in the same call or at the same time, and is kept: asking again costs nothing.
pub trait Embedder: Send + Sync {
    /// Length of a row.
    fn dimensions(&self) -> u32;

    /// The row of a text.
    ///
    /// # Errors
    /// When the text cannot be tokenized or the model fails.
    fn embed_text(&self, text: &str) -> Result<Arc<[f32]>, ModelError>;

    /// One row for each image, in order.
    ///
    /// # Errors
    /// When the model fails.
    fn embed_images(&self, images: &[Image]) -> Result<Vec<Arc<[f32]>>, ModelError>;
}

/// A graph of tensors: named inputs in, named outputs out.
pub trait Graph: Send + Sync {
    /// Runs the graph.
    ///
    /// # Errors
    /// [`ModelError::Input`] when a name, an element type or a shape is not what the graph wants; otherwise why it failed.
    fn compute(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, ModelError>;
}

/// Numbers in a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Type of the elements.
    pub element: Element,
    /// Length of each dimension; empty for a scalar.
    pub dimensions: Vec<u32>,
    /// The elements, row-major and little-endian: product of the dimensions times [`Element::bytes`].
    pub data: Vec<u8>,
}

/// Element types that `wasi:nn` and ONNX Runtime share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// IEEE half precision.
    F16,
    /// `float`.
    F32,
    /// `double`.
    F64,
    /// The upper half of a `float`.
    Bf16,
    /// Unsigned byte.
    U8,
    /// Signed, 4 bytes.
    I32,
    /// Signed, 8 bytes.
    I64,
}

impl Element {
    /// Bytes of one element.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// As error messages write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
            Self::U8 => "u8",
            Self::I32 => "i32",
            Self::I64 => "i64",
        }
    }
}

impl Tensor {
    /// How many bytes the dimensions ask for; `None` where that does not fit into a `usize`.
    #[must_use]
    pub fn wanted_bytes(element: Element, dimensions: &[u32]) -> Option<usize> {
        dimensions.iter().try_fold(element.bytes(), |bytes, &length| bytes.checked_mul(length as usize))
    }
}

/// Why a model gave no answer. Messages do not name the plugin that asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// No such model is declared, or it is of another sort.
    #[error("{0}")]
    NotFound(String),
    /// What was given to it does not fit.
    #[error("{0}")]
    Input(String),
    /// It cannot be loaded or run.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_shape_never_wrap() {
        assert_eq!(Tensor::wanted_bytes(Element::F64, &[2, 3]), Some(48));
        assert_eq!(Tensor::wanted_bytes(Element::F16, &[]), Some(2));
        assert_eq!(Tensor::wanted_bytes(Element::U8, &[0, u32::MAX]), Some(0));
        assert_eq!(Tensor::wanted_bytes(Element::I64, &[u32::MAX; 4]), None);
    }
}
