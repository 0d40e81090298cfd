//! Pillow's resampling of 8-bit images, bit for bit.
//!
//! Separable: a horizontal pass into bytes, then a vertical one; a pass is skipped when that side keeps its length. Weights
//! are computed in `f64`, normalised, rounded to 22-bit fixed point; each output is `clip8((2^21 + sum k*p) >> 22)`. The
//! rounding to bytes *between* the passes is what other resizers do differently, and it moves a fifth of all values.
//! Checked against Pillow 13.0 by `tests/pillow.rs`.
//!
//! The horizontal pass always comes first, as in every Pillow up to 12. Pillow 13 turns the order round for some shapes (seen:
//! pictures more than twice as tall as wide, and sides that shrink much more than the other); single bytes then differ by rounding.

use std::ops::Range;

use difftest_core::image::{Image, WrongLength};

/// How to resample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// The pixel under the centre.
    Nearest,
    /// Triangle of support 1, widened when shrinking.
    Bilinear,
    /// Keys' cubic with a = -1/2, support 2.
    Bicubic,
    /// Windowed sinc of support 3.
    Lanczos,
}

impl Filter {
    /// Pillow's number for it, as `resample` in `preprocessor_config.json`.
    #[must_use]
    pub fn from_pillow(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Nearest),
            1 => Some(Self::Lanczos),
            2 => Some(Self::Bilinear),
            3 => Some(Self::Bicubic),
            _ => None,
        }
    }

    /// Half the width of the kernel at scale 1.
    fn support(self) -> f64 {
        match self {
            Self::Nearest => 0.0,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The kernel.
    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Nearest => 0.0,
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Bicubic => {
                const A: f64 = -0.5;
                let x = x.abs();
                if x < 1.0 {
                    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        })
    }
}

/// `image` at `width` x `height`, as `PIL.Image.resize((width, height), filter)`.
///
/// # Errors
/// [`WrongLength`] when a side is 0.
pub fn resize(image: &Image, width: u32, height: u32, filter: Filter) -> Result<Image, WrongLength> {
    resize_part(image, (width, height), 0..width, 0..height, filter)
}

/// The `columns` and `rows` of what [`resize`] to `size` would give, and only they are computed: a long strip blown up for a
/// crop of its middle costs what the crop costs.
///
/// # Errors
/// [`WrongLength`] when a side is 0 or the part does not lie inside `size`.
pub fn resize_part(
    image: &Image,
    size: (u32, u32),
    columns: Range<u32>,
    rows: Range<u32>,
    filter: Filter,
) -> Result<Image, WrongLength> {
    if columns.is_empty() || rows.is_empty() || columns.end > size.0 || rows.end > size.1 {
        return Image::new(columns.end.abs_diff(columns.start), 0, Vec::new());
    }
    let across = Taps::new(image.width(), size.0, columns, filter);
    let down = Taps::new(image.height(), size.1, rows, filter);
    let (width, height) = (across.spans.len() as u32, down.spans.len() as u32);
    let needed = down.inputs();
    let wide = horizontal::<3>(image.rgb8(), image.width(), &across, needed.clone());
    let tall = vertical(&wide, width as usize * 3, &down, needed.start);
    Image::new(width, height, tall)
}

/// One channel, such as luma, in rows of `from.0` bytes, at `to`: as `PIL.Image.resize(to, filter)` of mode `L`. No side is 0.
pub(crate) fn resize_channel(channel: &[u8], from: (u32, u32), to: (u32, u32), filter: Filter) -> Vec<u8> {
    let across = Taps::new(from.0, to.0, 0..to.0, filter);
    let down = Taps::new(from.1, to.1, 0..to.1, filter);
    let needed = down.inputs();
    let wide = horizontal::<1>(channel, from.0, &across, needed.clone());
    vertical(&wide, to.0 as usize, &down, needed.start)
}

/// Fixed-point bits: a byte times a weight below 2 fits an `i32` with room for the sum; a weight of one gives the byte back.
const BITS: u32 = 22;
const ONE: i32 = 1 << BITS;
const HALF: i32 = 1 << (BITS - 1);

/// For each output position: where its inputs start, and their weights. A single weight of one copies its input exactly.
struct Taps {
    /// `(first input, first weight, number of weights)`
    spans: Vec<(usize, usize, usize)>,
    weights: Vec<i32>,
}

impl Taps {
    /// For `outputs` of the `to` positions that `from` inputs are resampled to.
    fn new(from: u32, to: u32, outputs: Range<u32>, filter: Filter) -> Self {
        if from == to {
            return Self::copies(outputs.map(|out| out as usize));
        }
        let scale = f64::from(from) / f64::from(to);
        if filter == Filter::Nearest {
            // Pillow adds the step up instead of multiplying, which decides ties
            let mut at = scale * 0.5;
            (0..outputs.start).for_each(|_| at += scale);
            return Self::copies(outputs.map(|_| {
                let index = (at as usize).min(from as usize - 1);
                at += scale;
                index
            }));
        }
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let shrink = 1.0 / stretch;
        let mut taps = Self { spans: Vec::with_capacity(outputs.len()), weights: Vec::new() };
        let mut exact = Vec::new();
        for out in outputs {
            let centre = (f64::from(out) + 0.5) * scale;
            // the casts truncate like C's, and saturate at 0 where C's result is clamped to 0
            let first = (centre - support + 0.5) as u32;
            let end = ((centre + support + 0.5) as u32).min(from);
            exact.clear();
            exact.extend((first..end).map(|i| filter.weight((f64::from(i) - centre + 0.5) * shrink)));
            let sum: f64 = exact.iter().sum();
            taps.spans.push((first as usize, taps.weights.len(), exact.len()));
            let fixed = |w: &f64| {
                let w = if sum == 0.0 { *w } else { *w / sum };
                (w * f64::from(ONE) + if w < 0.0 { -0.5 } else { 0.5 }) as i32
            };
            taps.weights.extend(exact.iter().map(fixed));
        }
        taps
    }

    fn copies(inputs: impl Iterator<Item = usize>) -> Self {
        Self { spans: inputs.map(|input| (input, 0, 1)).collect(), weights: vec![ONE] }
    }

    /// The inputs that some output needs; spans start in ascending order, and so do they end.
    fn inputs(&self) -> Range<usize> {
        let first = self.spans.first().map_or(0, |span| span.0);
        first..self.spans.last().map_or(first, |span| span.0 + span.2)
    }

    /// `(first input, weights)` of each output, in order.
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.spans.iter().map(|&(first, at, count)| (first, &self.weights[at..at + count]))
    }
}

fn clip8(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// The given rows, of `width` pixels of `CHANNELS` bytes, with `taps` applied along them.
fn horizontal<const CHANNELS: usize>(bytes: &[u8], width: u32, taps: &Taps, rows: Range<usize>) -> Vec<u8> {
    let stride = width as usize * CHANNELS;
    let mut out = Vec::with_capacity(taps.spans.len() * CHANNELS * rows.len());
    for row in bytes[rows.start * stride..rows.end * stride].chunks_exact(stride) {
        for (first, weights) in taps.iter() {
            let mut sum = [HALF; CHANNELS];
            for (pixel, &k) in row[first * CHANNELS..].as_chunks::<CHANNELS>().0.iter().zip(weights) {
                for (sum, &p) in sum.iter_mut().zip(pixel) {
                    *sum += i32::from(p) * k;
                }
            }
            out.extend(sum.map(clip8));
        }
    }
    out
}

/// `taps` applied down columns of rows of `stride` bytes; `bytes` starts with row `offset` of the image.
fn vertical(bytes: &[u8], stride: usize, taps: &Taps, offset: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(taps.spans.len() * stride);
    let mut sums = vec![0; stride];
    for (first, weights) in taps.iter() {
        sums.fill(HALF);
        // row by row, so that the compiler can take many columns at once
        for (row, &k) in bytes[(first - offset) * stride..].chunks_exact(stride).zip(weights) {
            for (sum, &p) in sums.iter_mut().zip(row) {
                *sum += i32::from(p) * k;
            }
        }
        out.extend(sums.iter().map(|&sum| clip8(sum)));
    }
    out
}

/// `sin(pi x) / (pi x)` within a few ulp, without the platform's `sin`, which differs between systems.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    // exact reduction: sin(pi x) = (-1)^n sin(pi r), |r| <= 1/2
    let n = x.round();
    let r = (x - n) * std::f64::consts::PI;
    let square = r * r;
    // Taylor to r^23: the next term is below 2e-21 for |r| <= pi/2
    let mut sum = 0.0;
    for k in (1..=11).rev() {
        let k = f64::from(k);
        sum = -square / (2.0 * k * (2.0 * k + 1.0)) * (1.0 + sum);
    }
    let sine = r * (1.0 + sum);
    let odd = n.rem_euclid(2.0) == 1.0;
    (if odd { -sine } else { sine }) / (x * std::f64::consts::PI)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sinc_is_the_library_function_within_rounding() {
        for i in -3000..3000 {
            let x = f64::from(i) / 1000.0 + 0.000_37;
            let expected = (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI);
            assert!((sinc(x) - expected).abs() < 1e-15, "{x}: {} {expected}", sinc(x));
        }
    }

    #[test]
    fn a_side_of_zero_is_refused() {
        let image = Image::new(2, 2, vec![0; 12]).unwrap();
        assert!(resize(&image, 0, 3, Filter::Bicubic).is_err());
    }

    #[test]
    fn one_colour_stays_that_colour() {
        for colour in [0, 1, 127, 254, 255] {
            let image = Image::new(7, 5, vec![colour; 105]).unwrap();
            for filter in [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
                for (w, h) in [(1, 1), (3, 9), (40, 2), (7, 6)] {
                    let out = resize(&image, w, h, filter).unwrap();
                    assert!(out.rgb8().iter().all(|&p| p == colour), "{filter} {w}x{h} {colour}");
                }
            }
        }
    }
}
