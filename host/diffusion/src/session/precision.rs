//! The number format that a network's weights and activations have.

use std::fmt;
use std::str::FromStr;

use crate::onnx::ElementType;

/// A floating-point format. The values that go into a network and come out of it are `f32` in any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// 32 bits: the reference.
    #[default]
    F32,
    /// IEEE half: 5 bits of exponent (largest value 65504), 10 of fraction.
    F16,
    /// bfloat16: the range of `f32` with 7 bits of fraction.
    Bf16,
}

/// A precision name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision {0:?}; known are f32, f16, bf16")]
pub struct UnknownPrecision(String);

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        match name {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            _ => Err(UnknownPrecision(name.to_owned())),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl From<Precision> for ElementType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F16 => Self::F16,
            Precision::Bf16 => Self::Bf16,
        }
    }
}
