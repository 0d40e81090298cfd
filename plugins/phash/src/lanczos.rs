//! Pillow's Lanczos resampling of one 8-bit channel, bit for bit: `Image.resize(size, Image.Resampling.LANCZOS)` of mode `L`.
//!
//! The contract's `resize` works on colours, and luma of small colours is not small luma; so this is the same algorithm
//! for one channel. Columns first, then rows, with bytes between; weights in units of 2^-22; a side that keeps its length is left
//! alone. That is every Pillow up to 12; Pillow 13 does the rows of some tall images first, and single bytes then differ.

use std::f64::consts::PI;

/// Bits of the fraction of a weight.
const BITS: u32 = 22;

/// The lobes of the kernel on each side.
const LOBES: f64 = 3.0;

/// `channel`, row-major and `width` to a row, at `to_width` x `to_height`. An empty one is black.
#[must_use]
pub fn resize(channel: &[u8], width: usize, to_width: usize, to_height: usize) -> Vec<u8> {
    let height = channel.len().checked_div(width).unwrap_or(0);
    if height == 0 {
        return vec![0; to_width * to_height];
    }
    let channel = &channel[..width * height];
    let columns =
        if width == to_width { channel.to_vec() } else { along_rows(channel, width, &windows(width, to_width)) };
    if height == to_height { columns } else { down_columns(&columns, to_width, &windows(height, to_height)) }
}

/// What one output is mixed from.
struct Window {
    /// The first input.
    first: usize,
    /// Of it and those after it.
    weights: Vec<i32>,
}

/// The windows of `to` outputs over `from` inputs. Their kernel is widened for shrinking, and its weights add up to one.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let widening = scale.max(1.0);
    let support = LOBES * widening;
    let window = |output: usize| {
        let center = (output as f64 + 0.5) * scale;
        // casts to unsigned stop at 0
        let first = (center - support + 0.5) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let weights: Vec<f64> =
            (first..end).map(|input| kernel((input as f64 - center + 0.5) * (1.0 / widening))).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| {
            let weight = weight / sum * f64::from(1 << BITS);
            (weight + 0.5_f64.copysign(weight)) as i32
        };
        Window { first, weights: weights.into_iter().map(fixed).collect() }
    };
    (0..to).map(window).collect()
}

/// `sinc(x) sinc(x / 3)` inside three lobes.
fn kernel(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
    if (-LOBES..LOBES).contains(&x) { sinc(x) * sinc(x / LOBES) } else { 0.0 }
}

fn along_rows(channel: &[u8], width: usize, windows: &[Window]) -> Vec<u8> {
    let mut outputs = Vec::with_capacity(channel.len() / width * windows.len());
    // widened once for all windows, so that the sums fill SIMD lanes
    let mut wide = vec![0_i32; width];
    for row in channel.chunks_exact(width) {
        for (wide, &value) in wide.iter_mut().zip(row) {
            *wide = i32::from(value);
        }
        outputs.extend(windows.iter().map(|Window { first, weights }| {
            let values = &wide[*first..][..weights.len()];
            byte(sum_of_products(weights, values))
        }));
    }
    outputs
}

/// `Σ weights[i] * values[i]` of two slices of one length, in eight sums side by side for SIMD.
fn sum_of_products(weights: &[i32], values: &[i32]) -> i32 {
    let (eights, rest) = weights.as_chunks::<8>();
    let (wide, last) = values.as_chunks::<8>();
    let mut sums = [0; 8];
    for (weights, values) in eights.iter().zip(wide) {
        for ((sum, weight), value) in sums.iter_mut().zip(weights).zip(values) {
            *sum += weight * value;
        }
    }
    sums.iter().sum::<i32>() + rest.iter().zip(last).map(|(weight, value)| weight * value).sum::<i32>()
}

fn down_columns(channel: &[u8], width: usize, windows: &[Window]) -> Vec<u8> {
    let mut outputs = Vec::with_capacity(windows.len() * width);
    let mut sums = vec![0; width];
    for Window { first, weights } in windows {
        sums.fill(0);
        for (row, weight) in channel[first * width..].chunks_exact(width).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(value);
            }
        }
        outputs.extend(sums.iter().map(|&sum| byte(sum)));
    }
    outputs
}

/// Rounded, and cut off where the negative lobes overshoot.
fn byte(sum: i32) -> u8 {
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}
