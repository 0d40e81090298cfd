//! Sums of 8-bit values, exact.

/// Values per block: 256 bytes add up to at most 65,280, so inside a block 16 bits suffice, which fills SIMD lanes best.
const BLOCK: usize = 256;

/// How many values there are, their sum and the sum of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Number of values.
    pub count: u64,
    /// Σ v
    pub sum: u64,
    /// Σ v²
    pub squares: u64,
}

impl Moments {
    /// One pass over `values`, without rounding.
    #[must_use]
    pub fn of(values: &[u8]) -> Self {
        let mut moments = Self { count: values.len() as u64, ..Self::default() };
        for block in values.chunks(BLOCK) {
            // a square fits 16 bits too, but not a sum of squares: its bytes are summed apart
            let (mut sum, mut low, mut high) = (0_u16, 0_u16, 0_u16);
            for &value in block {
                let square = u16::from(value) * u16::from(value);
                sum += u16::from(value);
                low += square & 0xff;
                high += square >> 8;
            }
            moments.sum += u64::from(sum);
            moments.squares += u64::from(low) + 256 * u64::from(high);
        }
        moments
    }

    /// Arithmetic mean; 0 for no values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// Population standard deviation (divisor `count`); 0 for no values. The difference `n Σv² - (Σv)²` is taken in
    /// integers, so a flat image gives exactly 0 and nothing cancels.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let spread = u128::from(self.count) * u128::from(self.squares) - u128::from(self.sum).pow(2);
        (spread as f64).sqrt() / self.count as f64
    }
}
