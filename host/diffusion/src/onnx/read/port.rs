//! Inputs and outputs of a graph, as its file declares them.

use std::fmt;
use std::io::{BufRead, Seek};

use super::wire::{Field, Value, Wire, WireError};

/// Longest name that is read. Exporters make names of module paths, which stay far below.
pub(super) const LONGEST: usize = 4096;
/// Most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 16;
/// Longest name of a dimension.
const LONGEST_DIMENSION: usize = 256;

/// The element type of a tensor, as far as networks of pipelines use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F16,
    Bf16,
    F64,
    I32,
    I64,
    Bool,
    /// `TensorProto.DataType` by number.
    Other(i32),
}

impl Element {
    pub(super) fn of(number: u64) -> Self {
        match i32::try_from(number).unwrap_or(0) {
            1 => Self::F32,
            6 => Self::I32,
            7 => Self::I64,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            16 => Self::Bf16,
            other => Self::Other(other),
        }
    }

    /// Whether it holds numbers with a fraction.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16 | Self::F64)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F64 => "float64",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::Bool => "bool",
            Self::Other(number) => return write!(f, "type {number}"),
        })
    }
}

/// One dimension of an input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Always this long.
    Fixed(usize),
    /// As long as everything else of this name.
    Named(String),
    /// Of any length.
    Any,
}

impl Extent {
    /// Its length where it has only one.
    pub(crate) fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(length) => Some(*length),
            _ => None,
        }
    }
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) element: Element,
    /// `None` where the file leaves even the rank open.
    pub(crate) shape: Option<Vec<Extent>>,
}

impl Port {
    /// Length of dimension `index` where the file fixes it.
    pub(crate) fn fixed(&self, index: usize) -> Option<usize> {
        self.shape.as_ref()?.get(index)?.fixed()
    }

    /// Number of dimensions where the file tells.
    pub(crate) fn rank(&self) -> Option<usize> {
        Some(self.shape.as_ref()?.len())
    }
}

/// `timestep int64[steps]`
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.name, self.element)?;
        let Some(shape) = &self.shape else { return Ok(()) };
        let extent = |extent: &Extent| match extent {
            Extent::Fixed(length) => length.to_string(),
            Extent::Named(name) => name.clone(),
            Extent::Any => "?".to_owned(),
        };
        write!(f, "[{}]", shape.iter().map(extent).collect::<Vec<_>>().join(", "))
    }
}

/// Reads a `ValueInfoProto` up to `end`.
pub(super) fn read<R: BufRead + Seek>(wire: &mut Wire<R>, end: u64) -> Result<Port, WireError> {
    let mut port = Port { name: String::new(), element: Element::Other(0), shape: None };
    while let Some(field) = wire.field(end)? {
        match field {
            Field { number: 1, value: Value::Until(end) } => port.name = wire.text(end, LONGEST)?,
            Field { number: 2, value: Value::Until(end) } => read_type(wire, end, &mut port)?,
            other => skip(wire, other)?,
        }
    }
    Ok(port)
}

/// `TypeProto`, of which only tensors are looked into.
fn read_type<R: BufRead + Seek>(wire: &mut Wire<R>, end: u64, port: &mut Port) -> Result<(), WireError> {
    while let Some(field) = wire.field(end)? {
        match field {
            Field { number: 1, value: Value::Until(end) } => {
                while let Some(field) = wire.field(end)? {
                    match field {
                        Field { number: 1, value: Value::Varint(element) } => port.element = Element::of(element),
                        Field { number: 2, value: Value::Until(end) } => port.shape = Some(read_shape(wire, end)?),
                        other => skip(wire, other)?,
                    }
                }
            }
            other => skip(wire, other)?,
        }
    }
    Ok(())
}

fn read_shape<R: BufRead + Seek>(wire: &mut Wire<R>, end: u64) -> Result<Vec<Extent>, WireError> {
    let mut shape = Vec::new();
    while let Some(field) = wire.field(end)? {
        match field {
            Field { number: 1, value: Value::Until(end) } => {
                if shape.len() == MOST_DIMENSIONS {
                    return Err(WireError::TooMuch(format!("a tensor of more than {MOST_DIMENSIONS} dimensions")));
                }
                shape.push(read_extent(wire, end)?);
            }
            other => skip(wire, other)?,
        }
    }
    Ok(shape)
}

fn read_extent<R: BufRead + Seek>(wire: &mut Wire<R>, end: u64) -> Result<Extent, WireError> {
    let mut extent = Extent::Any;
    while let Some(field) = wire.field(end)? {
        match field {
            // Some exporters write 0 or -1 for "any".
            Field { number: 1, value: Value::Varint(length) } => {
                let length = usize::try_from(length.cast_signed()).ok().filter(|&length| length > 0);
                extent = length.map_or(Extent::Any, Extent::Fixed);
            }
            Field { number: 2, value: Value::Until(end) } => {
                let name = wire.text(end, LONGEST_DIMENSION)?;
                extent = if name.is_empty() { Extent::Any } else { Extent::Named(name) };
            }
            other => skip(wire, other)?,
        }
    }
    Ok(extent)
}

/// Leaves a field out.
pub(super) fn skip<R: BufRead + Seek>(wire: &mut Wire<R>, field: Field) -> Result<(), WireError> {
    match field.value {
        Value::Until(end) => wire.skip_to(end),
        _ => Ok(()),
    }
}
