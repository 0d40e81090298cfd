//! Between [`Tensor`] (bytes with a type) and ONNX Runtime's values.

use difftest_core::model::{Element, Tensor};
use half::{bf16, f16};
use ort::value::PrimitiveTensorElementType;
use ort::value::{DynValue, Tensor as OrtTensor, TensorElementType, ValueType};

/// The type as `wasi:nn` calls it; `None` where it has no such.
pub(super) fn element(of: TensorElementType) -> Option<Element> {
    Some(match of {
        TensorElementType::Float16 => Element::F16,
        TensorElementType::Float32 => Element::F32,
        TensorElementType::Float64 => Element::F64,
        TensorElementType::Bfloat16 => Element::Bf16,
        TensorElementType::Uint8 => Element::U8,
        TensorElementType::Int32 => Element::I32,
        TensorElementType::Int64 => Element::I64,
        _ => return None,
    })
}

/// The value of a tensor whose data has the length that its dimensions want.
pub(super) fn to_value(tensor: &Tensor) -> ort::Result<DynValue> {
    let data = &tensor.data;
    let shape: Vec<i64> = tensor.dimensions.iter().copied().map(i64::from).collect();
    Ok(match tensor.element {
        Element::F16 => OrtTensor::from_array((shape, read(data, f16::from_le_bytes)))?.into_dyn(),
        Element::F32 => OrtTensor::from_array((shape, read(data, f32::from_le_bytes)))?.into_dyn(),
        Element::F64 => OrtTensor::from_array((shape, read(data, f64::from_le_bytes)))?.into_dyn(),
        Element::Bf16 => OrtTensor::from_array((shape, read(data, bf16::from_le_bytes)))?.into_dyn(),
        Element::U8 => OrtTensor::from_array((shape, data.clone()))?.into_dyn(),
        Element::I32 => OrtTensor::from_array((shape, read(data, i32::from_le_bytes)))?.into_dyn(),
        Element::I64 => OrtTensor::from_array((shape, read(data, i64::from_le_bytes)))?.into_dyn(),
    })
}

/// The tensor in a value; `Err` names what else it is.
pub(super) fn from_value(value: &DynValue) -> Result<Tensor, String> {
    let ValueType::Tensor { ty, .. } = value.dtype() else { return Err("not a tensor".to_owned()) };
    let Some(element) = element(*ty) else { return Err(format!("a tensor of {ty}")) };
    let taken = match element {
        Element::F16 => take(value, |number: f16| number.to_le_bytes()),
        Element::F32 => take(value, f32::to_le_bytes),
        Element::F64 => take(value, f64::to_le_bytes),
        Element::Bf16 => take(value, |number: bf16| number.to_le_bytes()),
        Element::U8 => take(value, u8::to_le_bytes),
        Element::I32 => take(value, i32::to_le_bytes),
        Element::I64 => take(value, i64::to_le_bytes),
    };
    let (dimensions, data) = taken.map_err(|error| error.to_string())?;
    Ok(Tensor { element, dimensions, data })
}

fn read<T, const N: usize>(data: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|bytes| from(*bytes)).collect()
}

fn take<T: PrimitiveTensorElementType + Copy, const N: usize>(
    value: &DynValue,
    bytes: impl Fn(T) -> [u8; N],
) -> ort::Result<(Vec<u32>, Vec<u8>)> {
    let (shape, numbers) = value.try_extract_tensor::<T>()?;
    let dimensions = shape.iter().map(|&length| u32::try_from(length).unwrap_or(u32::MAX)).collect();
    Ok((dimensions, numbers.iter().flat_map(|&number| bytes(number)).collect()))
}
