//! Five statistics of one image, each equal to its NumPy or scikit-image formula; see the README for the table.
//!
//! One file per kind of sum; a sum is exact integers, a score is one division or square root away. So a score is the same
//! on every machine to the last bit, and the loops run in narrow SIMD lanes. The sums take plain slices, so that the same
//! code can be measured outside the sandbox: `luma` is 8-bit BT.601 as Pillow's mode `L`, `rgb` interleaved 8-bit sRGB.

pub mod histogram;
pub mod laplacian;
pub mod moments;
pub mod opponent;

use histogram::Histogram;
use moments::Moments;
use opponent::Opponent;

difftest_sdk::metrics! {
    /// Mean luma, from 0 (black) to 1 (white).
    #[metric(range = 0.0..=1.0)]
    pub fn brightness(image: &Image) -> f64 {
        brightness_of(&image.luma8())
    }

    /// RMS contrast: standard deviation of luma, from 0 (flat) to 0.5 (half black, half white).
    #[metric(range = 0.0..=0.5)]
    pub fn contrast(image: &Image) -> f64 {
        contrast_of(&image.luma8())
    }

    /// Variance of the Laplacian of luma, from 0 (flat or blurred) to 16; noise counts as sharp.
    #[metric(range = 0.0..=16.0)]
    pub fn sharpness(image: &Image) -> f64 {
        sharpness_of(&image.luma8(), image.width() as usize)
    }

    /// Colorfulness of Hasler and Suesstrunk (2003), from 0 (gray) to 298; vivid photographs reach 80 and more.
    #[metric(range = 0.0..=298.0)]
    pub fn colorfulness(image: &Image) -> f64 {
        colorfulness_of(&image.rgb8())
    }

    /// Shannon entropy of the luma histogram, from 0 (one level) to 8 (all levels equally often).
    #[metric(range = 0.0..=8.0, unit = "bit")]
    pub fn entropy(image: &Image) -> f64 {
        entropy_of(&image.luma8())
    }
}

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

/// Colorfulness of Hasler and Suesstrunk (2003) on values 0..255: 0 is gray. At most 297.7:
/// `rg² + yb²` is at most `1.25 x 255²` for any pixel, and `σ + 0.3 μ` at most `sqrt(1.09 (σ² + μ²))`.
#[must_use]
pub fn colorfulness_of(rgb: &[u8]) -> f64 {
    Opponent::of(rgb).colorfulness()
}

/// Shannon entropy of the luma histogram in bits per pixel, 0 to 8.
#[must_use]
pub fn entropy_of(luma: &[u8]) -> f64 {
    Histogram::of(luma).entropy()
}
