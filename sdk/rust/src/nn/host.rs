//! Graphs that live in the host.

use super::{ElementType, Tensor};
use crate::Error;
use crate::bindings::host::wasi::nn::{errors, graph, tensor};

#[derive(Debug)]
pub(super) struct Source {
    name: String,
    graph: graph::Graph,
}

impl Source {
    pub(super) fn by_name(name: &str) -> Result<Self, Error> {
        match graph::load_by_name(name) {
            Ok(graph) => Ok(Self { name: name.to_owned(), graph }),
            Err(error) => Err(translate(name, &error)),
        }
    }

    pub(super) fn compute(&self, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, Error> {
        let fault = |error: errors::Error| translate(&self.name, &error);
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| ((*name).to_owned(), give(tensor))).collect();
        let outputs = self.graph.init_execution_context().map_err(fault)?.compute(inputs).map_err(fault)?;
        outputs.into_iter().map(|(name, tensor)| Ok((name, take(&tensor)?))).collect()
    }
}

fn give(own: &Tensor) -> tensor::Tensor {
    let ty = match own.element_type() {
        ElementType::F16 => tensor::TensorType::Fp16,
        ElementType::F32 => tensor::TensorType::Fp32,
        ElementType::F64 => tensor::TensorType::Fp64,
        ElementType::Bf16 => tensor::TensorType::Bf16,
        ElementType::U8 => tensor::TensorType::U8,
        ElementType::I32 => tensor::TensorType::I32,
        ElementType::I64 => tensor::TensorType::I64,
    };
    // A length fits 32 bits where a tensor was made: its bytes are in our memory.
    let shape: Vec<u32> = own.shape().iter().map(|&length| u32::try_from(length).unwrap_or(u32::MAX)).collect();
    tensor::Tensor::new(&shape, ty, own.bytes())
}

fn take(theirs: &tensor::Tensor) -> Result<Tensor, Error> {
    let ty = match theirs.ty() {
        tensor::TensorType::Fp16 => ElementType::F16,
        tensor::TensorType::Fp32 => ElementType::F32,
        tensor::TensorType::Fp64 => ElementType::F64,
        tensor::TensorType::Bf16 => ElementType::Bf16,
        tensor::TensorType::U8 => ElementType::U8,
        tensor::TensorType::I32 => ElementType::I32,
        tensor::TensorType::I64 => ElementType::I64,
    };
    let shape = theirs.dimensions().into_iter().map(usize::try_from).collect::<Result<Vec<_>, _>>()?;
    Tensor::from_bytes(&shape, ty, theirs.data())
}

/// Their error as ours, with the model's name and the reason.
fn translate(name: &str, error: &errors::Error) -> Error {
    let reason = error.data();
    let code = match error.code() {
        errors::ErrorCode::NotFound if reason.is_empty() => return Error::ModelNotFound(name.to_owned()),
        errors::ErrorCode::NotFound => return Error::ModelNotFound(reason),
        errors::ErrorCode::InvalidArgument => "invalid argument",
        errors::ErrorCode::InvalidEncoding => "invalid encoding",
        errors::ErrorCode::Timeout => "timeout",
        errors::ErrorCode::RuntimeError => "runtime error",
        errors::ErrorCode::UnsupportedOperation => "unsupported operation",
        errors::ErrorCode::TooLarge => "too large",
        errors::ErrorCode::Security => "not permitted",
        errors::ErrorCode::Unknown => "unknown error",
    };
    let name = name.escape_debug();
    Error::other(format_args!("model `{name}`: {code}{}{reason}", if reason.is_empty() { "" } else { ": " }))
}
