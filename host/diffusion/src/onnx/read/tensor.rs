//! Weights: how large they are, and where those lie that are in other files.

use std::io::{BufRead, Seek};

use super::port::{LONGEST, skip};
use super::wire::{Field, Value, Wire, WireError};

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: u64 = 1;
/// `TensorProto.DataType` of `f32`.
const FLOAT: u64 = 1;
/// ... of `f16`.
const HALF: u64 = 10;
/// ... of `bf16`.
const BRAIN: u64 = 16;
/// Most bytes of a number in `external_data`.
const LONGEST_NUMBER: usize = 32;

/// Where the bytes of a tensor lie.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) location: String,
    /// How long the file must be for all of them.
    pub(super) end: u64,
}

/// A tensor.
#[derive(Debug, Default)]
pub(super) struct Tensor {
    /// Bytes that it takes where half precision is widened.
    pub(super) widened: u64,
    /// `None` where its bytes lie in the model's own file.
    pub(super) place: Option<Place>,
}

/// Reads a `TensorProto` up to `end`.
pub(super) fn read<R: BufRead + Seek>(wire: &mut Wire<R>, end: u64) -> Result<Tensor, WireError> {
    let start = wire.at();
    let (mut elements, mut kind, mut outside) = (1u64, 0, false);
    let (mut location, mut offset, mut length) = (None, 0u64, None);
    while let Some(field) = wire.field(end)? {
        match field {
            Field { number: 1, value: Value::Varint(dim) } => elements = elements.saturating_mul(dim),
            // the same, packed
            Field { number: 1, value: Value::Until(end) } => {
                while wire.at() < end {
                    elements = elements.saturating_mul(wire.varint(end)?);
                }
            }
            Field { number: 2, value: Value::Varint(number) } => kind = number,
            Field { number: 13, value: Value::Until(end) } => {
                let (key, value) = entry(wire, end)?;
                let number = || value.trim().parse::<u64>().map_err(|_| WireError::Malformed(start));
                match key.as_str() {
                    "location" => location = Some(value),
                    "offset" => offset = number()?,
                    "length" => length = Some(number()?),
                    _ => {}
                }
            }
            Field { number: 14, value: Value::Varint(place) } => outside = place == EXTERNAL,
            other => skip(wire, other)?,
        }
    }
    let widened = bytes(if matches!(kind, HALF | BRAIN) { FLOAT } else { kind }, elements);
    if !outside {
        return Ok(Tensor { widened, place: None });
    }
    let Some(location) = location else { return Err(WireError::Malformed(start)) };
    let length = length.unwrap_or_else(|| bytes(kind, elements));
    Ok(Tensor { widened, place: Some(Place { location, end: offset.saturating_add(length) }) })
}

/// A key and a value of `external_data`.
fn entry<R: BufRead + Seek>(wire: &mut Wire<R>, end: u64) -> Result<(String, String), WireError> {
    let (mut key, mut value) = (String::new(), String::new());
    while let Some(field) = wire.field(end)? {
        match field {
            Field { number: 1, value: Value::Until(end) } => key = wire.text(end, LONGEST)?,
            Field { number: 2, value: Value::Until(end) } => {
                let most = if key == "offset" || key == "length" { LONGEST_NUMBER } else { LONGEST };
                value = wire.text(end, most)?;
            }
            other => skip(wire, other)?,
        }
    }
    Ok((key, value))
}

/// Bytes of so many elements of a `TensorProto.DataType`; 0 where it is not known, which asks nothing of the file.
fn bytes(kind: u64, elements: u64) -> u64 {
    match kind {
        2 | 3 | 9 | 17..=20 => elements,
        4 | 5 | 10 | 16 => elements.saturating_mul(2),
        1 | 6 | 12 => elements.saturating_mul(4),
        7 | 11 | 13 | 14 => elements.saturating_mul(8),
        15 => elements.saturating_mul(16),
        21 | 22 => elements.div_ceil(2),
        _ => 0,
    }
}
