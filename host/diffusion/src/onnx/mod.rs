//! The part of the ONNX format the graphs need: the messages, and a builder that keeps them well formed.

mod builder;
mod proto;

pub use builder::{Attribute, Dim, External, GraphBuilder, Tensor};
pub use proto::ElementType;
