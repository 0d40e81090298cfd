//! Where messages of `onnx.proto3` lie in each other: the ways on which operators and files of weights are found.

/// A message that leads to a weight or an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::onnx) enum Message {
    /// `ModelProto`
    Model,
    /// `GraphProto`
    Graph,
    /// `FunctionProto`
    Function,
    /// `NodeProto`
    Node,
    /// `AttributeProto`: its tensors and subgraphs
    Attribute,
    /// `SparseTensorProto`
    Sparse,
    /// `TensorProto`
    Tensor,
    /// `StringStringEntryProto` of `TensorProto.external_data`
    Place,
}

impl Message {
    /// What lies in field `number`, if it is one of these. `ModelProto.training_info` is left out: no session runs it.
    pub(in crate::onnx) fn inner(self, number: u32) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::Sparse,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Tensor, 13) => Self::Place,
            _ => return None,
        })
    }
}
