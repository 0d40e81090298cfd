//! Builds a well-formed graph node by node.
//!
//! Invariants: every value has a unique name; a node is added after the values it reads, so the list is in topological
//! order by construction; an initialiser is declared once, however often it is read.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use prost::Message;

use super::proto::{
    AttributeProto, DimensionProto, ElementType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Standard operators in use exist since 17 (LayerNormalization); 20 is the newest set whose GroupNormalization-free core
/// every runtime from 1.31 optimises fully.
const OPSET: i64 = 20;
/// The file format version that goes with [`OPSET`].
const IR_VERSION: i64 = 9;
/// Operators that ONNX Runtime adds: fused attention and matrix products with transposed weights.
const MICROSOFT: &str = "com.microsoft";

/// A value of the graph: an input, a constant or what a node makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor(Arc<str>);

/// A node's constant.
#[derive(Debug, Clone)]
pub enum Attribute {
    /// A float.
    Float(f32),
    /// An integer.
    Int(i64),
    /// A list of integers.
    Ints(Vec<i64>),
    /// A string.
    Str(&'static str),
}

/// One dimension of an input or output.
#[derive(Debug, Clone, Copy)]
pub enum Dim {
    /// Known when the graph is built.
    Fixed(usize),
    /// Known when it runs.
    Named(&'static str),
}

/// Where the bytes of a weight lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Path below the folder that the session is told.
    pub location: String,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// A graph under construction.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    /// Constants already declared, by content or key.
    declared: HashMap<String, Tensor>,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares an input.
    pub fn input(&mut self, name: &str, element: ElementType, dims: &[Dim]) -> Tensor {
        self.inputs.push(value_info(name, element, Some(dims)));
        Tensor(name.into())
    }

    /// Makes `value` an output called `name`; its shape is left to the runtime's inference.
    pub fn output(&mut self, name: &str, value: &Tensor) {
        let node = NodeProto {
            input: vec![value.0.to_string()],
            output: vec![name.to_owned()],
            name: format!("output {name}"),
            op_type: "Identity".to_owned(),
            ..NodeProto::default()
        };
        self.nodes.push(node);
        self.outputs.push(value_info(name, ElementType::F32, None));
    }

    /// Stands for an optional input that is left out.
    pub fn absent() -> Tensor {
        Tensor("".into())
    }

    /// Adds a standard operator with one result.
    pub fn op(&mut self, op: &str, inputs: &[&Tensor], attributes: &[(&str, Attribute)]) -> Tensor {
        self.node("", op, inputs, attributes)
    }

    /// Adds one of ONNX Runtime's own operators with one result.
    pub fn ms_op(&mut self, op: &str, inputs: &[&Tensor], attributes: &[(&str, Attribute)]) -> Tensor {
        self.node(MICROSOFT, op, inputs, attributes)
    }

    fn node(&mut self, domain: &str, op: &str, inputs: &[&Tensor], attributes: &[(&str, Attribute)]) -> Tensor {
        // Weights are named by their keys, which hold no space: the names cannot meet.
        let name = format!("{op} {}", self.nodes.len());
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|tensor| tensor.0.to_string()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            domain: domain.to_owned(),
        });
        Tensor(name.into())
    }

    /// The value in another element type.
    pub fn cast(&mut self, value: &Tensor, element: ElementType) -> Tensor {
        let name = format!("{} as {element:?}", value.0);
        if let Some(known) = self.declared.get(&name) {
            return known.clone();
        }
        let cast = self.op("Cast", &[value], &[("to", Attribute::Int(element as i64))]);
        self.declared.insert(name, cast.clone());
        cast
    }

    /// A list of integers as a constant, for shapes and axes.
    pub fn integers(&mut self, values: &[i64]) -> Tensor {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&format!("i64 {values:?}"), ElementType::I64, &[values.len()], bytes)
    }

    /// Floats as a constant.
    pub fn floats(&mut self, values: &[f32], dims: &[usize]) -> Tensor {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut name = format!("f32 {dims:?}");
        for value in values {
            let _ = write!(name, " {:x}", value.to_bits());
        }
        self.constant(&name, ElementType::F32, dims, bytes)
    }

    /// As [`GraphBuilder::floats`], for many of them: `name`, which nothing else may have, stands for the values.
    pub fn numbers(&mut self, name: &str, values: &[f32], dims: &[usize]) -> Tensor {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, ElementType::F32, dims, bytes)
    }

    /// The value that was [remembered](GraphBuilder::remember) as `name`.
    pub fn known(&self, name: &str) -> Option<Tensor> {
        self.declared.get(name).cloned()
    }

    /// Remembers a value, so that it is computed once however often it is read.
    pub fn remember(&mut self, name: &str, value: &Tensor) {
        self.declared.insert(name.to_owned(), value.clone());
    }

    fn constant(&mut self, name: &str, element: ElementType, dims: &[usize], bytes: Vec<u8>) -> Tensor {
        if let Some(known) = self.declared.get(name) {
            return known.clone();
        }
        self.initializers.push(TensorProto {
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: element as i32,
            name: name.to_owned(),
            raw_data: Some(bytes),
            ..TensorProto::default()
        });
        self.declare(name)
    }

    /// A weight whose bytes stay in their file.
    pub fn external(&mut self, name: &str, element: ElementType, dims: &[usize], place: &External) -> Tensor {
        if let Some(known) = self.declared.get(name) {
            return known.clone();
        }
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
        self.initializers.push(TensorProto {
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: element as i32,
            name: name.to_owned(),
            external_data: vec![
                entry("location", place.location.clone()),
                entry("offset", place.offset.to_string()),
                entry("length", place.length.to_string()),
            ],
            data_location: 1,
            ..TensorProto::default()
        });
        self.declare(name)
    }

    /// Makes a weight declared with [`GraphBuilder::external`] a default that a call could replace. Nobody does; but what could be
    /// replaced the runtime neither computes with beforehand nor repacks: it is read where its file is mapped.
    pub fn keep_in_place(&mut self, weight: &Tensor, element: ElementType, dims: &[usize]) {
        if self.inputs.iter().all(|input| *input.name != *weight.0) {
            let dims: Vec<Dim> = dims.iter().map(|&dim| Dim::Fixed(dim)).collect();
            self.inputs.push(value_info(&weight.0, element, Some(&dims)));
        }
    }

    fn declare(&mut self, name: &str) -> Tensor {
        let tensor = Tensor(name.into());
        self.declared.insert(name.to_owned(), tensor.clone());
        tensor
    }

    /// The finished model, encoded.
    pub fn finish(self, name: &str) -> Vec<u8> {
        let graph = GraphProto {
            node: self.nodes,
            name: name.to_owned(),
            initializer: self.initializers,
            input: self.inputs,
            output: self.outputs,
        };
        let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "difftest".to_owned(),
            graph: Some(graph),
            opset_import: vec![opset("", OPSET), opset(MICROSOFT, 1)],
        }
        .encode_to_vec()
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let base = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    match value {
        Attribute::Float(f) => AttributeProto { f: Some(*f), kind: 1, ..base },
        Attribute::Int(i) => AttributeProto { i: Some(*i), kind: 2, ..base },
        Attribute::Str(s) => AttributeProto { s: Some(s.as_bytes().to_vec()), kind: 3, ..base },
        Attribute::Ints(ints) => AttributeProto { ints: ints.clone(), kind: 7, ..base },
    }
}

fn value_info(name: &str, element: ElementType, dims: Option<&[Dim]>) -> ValueInfoProto {
    let dim = |dim: &Dim| match *dim {
        Dim::Fixed(size) => DimensionProto { dim_value: Some(size as i64), dim_param: None },
        Dim::Named(name) => DimensionProto { dim_value: None, dim_param: Some(name.to_owned()) },
    };
    let shape = dims.map(|dims| TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor = TensorTypeProto { elem_type: element as i32, shape };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn constants_are_declared_once_and_nodes_follow_what_they_read() {
        let mut graph = GraphBuilder::new();
        let x = graph.input("x", ElementType::F32, &[Dim::Named("batch"), Dim::Fixed(4)]);
        let (first, second) = (graph.integers(&[0, -1]), graph.integers(&[0, -1]));
        assert_eq!(first, second);
        let y = graph.op("Reshape", &[&x, &first], &[]);
        graph.output("y", &y);
        let model = ModelProto::decode(graph.finish("test").as_slice()).unwrap().graph.unwrap();
        assert_eq!(model.initializer.len(), 1);
        let mut known: Vec<&str> = model.input.iter().map(|value| value.name.as_str()).collect();
        known.extend(model.initializer.iter().map(|tensor| tensor.name.as_str()));
        for node in &model.node {
            assert!(node.input.iter().all(|name| known.contains(&name.as_str())));
            known.extend(node.output.iter().map(String::as_str));
        }
        assert_eq!(model.output[0].name, "y");
    }
}
