//! Perceptual hashes of an image and its reference, and how many bits differ; see the README for what they equal.
//!
//! `luma -> 32x32 or 9x8 bytes -> 64 bits`: [`lanczos`] shrinks one channel as Pillow does, [`dct`] transforms it as SciPy does,
//! to the last bit, and [`hash`] compares.

pub mod dct;
pub mod hash;
pub mod lanczos;

difftest_sdk::metrics! {
    /// Bits of 64 in which the pHash of the image and of its reference differ: 0 for images that look alike.
    #[metric(range = 0.0..=64.0, direction = lower, unit = "bit")]
    pub fn phash_distance(image: &Image, reference: &Image) -> f64 {
        distance(image, reference, hash::phash)
    }

    /// Bits of 64 in which the dHash of the image and of its reference differ: 0 for images that look alike.
    #[metric(range = 0.0..=64.0, direction = lower, unit = "bit")]
    pub fn dhash_distance(image: &Image, reference: &Image) -> f64 {
        distance(image, reference, hash::dhash)
    }
}

/// Hamming distance of two hashes. The images may differ in size.
fn distance(image: &Image, reference: &Image, hash: fn(&[u8], usize) -> u64) -> f64 {
    let [image, reference] = [image, reference].map(|image| hash(&image.luma8(), image.width() as usize));
    f64::from((image ^ reference).count_ones())
}
