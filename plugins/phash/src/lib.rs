//! Perceptual hashes of an image and its reference, and how many bits differ; see the README for what they equal.
//!
//! `luma -> 32x32 or 9x8 bytes -> 64 bits`: [`lanczos`] shrinks one channel as Pillow does (by the weights of [`windows`], with
//! the products of [`lanes`]), [`dct`] transforms it as SciPy does, to the last bit, and [`hash`] compares.

pub mod dct;
pub mod hash;
pub mod lanczos;
pub mod lanes;
pub mod windows;

use hash::{DHASH, Hash, PHASH};

difftest_sdk::metrics! {
    /// Bits of 64 in which the pHash of the image and of its reference differ: 0 for images that look alike.
    #[metric(range = 0.0..=64.0, direction = lower, unit = "bit")]
    pub fn phash_distance(image: &Image, reference: &Image) -> f64 {
        distance(image, reference, &PHASH)
    }

    /// Bits of 64 in which the dHash of the image and of its reference differ: 0 for images that look alike.
    #[metric(range = 0.0..=64.0, direction = lower, unit = "bit")]
    pub fn dhash_distance(image: &Image, reference: &Image) -> f64 {
        distance(image, reference, &DHASH)
    }
}

/// Hamming distance of two hashes. The images may differ in size.
fn distance(image: &Image, reference: &Image, hash: &Hash) -> f64 {
    let size = |image: &Image| (image.width() as usize, image.height() as usize);
    let of_image = hash.of_size(size(image));
    let own = of_image(&image.luma8());
    let other = reference.luma8();
    let other = if size(reference) == size(image) { of_image(&other) } else { hash.of_size(size(reference))(&other) };
    f64::from((own ^ other).count_ones())
}
