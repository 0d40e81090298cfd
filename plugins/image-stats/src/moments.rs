//! Sums of 8-bit values, exact.

/// Values per block: 16,384 squares of 255 still fit `u32`, which keeps the inner loop in narrow SIMD lanes.
const BLOCK: usize = 16_384;

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
            let (mut sum, mut squares) = (0_u32, 0_u32);
            for &value in block {
                sum += u32::from(value);
                squares += u32::from(value) * u32::from(value);
            }
            moments.sum += u64::from(sum);
            moments.squares += u64::from(squares);
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
