//! What goes into a model and comes out of it.

use super::{Bf16, F16};
use crate::Error;

/// Numbers of one type in a shape, row-major: the last dimension is the one whose neighbours are neighbours.
///
/// The bytes always fit type and shape. A dimension may be 0; a shape without dimensions holds one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    shape: Vec<usize>,
    ty: ElementType,
    /// Little-endian.
    bytes: Vec<u8>,
}

/// What a tensor can hold: all types of `wasi:nn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// [`F16`].
    F16,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// [`Bf16`].
    Bf16,
    /// `u8`.
    U8,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
}

impl ElementType {
    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// As messages call it: `f32`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
            Self::U8 => "u8",
            Self::I32 => "i32",
            Self::I64 => "i64",
        }
    }
}

impl Tensor {
    /// These elements in this shape: `Tensor::new(&[1, 3], &[0.5f32, 0.25, 0.0])`.
    ///
    /// # Errors
    /// [`Error::Other`] when the shape does not hold as many.
    pub fn new<T: Element>(shape: &[usize], values: &[T]) -> Result<Self, Error> {
        Self::checked(shape, T::TYPE, values.len(), T::TYPE.name(), || T::write(values))
    }

    /// These little-endian bytes as elements of this type in this shape.
    ///
    /// # Errors
    /// [`Error::Other`] when the shape does not hold as many.
    pub fn from_bytes(shape: &[usize], ty: ElementType, bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        if !bytes.len().is_multiple_of(ty.size()) {
            let (count, name) = (bytes.len(), ty.name());
            return Err(Error::other(format_args!("{count} bytes are no whole number of {name}")));
        }
        Self::checked(shape, ty, bytes.len() / ty.size(), ty.name(), || bytes)
    }

    fn checked(
        shape: &[usize],
        ty: ElementType,
        given: usize,
        name: &str,
        bytes: impl FnOnce() -> Vec<u8>,
    ) -> Result<Self, Error> {
        let wanted = shape.iter().try_fold(1usize, |product, &length| product.checked_mul(length));
        // A length of its own must fit the contract's 32 bits, even beside one of 0.
        if wanted != Some(given) || shape.iter().any(|&length| u32::try_from(length).is_err()) {
            let wanted = wanted.map_or_else(|| "too many".to_owned(), |wanted| wanted.to_string());
            return Err(Error::other(format_args!(
                "a tensor of shape {shape:?} has {wanted} elements, but {given} {name} were given"
            )));
        }
        Ok(Self { shape: shape.to_vec(), ty, bytes: bytes() })
    }

    /// The length of each dimension, the outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What it holds.
    #[must_use]
    pub fn element_type(&self) -> ElementType {
        self.ty
    }

    /// All elements: `tensor.values::<f32>()?`. Nothing is converted.
    ///
    /// # Errors
    /// [`Error::Other`] when it holds another type.
    pub fn values<T: Element>(&self) -> Result<Vec<T>, Error> {
        if self.ty == T::TYPE {
            return Ok(T::read(&self.bytes));
        }
        let (own, wanted) = (self.ty.name(), T::TYPE.name());
        Err(Error::other(format_args!("a tensor of {own} was read as one of {wanted}")))
    }

    /// All elements, little-endian.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A type that a [`Tensor`] can hold: `f32`, `f64`, `u8`, `i32`, `i64`, [`F16`] and [`Bf16`].
pub trait Element: sealed::Bytes {
    /// It, as a value.
    const TYPE: ElementType;
}

mod sealed {
    pub trait Bytes: Copy {
        fn write(values: &[Self]) -> Vec<u8>;
        /// What is left over of `bytes` is ignored.
        fn read(bytes: &[u8]) -> Vec<Self>;
    }
}

/// `$own` has the bytes of the number type `$number`, which `$bits` and `$of` lead to and from.
macro_rules! element {
    ($own:ty, $number:ty, $ty:ident, $bits:expr, $of:expr) => {
        impl sealed::Bytes for $own {
            fn write(values: &[Self]) -> Vec<u8> {
                // Chunks of a fixed size make one copy of it; pushing bytes does not.
                let mut bytes = vec![0; size_of_val(values)];
                let chunks = bytes.as_chunks_mut::<{ size_of::<$number>() }>().0;
                for (chunk, &value) in chunks.iter_mut().zip(values) {
                    *chunk = <$number>::to_le_bytes(($bits)(value));
                }
                bytes
            }

            fn read(bytes: &[u8]) -> Vec<Self> {
                let chunks = bytes.as_chunks::<{ size_of::<$number>() }>().0;
                chunks.iter().map(|&chunk| ($of)(<$number>::from_le_bytes(chunk))).collect()
            }
        }

        impl Element for $own {
            const TYPE: ElementType = ElementType::$ty;
        }
    };
    ($own:ident, $ty:ident) => {
        element!($own, $own, $ty, std::convert::identity, std::convert::identity);
    };
}

element!(f32, F32);
element!(f64, F64);
element!(u8, U8);
element!(i32, I32);
element!(i64, I64);
element!(F16, u16, F16, |value: F16| value.0, F16);
element!(Bf16, u16, Bf16, |value: Bf16| value.0, Bf16);
