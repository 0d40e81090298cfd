//! The opponent colour axes of Hasler and Suesstrunk, summed exactly.
//!
//! `rg = R - G` and `yb = (R + G) / 2 - B`. The sums hold `2 yb = R + G - 2B`, which is an integer.

/// Pixels per block: 4,096 squares of the largest `2 yb`, 510, fit `i32`.
const BLOCK: usize = 4_096;

/// First and second moments of both axes over an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opponent {
    /// Number of pixels.
    pub count: u64,
    /// Σ rg
    pub rg: i64,
    /// Σ rg²
    pub rg_squares: u64,
    /// Σ 2 yb
    pub yb2: i64,
    /// Σ (2 yb)²
    pub yb2_squares: u64,
}

impl Opponent {
    /// One pass over interleaved RGB bytes, without rounding. Bytes after the last whole pixel are not read.
    #[must_use]
    pub fn of(rgb: &[u8]) -> Self {
        let mut sums = Self { count: (rgb.len() / 3) as u64, ..Self::default() };
        for block in rgb.chunks(3 * BLOCK) {
            let (mut rg_sum, mut rg_squares, mut yb_sum, mut yb_squares) = (0_i32, 0_i32, 0_i32, 0_i32);
            for pixel in block.chunks_exact(3) {
                let (r, g, b) = (i16::from(pixel[0]), i16::from(pixel[1]), i16::from(pixel[2]));
                let (rg, yb2) = (r - g, r + g - 2 * b);
                rg_sum += i32::from(rg);
                rg_squares += i32::from(rg) * i32::from(rg);
                yb_sum += i32::from(yb2);
                yb_squares += i32::from(yb2) * i32::from(yb2);
            }
            sums.rg += i64::from(rg_sum);
            sums.rg_squares += u64::from(rg_squares.unsigned_abs());
            sums.yb2 += i64::from(yb_sum);
            sums.yb2_squares += u64::from(yb_squares.unsigned_abs());
        }
        sums
    }

    /// `sqrt(var rg + var yb) + 0.3 sqrt(mean(rg)² + mean(yb)²)` with population variances; 0 for no pixels.
    ///
    /// Both radicands are brought to the common denominator `4 n²`, whose numerators are exact integers.
    #[must_use]
    pub fn colorfulness(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let count = u128::from(self.count);
        let (rg, yb2) = (u128::from(self.rg.unsigned_abs()).pow(2), u128::from(self.yb2.unsigned_abs()).pow(2));
        let spread = 4 * (count * u128::from(self.rg_squares) - rg) + (count * u128::from(self.yb2_squares) - yb2);
        let shift = 4 * rg + yb2;
        ((spread as f64).sqrt() + 0.3 * (shift as f64).sqrt()) / (2.0 * self.count as f64)
    }
}
