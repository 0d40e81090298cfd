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
    let weigh = |[r, g, b]: &[u8; 3]| {
        let sum = 19_595 * u32::from(*r) + 38_470 * u32::from(*g) + 7_471 * u32::from(*b) + 32_768;
        (sum >> 16) as u8
    };
    let (pixels, _) = image.rgb8().as_chunks::<3>();
    let mut luma = vec![0; pixels.len()];
    // Blocks of a known length become vector instructions.
    let (blocks, rest) = pixels.as_chunks::<16>();
    let (to, rest_to) = luma.as_chunks_mut::<16>();
    for (block, to) in blocks.iter().zip(to) {
        *to = std::array::from_fn(|at| weigh(&block[at]));
    }
    rest_to.iter_mut().zip(rest).for_each(|(to, pixel)| *to = weigh(pixel));
    luma
}
