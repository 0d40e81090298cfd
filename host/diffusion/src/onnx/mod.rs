//! The part of the ONNX format the graphs need: the messages, and a builder that keeps them well formed.

mod builder;
mod external;
mod proto;

pub use builder::{Attribute, Dim, External, GraphBuilder, Tensor};
pub(crate) use external::external_files;
pub use proto::ElementType;
