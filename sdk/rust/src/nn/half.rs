//! The two 16-bit floating-point types of `wasi:nn`, which Rust does not have: their bits, and the way to `f32` and back.

/// IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct F16(
    /// The bits.
    pub u16,
);

/// bfloat16, the upper half of an `f32`: 1 sign, 8 exponent and 7 fraction bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bf16(
    /// The bits.
    pub u16,
);

impl F16 {
    /// The nearest one, the even one of two equally near; infinity from 65520 on.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "only the lower 16 bits are set")]
    pub fn from_f32(value: f32) -> Self {
        /// Below 2^-14 the distance between two binary16 is 2^-24, and so is that between two f32 from 0.5 to 1: adding 0.5
        /// rounds as wanted.
        const HALF: u32 = 0x3f00_0000;
        let bits = value.to_bits();
        let sign = bits >> 16 & 0x8000;
        let magnitude = bits & 0x7fff_ffff;
        let rounded = match magnitude {
            0x7f80_0001.. => 0x7e00,
            0x477f_f000.. => 0x7c00,
            // Half of what is cut off, less the least bit to the even side; then the exponent's bias goes from 127 to 15.
            0x3880_0000.. => (magnitude + 0xfff + (magnitude >> 13 & 1) - (112 << 23)) >> 13,
            _ => (f32::from_bits(magnitude) + f32::from_bits(HALF)).to_bits() - HALF,
        };
        Self((sign | rounded) as u16)
    }

    /// The same number.
    #[must_use]
    pub fn to_f32(self) -> f32 {
        let [sign, exponent, fraction] = [self.0 & 0x8000, self.0 >> 10 & 0x1f, self.0 & 0x3ff].map(u32::from);
        let magnitude = match exponent {
            // Multiples of 2^-24, exact in f32.
            0 => (f32::from(self.0 & 0x3ff) / 16_777_216.0).to_bits(),
            31 => 0x7f80_0000 | fraction << 13,
            _ => (exponent + 112) << 23 | fraction << 13,
        };
        f32::from_bits(sign << 16 | magnitude)
    }
}

impl Bf16 {
    /// The nearest one, the even one of two equally near.
    #[must_use]
    pub fn from_f32(value: f32) -> Self {
        let upper = |bits: u32| Self(u16::try_from(bits >> 16).unwrap_or(u16::MAX));
        let bits = value.to_bits();
        // A fraction bit keeps a NaN what it is when all of its bits that count are cut off.
        if value.is_nan() { upper(bits | 0x40_0000) } else { upper(bits + 0x7fff + (bits >> 16 & 1)) }
    }

    /// The same number.
    #[must_use]
    pub fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All 65,536 of each type, against the crate `half`.
    #[test]
    fn all_values_widen_and_return() {
        for bits in 0..=u16::MAX {
            let (own, wanted) = (F16(bits).to_f32(), half::f16::from_bits(bits).to_f32_const());
            assert!(own.to_bits() == wanted.to_bits() || own.is_nan() && wanted.is_nan(), "{bits:#x}");
            assert!(
                F16::from_f32(own) == F16(bits) || own.is_nan() && F16::from_f32(own).to_f32().is_nan(),
                "{bits:#x}"
            );
            let (own, wanted) = (Bf16(bits).to_f32(), half::bf16::from_bits(bits).to_f32_const());
            assert!(own.to_bits() == wanted.to_bits() || own.is_nan() && wanted.is_nan(), "{bits:#x}");
            assert!(
                Bf16::from_f32(own) == Bf16(bits) || own.is_nan() && Bf16::from_f32(own).to_f32().is_nan(),
                "{bits:#x}"
            );
        }
    }

    /// Every f32 whose lower 13 bits are where roundings of either type tip over, at every exponent, against the crate `half`.
    #[test]
    fn values_between_are_rounded() {
        for upper in 0..=0x7_ffffu32 {
            for lower in [0, 1, 0xfff, 0x1000, 0x1001, 0x1fff] {
                let value = f32::from_bits(upper << 13 | lower);
                let (own, wanted) = (F16::from_f32(value), half::f16::from_f32_const(value));
                assert!(own.0 == wanted.to_bits() || value.is_nan() && own.to_f32().is_nan(), "{value:e}");
                let (own, wanted) = (Bf16::from_f32(value), half::bf16::from_f32_const(value));
                assert!(own.0 == wanted.to_bits() || value.is_nan() && own.to_f32().is_nan(), "{value:e}");
            }
        }
    }
}
