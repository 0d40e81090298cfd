//! The part of the ONNX format the graphs need: the messages, a builder that keeps them well formed, and a reader of what other
//! people's files say about themselves.

mod builder;
mod external;
mod operators;
mod proto;
mod read;
mod relocate;

pub use builder::{Attribute, Dim, External, GraphBuilder, Tensor};
pub use external::ExternalFault;
pub(crate) use operators::unknown_to;
pub use proto::ElementType;
pub(crate) use read::{Element, Extent, GraphFile, Port, Widened};
pub(crate) use relocate::relocate;
