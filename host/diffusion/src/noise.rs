//! The normal noise of torch's CPU generator, so that a seed means the same picture as in Python.
//!
//! [`TorchNormal`] follows `torch.Generator().manual_seed(seed)` and `torch.randn(n)` for contiguous `f32` tensors: MT19937
//! seeded with the low 32 bits, one word per uniform, Box-Muller over blocks of 16, and a double-precision path with a cached
//! second value for fewer than 16 elements. torch takes logarithm, sine and cosine from whatever vector library it was built
//! with, so its own results differ by about 1e-7 between machines; ours come from the polynomials below and are the same bits
//! everywhere, within 1e-6 of torch.

use std::f64::consts::{LN_2, PI};

/// What results record as the origin of the noise.
pub const RNG_ID: &str = "torch-cpu-f32";

/// One generator; the sequence goes on from call to call.
pub struct TorchNormal {
    words: Mt19937,
    /// The second value of the last pair of the short path; survives into the next short call.
    spare: Option<f64>,
}

impl TorchNormal {
    /// As `manual_seed(seed)`: only the low 32 bits count.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { words: Mt19937::new(seed as u32), spare: None }
    }

    /// As `torch.randn(n)` in `f32`.
    #[must_use]
    pub fn randn(&mut self, n: usize) -> Vec<f32> {
        if n < 16 {
            return (0..n).map(|_| self.one() as f32).collect();
        }
        let mut out: Vec<f32> = (0..n).map(|_| self.words.uniform32()).collect();
        out.chunks_exact_mut(16).for_each(box_muller16);
        if !n.is_multiple_of(16) {
            // torch redoes the last 16 with fresh uniforms, writing over the end of the last whole block
            let tail = &mut out[n - 16..];
            tail.iter_mut().for_each(|value| *value = self.words.uniform32());
            box_muller16(tail);
        }
        out
    }

    fn one(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let angle = 2.0 * PI * self.words.uniform64();
        // 1 - u is exact, so this is torch's log1p(-u)
        let radius = (-2.0 * ln(1.0 - self.words.uniform64())).sqrt();
        let (sin, cos) = sin_cos(angle);
        self.spare = Some(radius * sin);
        radius * cos
    }
}

/// Turns 16 uniforms into 16 normals: value `j` and value `j + 8` make a pair.
fn box_muller16(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(8);
    for (a, b) in first.iter_mut().zip(second) {
        let radius = (-2.0 * ln(f64::from(1.0 - *a)) as f32).sqrt();
        // rounded to f32 before the sine, as torch does: at radius 5 it moves the result by 1e-6
        let angle = 2.0 * std::f32::consts::PI * *b;
        let (sin, cos) = sin_cos(f64::from(angle));
        *a = radius * cos as f32;
        *b = radius * sin as f32;
    }
}

/// Natural logarithm of a positive normal number, within a few ulp: `2 atanh((m - 1) / (m + 1)) + e ln 2`.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    // |s| < 0.172: the term after s^21 is below 1e-18
    let series = (0..=10).rev().fold(0.0, |sum, k| sum * square + 1.0 / (2.0 * f64::from(k) + 1.0));
    2.0 * s * series + exponent as f64 * LN_2
}

/// Sine and cosine for `0 <= x <= 2 pi`, within 2 ulp of 1.
fn sin_cos(x: f64) -> (f64, f64) {
    // pi/2 in two parts (Cody and Waite): the first has 33 bits, so its small multiples are exact
    const HIGH: f64 = 1.570_796_326_734_125_6;
    const LOW: f64 = 6.077_100_506_506_192e-11;
    let quadrant = (x * (2.0 / PI)).round();
    let r = (x - quadrant * HIGH) - quadrant * LOW;
    let square = r * r;
    // Taylor on |r| <= pi/4: the terms left out are below 1e-18
    let nested = |odd: f64| {
        (1..=9).rev().map(f64::from).fold(1.0, |sum, k| 1.0 - square / ((2.0 * k + odd) * (2.0 * k + odd - 1.0)) * sum)
    };
    let (sin, cos) = (r * nested(1.0), nested(0.0));
    match quadrant as i32 & 3 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// The Mersenne Twister of Matsumoto and Nishimura (1998), 32 bits.
struct Mt19937 {
    state: [u32; Self::N],
    next: usize,
}

impl Mt19937 {
    const N: usize = 624;
    const M: usize = 397;

    fn new(seed: u32) -> Self {
        let mut state = [seed; Self::N];
        for j in 1..Self::N {
            let last = state[j - 1];
            state[j] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(j as u32);
        }
        Self { state, next: Self::N }
    }

    fn twist(&mut self) {
        for i in 0..Self::N {
            let mixed = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % Self::N] & 0x7fff_ffff);
            let twisted = (mixed >> 1) ^ if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + Self::M) % Self::N] ^ twisted;
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next == Self::N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `[0, 1)` in steps of 2^-24.
    fn uniform32(&mut self) -> f32 {
        (self.word() & 0x00ff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    /// `[0, 1)` in steps of 2^-53; the first word is the high one.
    fn uniform64(&mut self) -> f64 {
        let (high, low) = (u64::from(self.word()), u64::from(self.word()));
        (((high << 32) | low) & ((1 << 53) - 1)) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_the_library_ones_within_rounding() {
        for i in 1..100_000 {
            let x = f64::from(i) / 100_000.0;
            assert!((ln(x) - x.ln()).abs() <= 1e-15 * x.ln().abs().max(1e-2), "ln {x}");
            let (sin, cos) = sin_cos(x * 2.0 * PI);
            assert!((sin - (x * 2.0 * PI).sin()).abs() < 5e-16, "sin {x}");
            assert!((cos - (x * 2.0 * PI).cos()).abs() < 5e-16, "cos {x}");
        }
        assert!((ln(f64::powi(2.0, -53)) + 53.0 * LN_2).abs() < 1e-14);
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn words_are_the_published_ones() {
        // the first outputs of MT19937 for its customary seed
        let mut words = Mt19937::new(5489);
        assert_eq!([words.word(), words.word(), words.word()], [3_499_211_612, 581_869_302, 3_890_346_734]);
    }

    #[test]
    fn only_the_low_half_of_a_seed_counts() {
        assert_eq!(TorchNormal::new(42).randn(16), TorchNormal::new(42 + (7 << 32)).randn(16));
    }
}
