//! Logarithm, sine and cosine from one set of polynomials, so that noise is the same bits on every platform.

use std::f64::consts::{LN_2, PI};

/// Natural logarithm of a positive normal number, within a few ulp: `2 atanh((m - 1) / (m + 1)) + e ln 2`.
pub(super) fn ln(x: f64) -> f64 {
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
pub(super) fn sin_cos(x: f64) -> (f64, f64) {
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
}
