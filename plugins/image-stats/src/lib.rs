//! Five statistics of one image, each equal to its NumPy or scikit-image formula; see the README for the table.
//!
//! Everything up to the last division is integer arithmetic, so a score is the same on every machine to the last bit,
//! and the loops run in SIMD lanes. `luma` is 8-bit BT.601 as Pillow's mode `L`, `rgb` is interleaved 8-bit sRGB.
//! The functions take plain slices, so the same code can be measured outside the sandbox.

pub mod histogram;
pub mod laplacian;
pub mod moments;
pub mod opponent;

use histogram::Histogram;
use moments::Moments;
use opponent::Opponent;

/// Mean luma divided by 255: 0 is black, 1 is white.
#[must_use]
pub fn brightness_of(luma: &[u8]) -> f64 {
    Moments::of(luma).mean() / 255.0
}

/// RMS contrast: population standard deviation of luma divided by 255, from 0 (flat) to 0.5 (half black, half white).
#[must_use]
pub fn contrast_of(luma: &[u8]) -> f64 {
    Moments::of(luma).standard_deviation() / 255.0
}

/// Variance of the Laplacian of luma / 255, from 0 (flat) to 16 (a checkerboard of pixels); see [`laplacian`].
#[must_use]
pub fn sharpness_of(luma: &[u8], width: usize) -> f64 {
    if luma.is_empty() {
        return 0.0;
    }
    laplacian::energy(luma, width) as f64 / (luma.len() as f64 * 255.0 * 255.0)
}

/// Colorfulness of Hasler and Suesstrunk (2003) on values 0..255: 0 is grey, photographs lie around 15 to 110.
#[must_use]
pub fn colorfulness_of(rgb: &[u8]) -> f64 {
    Opponent::of(rgb).colorfulness()
}

/// Shannon entropy of the luma histogram in bits per pixel, 0 to 8.
#[must_use]
pub fn entropy_of(luma: &[u8]) -> f64 {
    Histogram::of(luma).entropy()
}
