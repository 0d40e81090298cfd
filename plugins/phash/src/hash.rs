//! Sixty-four bits of an image, as ImageHash makes them. The first bit, top left, is the highest.

use crate::dct;
use crate::lanczos::{Resize, Size};

/// Rows of a hash, and bits of a row.
const SIDE: usize = 8;

/// A way to make 64 bits of an image.
pub struct Hash {
    /// What images are resized to first.
    size: Size,
    /// Of the pixels of an image of that size, row by row.
    of_pixels: fn(&[u8]) -> u64,
}

/// `imagehash.phash(image)`: of the 8x8 lowest frequencies of the image at 32x32, the mean included, which are above their median.
pub const PHASH: Hash = Hash { size: (dct::LENGTH, dct::LENGTH), of_pixels: phash };

/// `imagehash.dhash(image)`: of the image at 9x8, which pixels are darker than their right neighbour.
pub const DHASH: Hash = Hash { size: (SIDE + 1, SIDE), of_pixels: dhash };

impl Hash {
    /// Of images of one size: what depends on the size alone is computed once.
    pub fn of_size(&self, size: Size) -> impl Fn(&[u8]) -> u64 + use<> {
        let (resize, of_pixels) = (Resize::new(size, self.size), self.of_pixels);
        move |luma| of_pixels(&resize.apply(luma))
    }
}

fn phash(pixels: &[u8]) -> u64 {
    let columns: [_; dct::LENGTH] =
        std::array::from_fn(|x| dct::transform(std::array::from_fn(|y| f64::from(pixels[y * dct::LENGTH + x]))));
    let rows: [_; SIDE] = std::array::from_fn(|v| dct::transform(columns.map(|column| column[v])));
    let mut sorted: [f64; SIDE * SIDE] = std::array::from_fn(|at| rows[at / SIDE][at % SIDE]);
    let low = sorted;
    sorted.sort_unstable_by(f64::total_cmp);
    let median = (sorted[SIDE * SIDE / 2 - 1] + sorted[SIDE * SIDE / 2]) / 2.0;
    bits(low.iter().map(|&frequency| frequency > median))
}

fn dhash(pixels: &[u8]) -> u64 {
    bits(pixels.chunks_exact(SIDE + 1).flat_map(|row| row.windows(2).map(|two| two[1] > two[0])))
}

fn bits(bits: impl Iterator<Item = bool>) -> u64 {
    bits.fold(0, |hash, bit| hash << 1 | u64::from(bit))
}
