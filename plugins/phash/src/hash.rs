//! Sixty-four bits of an image, as ImageHash makes them. The first bit, top left, is the highest.

use crate::dct;
use crate::lanczos::resize;

/// Rows of a hash, and bits of a row.
const SIDE: usize = 8;

/// `imagehash.phash(image)`: of the 8x8 lowest frequencies of the image at 32x32, the mean included, which are above their median.
/// `luma` is row-major, `width` to a row.
#[must_use]
pub fn phash(luma: &[u8], width: usize) -> u64 {
    let pixels = resize(luma, width, dct::LENGTH, dct::LENGTH);
    let columns: [_; dct::LENGTH] =
        std::array::from_fn(|x| dct::transform(std::array::from_fn(|y| f64::from(pixels[y * dct::LENGTH + x]))));
    let rows: [_; SIDE] = std::array::from_fn(|v| dct::transform(columns.map(|column| column[v])));
    let mut sorted: [f64; SIDE * SIDE] = std::array::from_fn(|at| rows[at / SIDE][at % SIDE]);
    let low = sorted;
    sorted.sort_unstable_by(f64::total_cmp);
    let median = (sorted[SIDE * SIDE / 2 - 1] + sorted[SIDE * SIDE / 2]) / 2.0;
    bits(low.iter().map(|&frequency| frequency > median))
}

/// `imagehash.dhash(image)`: of the image at 9x8, which pixels are darker than their right neighbour.
/// `luma` is row-major, `width` to a row.
#[must_use]
pub fn dhash(luma: &[u8], width: usize) -> u64 {
    let pixels = resize(luma, width, SIDE + 1, SIDE);
    bits(pixels.chunks_exact(SIDE + 1).flat_map(|row| row.windows(2).map(|two| two[1] > two[0])))
}

fn bits(bits: impl Iterator<Item = bool>) -> u64 {
    bits.fold(0, |hash, bit| hash << 1 | u64::from(bit))
}
