//! Products of bytes and weights, eight at a time, exact.
//!
//! A weight of 2^-22 does not fit the 16 bits that SIMD multiplies best (`i32x4.dot_i16x8_s`: eight products, added in pairs). So
//! it is cut in two, `weight = 2048 * high + low` with `0 <= low < 2048`, and so is the sum. Both sums wrap around at 32 bits, as
//! does what is made of them; the result is right whenever the whole sum fits 32 bits, whatever its parts do.

/// Bits of the lower half of a weight.
const LOW_BITS: u32 = 11;

/// Eight values that are multiplied at once.
pub type Eight = [i16; 8];

/// Eight weights in halves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights {
    high: Eight,
    low: Eight,
}

impl Weights {
    /// Of at most eight weights between -2^26 and 2^26, others being 0. (Those of Lanczos are between -2^23 and 2^23.)
    #[must_use]
    pub fn new(weights: &[i32]) -> Self {
        let mut halves = Self::default();
        for ((high, low), weight) in halves.high.iter_mut().zip(&mut halves.low).zip(weights) {
            *high = (weight >> LOW_BITS) as i16;
            *low = (weight & ((1 << LOW_BITS) - 1)) as i16;
        }
        halves
    }
}

/// A growing `Σ weight * value`.
#[derive(Clone, Copy)]
pub struct Sum {
    high: Four,
    low: Four,
}

impl Sum {
    /// Of nothing.
    pub const ZERO: Self = Self { high: ZERO, low: ZERO };

    /// With eight products more.
    #[inline(always)]
    pub fn add(&mut self, weights: &Weights, values: &Eight) {
        self.high = add_products(self.high, &weights.high, values);
        self.low = add_products(self.low, &weights.low, values);
    }

    /// The sum of all products.
    #[inline(always)]
    #[must_use]
    pub fn total(self) -> i32 {
        let total = |four| lanes(four).into_iter().fold(0, i32::wrapping_add);
        (total(self.high) << LOW_BITS).wrapping_add(total(self.low))
    }
}

#[cfg(target_arch = "wasm32")]
mod four {
    use core::arch::wasm32::{i16x8, i32x4, i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane as lane, v128};

    use super::Eight;

    pub(super) type Four = v128;
    pub(super) const ZERO: Four = i32x4(0, 0, 0, 0);

    /// One load in the end: the compiler sees through the eight of them.
    #[inline(always)]
    fn load(&[a, b, c, d, e, f, g, h]: &Eight) -> v128 {
        i16x8(a, b, c, d, e, f, g, h)
    }

    #[inline(always)]
    pub(super) fn add_products(sums: Four, weights: &Eight, values: &Eight) -> Four {
        i32x4_add(sums, i32x4_dot_i16x8(load(weights), load(values)))
    }

    #[inline(always)]
    pub(super) fn lanes(four: Four) -> [i32; 4] {
        [lane::<0>(four), lane::<1>(four), lane::<2>(four), lane::<3>(four)]
    }
}

/// The same in plain code, for tests and benchmarks outside of WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
mod four {
    use super::Eight;

    pub(super) type Four = [i32; 4];
    pub(super) const ZERO: Four = [0; 4];

    #[inline(always)]
    pub(super) fn add_products(mut sums: Four, weights: &Eight, values: &Eight) -> Four {
        for (lane, sum) in sums.iter_mut().enumerate() {
            for at in [2 * lane, 2 * lane + 1] {
                *sum = sum.wrapping_add(i32::from(weights[at]) * i32::from(values[at]));
            }
        }
        sums
    }

    #[inline(always)]
    pub(super) fn lanes(four: Four) -> [i32; 4] {
        four
    }
}

use four::{Four, ZERO, add_products, lanes};
