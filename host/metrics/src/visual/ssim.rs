//! Structural similarity of the luma: the `ssim` tier.
//!
//! scikit-image's `structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)` of Pillow's
//! mode `L`, which is also what the plugin `ssim/ssim` gives with `channels = "luma"`; within 1e-9 of the former. With means `x`, `y` and second
//! moments `xx`, `yy`, `xy` under a Gaussian window of 11x11, `C1 = (0.01 * 255)^2` and `C2 = (0.03 * 255)^2`:
//!
//! ```text
//! ssim = (2 x y + C1) (2 (xy - x y) + C2) / ((x^2 + y^2 + C1) ((xx - x^2) + (yy - y^2) + C2))
//! ```
//!
//! Only windows that lie inside the image count, as in scikit-image, and of them only those that touch no ignored pixel. The mean is over
//! what is left.
//!
//! Only `xx + yy` is ever used, so four quantities are filtered and not five: down columns first, then along rows, over strips of columns
//! whose last 11 rows stay in the nearest cache. Sums are `f64` in one order, without fused operations: the same bits everywhere.

use super::VisualError;
use super::pair::Pair;
use crate::luma;

/// Side of the window: scikit-image truncates at `int(3.5 * sigma + 0.5)` on each side of the centre.
pub const TAPS: usize = 2 * RADIUS + 1;
const RADIUS: usize = 5;

/// `exp(-k^2 / 4.5)` for `k = 0..=5`, normalised over the 11 taps.
const WEIGHTS: [f64; RADIUS + 1] = [
    0.2660117248617943,
    0.21300553771125366,
    0.1093606895097,
    0.03600077212843082,
    0.007598758135239184,
    0.001028380084479109,
];

const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Windows of a strip, and the pixels they need.
const STRIP: usize = 64;
const INPUTS: usize = STRIP + 2 * RADIUS;

/// `x`, `y`, `2 xy` and `xx + yy`, of a pixel or of a window.
const QUANTITIES: usize = 4;

/// The index of every window inside the image, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Windows per row: 10 less than pixels.
    pub width: usize,
    /// Rows of windows.
    pub height: usize,
    /// 1 for equal windows. Ignored ones are there too.
    pub values: Vec<f64>,
}

/// Mean of the index over the windows that count: exactly 1 for equal images, at least -1.
///
/// # Errors
/// [`VisualError::NoWindow`] where none counts.
pub fn mean(pair: &Pair) -> Result<f64, VisualError> {
    let windows = windows(pair)?;
    let touched = pair.mask().map(|mask| mask.squares(TAPS));
    let counted = match &touched {
        Some(touched) => touched.iter().filter(|touched| !**touched).count(),
        None => windows.0 * windows.1,
    };
    if counted == 0 {
        return Err(no_window(pair));
    }
    if pair.is_equal() {
        return Ok(1.0);
    }
    let mut total = 0.0;
    each_row(pair, windows, |[x, y], indices| {
        total += match &touched {
            None => sum(indices),
            Some(touched) => {
                let touched = &touched[y * windows.0 + x..];
                indices.iter().zip(touched).map(|(index, touched)| if *touched { 0.0 } else { *index }).sum()
            }
        };
    });
    // rounding may step past the ends by some units in the last place
    Ok((total / counted as f64).clamp(-1.0, 1.0))
}

/// The index of every window.
///
/// # Errors
/// [`VisualError::NoWindow`] where the image is smaller than one.
pub fn map(pair: &Pair) -> Result<Map, VisualError> {
    let (width, height) = windows(pair)?;
    let mut values = vec![1.0; width * height];
    if !pair.is_equal() {
        each_row(pair, (width, height), |[x, y], indices| {
            values[y * width + x..][..indices.len()].copy_from_slice(indices);
        });
    }
    Ok(Map { width, height, values })
}

/// Windows per row, and rows of them.
fn windows(pair: &Pair) -> Result<(usize, usize), VisualError> {
    let fit = |side: usize| (side + 1).checked_sub(TAPS).filter(|count| *count > 0);
    fit(pair.width()).zip(fit(pair.height())).ok_or_else(|| no_window(pair))
}

fn no_window(pair: &Pair) -> VisualError {
    VisualError::NoWindow { width: pair.image().width(), height: pair.image().height() }
}

/// Gives the indices of up to [`STRIP`] neighbouring windows at a time, with the place of the first.
fn each_row(pair: &Pair, (across, down): (usize, usize), mut take: impl FnMut([usize; 2], &[f64])) {
    let [image, baseline] = [pair.image(), pair.baseline()].map(luma::shared);
    let width = pair.width();
    let mut strip = Strip { rows: [[[0.0; INPUTS]; QUANTITIES]; TAPS] };
    let mut indices = [0.0; STRIP];
    for first in (0..across).step_by(STRIP) {
        let count = STRIP.min(across - first);
        for y in 0..down + TAPS - 1 {
            let columns = y * width + first..y * width + first + count + 2 * RADIUS;
            strip.take(y % TAPS, &image[columns.clone()], &baseline[columns]);
            if let Some(window) = (y + 1).checked_sub(TAPS) {
                strip.indices(y % TAPS, &mut indices[..count]);
                take([first, window], &indices[..count]);
            }
        }
    }
}

/// The last [`TAPS`] rows of a strip.
struct Strip {
    rows: [[[f64; INPUTS]; QUANTITIES]; TAPS],
}

impl Strip {
    /// Puts a row into `slot`.
    fn take(&mut self, slot: usize, image: &[u8], baseline: &[u8]) {
        let [xs, ys, products, squares] = &mut self.rows[slot];
        let row = image.iter().zip(baseline).zip(xs).zip(ys).zip(products).zip(squares);
        for (((((&x, &y), to_x), to_y), product), square) in row {
            let (x, y) = (i32::from(x), i32::from(y));
            (*to_x, *to_y) = (f64::from(x), f64::from(y));
            // for x = y the very number that the sum of squares is
            (*product, *square) = (f64::from(2 * x * y), f64::from(x * x + y * y));
        }
    }

    /// The indices of as many windows as there is room for, whose last row is in slot `newest`, the others in the slots after it in turn.
    fn indices(&self, newest: usize, indices: &mut [f64]) {
        let count = indices.len();
        let mut column = [0.0; INPUTS];
        let mut filtered = [[0.0; STRIP]; QUANTITIES];
        for (quantity, filtered) in filtered.iter_mut().enumerate() {
            let rows = std::array::from_fn(|k| &self.rows[(newest + 1 + k) % TAPS][quantity][..]);
            weigh(rows, &mut column[..count + 2 * RADIUS]);
            weigh(std::array::from_fn(|k| &column[k..]), &mut filtered[..count]);
        }
        let [xs, ys, products, squares] = &filtered;
        for (j, index) in indices.iter_mut().enumerate() {
            let (product, square) = (2.0 * (xs[j] * ys[j]), xs[j] * xs[j] + ys[j] * ys[j]);
            let alike = (product + C1) * (products[j] - product + C2);
            *index = alike / ((square + C1) * (squares[j] - square + C2));
        }
    }
}

/// `outputs[j] = Σ_k weight_k * taps[k][j]`. Every slice of `taps` is at least as long as `outputs`.
fn weigh(taps: [&[f64]; TAPS], outputs: &mut [f64]) {
    // one length for all, so that the loop has no bounds checks and fills its SIMD lanes
    let length = outputs.len();
    let taps = taps.map(|tap| &tap[..length]);
    let [centre, weights @ ..] = WEIGHTS;
    for (j, output) in outputs.iter_mut().enumerate() {
        let mut sum = centre * taps[RADIUS][j];
        for (k, weight) in weights.iter().enumerate() {
            sum += weight * (taps[RADIUS - 1 - k][j] + taps[RADIUS + 1 + k][j]);
        }
        *output = sum;
    }
}

/// The sum of `values`, every fourth by itself so that they fill SIMD lanes.
fn sum(values: &[f64]) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for four in fours {
        for (sum, value) in sums.iter_mut().zip(four) {
            *sum += value;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_the_gaussian() {
        let exact: Vec<f64> = (0..=RADIUS).map(|k| (-((k * k) as f64) / 4.5).exp()).collect();
        let sum = exact[0] + 2.0 * exact[1..].iter().sum::<f64>();
        for (weight, exact) in WEIGHTS.iter().zip(&exact) {
            assert!((weight - exact / sum).abs() < 1e-15, "{weight}");
        }
    }

    #[test]
    fn every_tap_has_its_weight() {
        for k in 0..TAPS {
            let taps: [[f64; 1]; TAPS] = std::array::from_fn(|at| [if at == k { 1.0 } else { 0.0 }]);
            let mut outputs = [0.0];
            weigh(std::array::from_fn(|at| &taps[at][..]), &mut outputs);
            assert_eq!(outputs, [WEIGHTS[k.abs_diff(RADIUS)]]);
        }
    }
}
