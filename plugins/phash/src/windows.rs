//! Which inputs each output of a Lanczos resampling is mixed from, and how much of each: Pillow's `precompute_coeffs`.

use std::f64::consts::PI;
use std::ops::Range;

use crate::lanes::Weights;

/// Bits of the fraction of a weight.
pub const BITS: u32 = 22;

/// The lobes of the kernel on each side.
const LOBES: f64 = 3.0;

/// The windows of all outputs over one side of an image.
pub struct Windows {
    windows: Vec<Window>,
    /// Those of each different window, each filled up with zeros to a multiple of eight.
    weights: Vec<Weights>,
}

/// What one output is mixed from.
struct Window {
    first: usize,
    weights: Range<usize>,
}

impl Windows {
    /// Of `to` outputs over `from` inputs. The kernel is widened for shrinking, and the weights of each output add up to one.
    #[must_use]
    pub fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let widening = scale.max(1.0);
        let support = LOBES * widening;
        // Then all positions are fractions of a power of two, and the arithmetic on them is exact: outputs that lie alike among
        // their inputs have the same weights. Otherwise their roundings may differ.
        let exact = to.is_power_of_two() || from.is_multiple_of(to);
        let mut known: Vec<((f64, usize), Range<usize>)> = Vec::new();
        let mut weights = Vec::new();
        let window = |output: usize| {
            let center = (output as f64 + 0.5) * scale;
            // casts to unsigned stop at 0
            let first = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let place = (first as f64 - center, end - first);
            if let Some((_, weights)) = known.iter().find(|(known, _)| exact && *known == place) {
                return Window { first, weights: weights.clone() };
            }
            let fractions: Vec<f64> =
                (first..end).map(|input| kernel((input as f64 - center + 0.5) * (1.0 / widening))).collect();
            let start = weights.len();
            weights.extend(fixed(&fractions).chunks(8).map(Weights::new));
            known.push((place, start..weights.len()));
            Window { first, weights: start..weights.len() }
        };
        Self { windows: (0..to).map(window).collect(), weights }
    }

    /// How many outputs there are.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.windows.len()
    }

    /// Of each output the first input and the weights, of it and those after it. Past the last input they are 0.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[Weights])> {
        self.windows.iter().map(|window| (window.first, &self.weights[window.weights.clone()]))
    }
}

/// Weights in units of 2^-22 that add up to about one.
fn fixed(weights: &[f64]) -> Vec<i32> {
    let sum: f64 = weights.iter().sum();
    let fixed = |weight: &f64| {
        let weight = weight / sum * f64::from(1 << BITS);
        (weight + 0.5_f64.copysign(weight)) as i32
    };
    weights.iter().map(fixed).collect()
}

/// `sinc(x) sinc(x / 3)` inside three lobes.
fn kernel(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
    if (-LOBES..LOBES).contains(&x) { sinc(x) * sinc(x / LOBES) } else { 0.0 }
}
