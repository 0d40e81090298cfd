//! The perceptual hash of ImageHash: the `phash` tier.
//!
//! Luma, Pillow's Lanczos resize to 32x32, a cosine transform down columns and then along rows, and of the 8x8 lowest frequencies, the mean
//! included, which are above their median. Equal to `imagehash.phash(image)` bit for bit, and to the plugin `phash`, whose README tells
//! where that equality ends.

use difftest_core::image::Image;

use super::pair::Pair;
use crate::luma;
use crate::resize::{Filter, resize_channel};

// The plugin is a component of its own and cannot be a dependency; which operations happen in which order decides bits, so there is one text
// of them.
#[path = "../../../../plugins/phash/src/dct.rs"]
#[allow(unreachable_pub, reason = "public in the plugin")]
mod dct;

/// Rows of a hash, and bits of a row.
const SIDE: usize = 8;

/// Bits of 64 in which the hashes of image and baseline differ.
#[must_use]
pub fn distance(pair: &Pair) -> u32 {
    if pair.is_equal() {
        return 0;
    }
    let [image, baseline] = [pair.image(), pair.baseline()];
    (hash(image) ^ hash(baseline)).count_ones()
}

/// The hash of an image, its first bit, top left, the highest.
#[must_use]
pub fn hash(image: &Image) -> u64 {
    const LENGTH: u32 = dct::LENGTH as u32;
    let small =
        resize_channel(&luma::shared(image), (image.width(), image.height()), (LENGTH, LENGTH), Filter::Lanczos);
    let columns: [_; dct::LENGTH] =
        std::array::from_fn(|x| dct::transform(std::array::from_fn(|y| f64::from(small[y * dct::LENGTH + x]))));
    let rows: [_; SIDE] = std::array::from_fn(|v| dct::transform(columns.map(|column| column[v])));
    let low: [f64; SIDE * SIDE] = std::array::from_fn(|at| rows[at / SIDE][at % SIDE]);
    let mut sorted = low;
    sorted.sort_unstable_by(f64::total_cmp);
    let median = (sorted[SIDE * SIDE / 2 - 1] + sorted[SIDE * SIDE / 2]) / 2.0;
    low.iter().fold(0, |hash, frequency| hash << 1 | u64::from(*frequency > median))
}
