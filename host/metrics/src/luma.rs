//! Luma as Pillow's `convert("L")` computes it.

use std::sync::Arc;

use difftest_core::image::Image;

/// [`luma8`], computed once for an image and all its clones.
#[must_use]
pub fn shared(image: &Image) -> Arc<[u8]> {
    image.luma_by(luma8)
}

/// One byte per pixel, row-major: `(19595 R + 38470 G + 7471 B + 32768) >> 16`, the BT.601 weights in 16-bit fixed point.
///
/// The sum cannot leave a byte: the weights add up to exactly 65536.
#[must_use]
pub fn luma8(image: &Image) -> Vec<u8> {
    let weigh = |p: &[u8]| {
        let sum = 19_595 * u32::from(p[0]) + 38_470 * u32::from(p[1]) + 7_471 * u32::from(p[2]) + 32_768;
        (sum >> 16) as u8
    };
    image.rgb8().chunks_exact(3).map(weigh).collect()
}
