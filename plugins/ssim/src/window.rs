//! The Gaussian window: sigma 1.5, 11 taps, in exact integers.
//!
//! A weighted sum of 11 values per output is all that both passes of the filter are: down a column the values come from 11
//! rows, along a row from 11 neighbours. Integers because a sum of them does not depend on its order, and because the
//! sandbox, which gives NaNs one bit pattern, makes each float operation cost about four.

/// Taps on each side of the centre: `int(3.5 * sigma + 0.5)`, which is where scikit-image truncates.
pub const RADIUS: usize = 5;

/// Length of the window.
pub const TAPS: usize = 2 * RADIUS + 1;

/// `exp(-k^2 / 4.5)` for `k = 0..=5`, normalised over the 11 taps, in units of 2^-32. The sum is exactly 2^32, so a flat image
/// passes unchanged.
///
/// Precision matters here: of a white row at the edge of the window the outermost weight alone decides, and 65025 times its
/// error is compared with the constant `C2` of 58.5. Half a unit moves a score by 1.3e-7.
pub const WEIGHTS: [i32; RADIUS + 1] = [1_142_511_658, 914_851_818, 469_700_585, 154_622_139, 32_636_418, 4_416_859];

/// `outputs[j] = round(Σ_k weight_k * taps[k][j] / 2^SHIFT)` with weights in units of 2^-32.
///
/// Values must lie in -2^30 to 2^30: then a sum of two fits `i32`, the total `i64`, and a shift of 31 or more gives an `i32`.
/// Every slice of `taps` is at least as long as `outputs`.
pub fn weigh<const SHIFT: u32>(taps: [&[i32]; TAPS], outputs: &mut [i32]) {
    // one length for all, so that the loop has no bounds checks and fills its SIMD lanes
    let length = outputs.len();
    let taps = taps.map(|tap| &tap[..length]);
    let [centre, weights @ ..] = WEIGHTS.map(i64::from);
    for (j, output) in outputs.iter_mut().enumerate() {
        let mut sum = (1 << (SHIFT - 1)) + centre * i64::from(taps[RADIUS][j]);
        for (k, weight) in weights.iter().enumerate() {
            sum += weight * i64::from(taps[RADIUS - 1 - k][j] + taps[RADIUS + 1 + k][j]);
        }
        // as unsigned: of a shift by at most 32 the low half is the same, and cheaper
        *output = (sum.cast_unsigned() >> SHIFT) as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_the_gaussian() {
        let exact: Vec<f64> = (0..=RADIUS).map(|k| (-((k * k) as f64) / 4.5).exp()).collect();
        let sum = exact[0] + 2.0 * exact[1..].iter().sum::<f64>();
        for (weight, exact) in WEIGHTS.iter().zip(&exact) {
            assert!((f64::from(*weight) - exact / sum * 4_294_967_296.0).abs() < 0.7, "{weight}");
        }
        let sum: i64 = WEIGHTS.iter().map(|&weight| 2 * i64::from(weight)).sum();
        assert_eq!(sum - i64::from(WEIGHTS[0]), 1 << 32);
    }

    #[test]
    fn the_ends_of_the_range_pass_unchanged() {
        for value in [-(1 << 30), (1 << 30) - 1, 0, 1, -1] {
            let row = [value; 3];
            let mut outputs = [7; 3];
            weigh::<32>([&row; TAPS], &mut outputs);
            assert_eq!(outputs, row);
            weigh::<31>([&row; TAPS], &mut outputs);
            assert_eq!(outputs, row.map(|value| value * 2));
        }
    }

    #[test]
    fn every_tap_has_its_weight() {
        for k in 0..TAPS {
            let taps: [[i32; 1]; TAPS] = std::array::from_fn(|at| [if at == k { 1 << 30 } else { 0 }]);
            let mut outputs = [0];
            weigh::<32>(std::array::from_fn(|at| &taps[at][..]), &mut outputs);
            let wanted = (i64::from(WEIGHTS[k.abs_diff(RADIUS)]) + 2) >> 2;
            assert_eq!(i64::from(outputs[0]), wanted);
        }
    }
}
