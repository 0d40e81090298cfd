//! Tensors as plugins make them, and the check of them before they go anywhere.
//!
//! The constructor cannot fail in that interface, so a tensor whose bytes do not fill its shape is kept as it is (it answers what
//! it was made of), and told of when a graph is to take it.

use difftest_core::model::{Element, Tensor};
use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::Store;
use crate::bindings::tensor::TensorType;
use crate::limits::Limits;
use crate::state::{HostObject, State};

/// Dimensions that a graph may be given; ONNX models have half a dozen.
const MAX_RANK: usize = 32;

/// Numbers that a plugin may hold a handle of. Not yet believed: its bytes need not fill its shape.
#[expect(unreachable_pub, reason = "the generated bindings name it, and are public inside their private module")]
pub struct HostTensor(Tensor);

impl HostObject for HostTensor {
    fn held(&self) -> usize {
        bytes(&self.0)
    }
}

impl HostTensor {
    /// Puts a tensor where the plugin can get a handle of it.
    pub(super) fn give(tensor: Tensor, state: &mut State) -> wasmtime::Result<Resource<Self>> {
        state.hold(bytes(&tensor))?;
        Ok(state.insert(Self(tensor))?)
    }

    /// The numbers, if there are as many as the shape says; otherwise what is wrong.
    pub(super) fn believe(self) -> Result<Tensor, String> {
        sound(&self.0).map(|()| self.0)
    }
}

/// Whether a tensor has as many bytes as its shape and its type say.
pub(super) fn sound(tensor: &Tensor) -> Result<(), String> {
    let rank = tensor.dimensions.len();
    if rank > MAX_RANK {
        return Err(format!("has {rank} dimensions, {MAX_RANK} is the most"));
    }
    let shape = || {
        let sides: Vec<_> = tensor.dimensions.iter().map(u32::to_string).collect();
        format!("{}[{}]", tensor.element.name(), sides.join(", "))
    };
    match Tensor::wanted_bytes(tensor.element, &tensor.dimensions) {
        None => Err(format!("is {}, which is more bytes than can be counted", shape())),
        Some(wanted) if wanted != tensor.data.len() => {
            Err(format!("is {}, which takes {wanted} bytes, and has {}", shape(), tensor.data.len()))
        }
        Some(_) => Ok(()),
    }
}

/// What it takes up in the host.
pub(super) fn bytes(tensor: &Tensor) -> usize {
    tensor.data.len() + size_of_val(tensor.dimensions.as_slice())
}

type Handle = Resource<HostTensor>;

pub(super) fn add(at: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    at.resource("tensor", ResourceType::host::<HostTensor>(), |mut store, handle| {
        store.data_mut().remove::<HostTensor>(handle)
    })?;
    at.func_wrap(
        "[constructor]tensor",
        |mut store: Store<'_>, (dimensions, ty, data): (Vec<u32>, TensorType, Vec<u8>)| {
            let state = store.data_mut();
            let tensor = Tensor { element: element(ty), dimensions, data };
            state.charge(bytes(&tensor) as u64 * Limits::BYTE_CREDITS)?;
            Ok((HostTensor::give(tensor, state)?,))
        },
    )?;
    at.func_wrap("[method]tensor.dimensions", |mut store: Store<'_>, (tensor,): (Handle,)| {
        let state = store.data_mut();
        let dimensions = state.get(&tensor)?.0.dimensions.clone();
        state.charge(size_of_val(dimensions.as_slice()) as u64 * Limits::BYTE_CREDITS)?;
        Ok((dimensions,))
    })?;
    at.func_wrap("[method]tensor.ty", |mut store: Store<'_>, (tensor,): (Handle,)| {
        let state = store.data_mut();
        state.charge(0)?;
        Ok((tensor_type(state.get(&tensor)?.0.element),))
    })?;
    at.func_wrap("[method]tensor.data", |mut store: Store<'_>, (tensor,): (Handle,)| {
        let state = store.data_mut();
        let bytes = state.get(&tensor)?.0.data.len();
        state.charge(bytes as u64 * Limits::BYTE_CREDITS)?;
        Ok((state.get(&tensor)?.0.data.clone(),))
    })
}

fn element(ty: TensorType) -> Element {
    match ty {
        TensorType::Fp16 => Element::F16,
        TensorType::Fp32 => Element::F32,
        TensorType::Fp64 => Element::F64,
        TensorType::Bf16 => Element::Bf16,
        TensorType::U8 => Element::U8,
        TensorType::I32 => Element::I32,
        TensorType::I64 => Element::I64,
    }
}

fn tensor_type(element: Element) -> TensorType {
    match element {
        Element::F16 => TensorType::Fp16,
        Element::F32 => TensorType::Fp32,
        Element::F64 => TensorType::Fp64,
        Element::Bf16 => TensorType::Bf16,
        Element::U8 => TensorType::U8,
        Element::I32 => TensorType::I32,
        Element::I64 => TensorType::I64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(element: Element, dimensions: &[u32], bytes: usize) -> String {
        let tensor = Tensor { element, dimensions: dimensions.to_vec(), data: vec![0; bytes] };
        sound(&tensor).err().unwrap_or_default()
    }

    #[test]
    fn shapes_and_bytes_must_agree() {
        assert_eq!(says(Element::F32, &[1, 3, 2], 24), "");
        assert_eq!(says(Element::I64, &[], 8), "", "a scalar has one element");
        assert_eq!(says(Element::U8, &[0, u32::MAX], 0), "");
        assert_eq!(says(Element::F32, &[2, 3], 23), "is f32[2, 3], which takes 24 bytes, and has 23");
        assert_eq!(says(Element::U8, &[0], 1), "is u8[0], which takes 0 bytes, and has 1");
        assert!(says(Element::F64, &[u32::MAX; 4], 8).ends_with("more bytes than can be counted"));
        assert_eq!(says(Element::U8, &[1; 33], 1), "has 33 dimensions, 32 is the most");
    }

    #[test]
    fn every_type_goes_both_ways() {
        use Element::{Bf16, F16, F32, F64, I32, I64, U8};
        for kind in [F16, F32, F64, Bf16, U8, I32, I64] {
            assert_eq!(element(tensor_type(kind)), kind);
        }
    }
}
