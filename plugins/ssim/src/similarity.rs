//! SSIM of two planes: local means, variances and covariance under the window, and one ratio per pixel.
//!
//! With means `x`, `y`, second moments `xx`, `yy`, `xy` under the window, and `C1 = (0.01 * 255)^2`, `C2 = (0.03 * 255)^2`:
//!
//! ```text
//! contrast-structure = (2 (xy - x y) + C2) / ((xx - x^2) + (yy - y^2) + C2)
//! ssim               = (2 x y + C1) / (x^2 + y^2 + C1) * contrast-structure
//! ```
//!
//! Only `xx + yy` is ever used, so four quantities are filtered and not five. They are integers until after the filter. The
//! filter goes down columns first, then along rows, over strips of columns whose rows in flight stay in the nearest cache; only
//! windows that lie inside the image are computed.

use crate::plane::Plane;
use crate::window::{RADIUS, TAPS, weigh};

/// Outputs of a strip.
const STRIP: usize = 128;

/// Inputs of a strip.
const INPUTS: usize = STRIP + 2 * RADIUS;

const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Which map is averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// The whole index.
    Ssim,
    /// The index without the comparison of means.
    ContrastStructure,
}

/// Mean of `map` over all windows inside the planes: exactly 1 for equal planes, the same when they change places.
///
/// `None` when the planes differ in size or are too small for one window.
#[must_use]
pub fn mean(image: &Plane, reference: &Plane, map: Map) -> Option<f64> {
    let (width, height) = (image.width(), image.height());
    if (width, height) != (reference.width(), reference.height()) || width < TAPS || height < TAPS {
        return None;
    }
    let outputs = width - 2 * RADIUS;
    let mut strip = Strip::default();
    let total: f64 = (0..outputs)
        .step_by(STRIP)
        .map(|first| {
            let count = STRIP.min(outputs - first);
            (0..height)
                .map(|y| {
                    let columns = first..first + count + 2 * RADIUS;
                    strip.take(y % TAPS, &image.row(y)[columns.clone()], &reference.row(y)[columns]);
                    if y < 2 * RADIUS {
                        return 0.0;
                    }
                    match map {
                        Map::Ssim => strip.sum(y % TAPS, count, ssim),
                        Map::ContrastStructure => strip.sum(y % TAPS, count, contrast_structure),
                    }
                })
                .sum::<f64>()
        })
        .sum();
    Some(total / (outputs as f64 * (height - 2 * RADIUS) as f64))
}

/// Four quantities of a pixel, or of a window after the filter.
const QUANTITIES: usize = 4;

/// The last [`TAPS`] rows of a strip: of each row `x'`, `y'` (in units of 2^-23), `-2 x' y'` and `-(x'^2 + y'^2)` (2^-15), where
/// `x' = x - 128`. All lie in -2^30 to 2^30; the products are negative so that the largest one, 2 * 128^2, does.
struct Strip {
    rows: [[[i32; INPUTS]; QUANTITIES]; TAPS],
}

impl Default for Strip {
    fn default() -> Self {
        Self { rows: [[[0; INPUTS]; QUANTITIES]; TAPS] }
    }
}

impl Strip {
    /// Puts a row into `slot`, of which there are [`TAPS`].
    fn take(&mut self, slot: usize, image: &[i16], reference: &[i16]) {
        let [xs, ys, products, squares] = &mut self.rows[slot];
        let row = image.iter().zip(reference).zip(xs).zip(ys).zip(products).zip(squares);
        for (((((&x, &y), to_x), to_y), product), square) in row {
            let (x, y) = (i32::from(x), i32::from(y));
            (*to_x, *to_y) = (x << 15, y << 15);
            *product = -(x * y);
            // for x = y the very number that the product is
            *square = (-(x * x) - y * y) >> 1;
        }
    }

    /// Σ `index` over the `count` windows whose last row is in slot `newest`, the others in the slots after it in turn.
    fn sum(&self, newest: usize, count: usize, index: impl Fn(Moments) -> f64) -> f64 {
        let mut column = [0; INPUTS];
        let mut filtered = [[0; STRIP]; QUANTITIES];
        for (quantity, filtered) in filtered.iter_mut().enumerate() {
            let rows = std::array::from_fn(|k| &self.rows[(newest + 1 + k) % TAPS][quantity][..]);
            weigh::<32>(rows, &mut column[..count + 2 * RADIUS]);
            // one bit more than before is left of the fraction
            weigh::<31>(std::array::from_fn(|k| &column[k..]), &mut filtered[..count]);
        }
        let [xs, ys, products, squares] = &filtered;
        let mut indices = [0.0; STRIP];
        for (j, slot) in indices[..count].iter_mut().enumerate() {
            *slot = index(Moments::new(xs[j], ys[j], products[j], squares[j]));
        }
        lanes(&indices[..count])
    }
}

/// The sum of `values`, every fourth by itself so that they fill SIMD lanes.
fn lanes(values: &[f64]) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for four in fours {
        for (sum, value) in sums.iter_mut().zip(four) {
            *sum += value;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest.iter().sum::<f64>()
}

/// What the indices are made of, all in units of 2^-48: products of means need no scaling then.
#[derive(Clone, Copy)]
struct Moments {
    /// Sum of the means, each minus 128, in units of 2^-24.
    sum: f64,
    /// Twice the product of the means.
    product2: f64,
    /// Sum of the squares of the means.
    squares: f64,
    /// Twice the covariance, plus C2.
    covariance2: f64,
    /// Sum of the variances, plus C2.
    variances: f64,
}

/// The unit of means, and of products of them.
const MEAN: f64 = (1 << 24) as f64;
const PRODUCT: f64 = MEAN * MEAN;

impl Moments {
    /// From filtered quantities, in units of 2^-24 and 2^-16.
    fn new(x: i32, y: i32, product: i32, square: i32) -> Self {
        let [x, y, product, square] = [x, y, product, square].map(f64::from);
        let (product2, squares) = (2.0 * x * y, x * x + y * y);
        let second = |moment: f64| moment * (-PRODUCT / 65_536.0) + C2 * PRODUCT;
        Self {
            sum: x + y,
            product2,
            squares,
            covariance2: second(product) - product2,
            variances: second(square) - squares,
        }
    }
}

fn contrast_structure(moments: Moments) -> f64 {
    moments.covariance2 / moments.variances
}

/// With `x = x' + 128` and so on, `2 x y = 2 x' y' + e` and `x^2 + y^2 = x'^2 + y'^2 + e`, where `e = 256 (x' + y') + 2 * 128^2`.
fn ssim(Moments { sum, product2, squares, covariance2, variances }: Moments) -> f64 {
    let offset = f64::from(Plane::OFFSET);
    let shift = sum * (2.0 * offset * MEAN) + (2.0 * offset * offset + C1) * PRODUCT;
    ((product2 + shift) * covariance2) / ((squares + shift) * variances)
}
