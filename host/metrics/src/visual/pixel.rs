//! Pixels that differ perceptibly, those of soft edges left out: the `pixel` tier.
//!
//! A pixel differs when the perceptual distance of its colours is above the threshold ([`super::colour`]), unless it is a soft edge in one
//! of the images ([`super::antialias`]). Counts equal those of pixelmatch with the same threshold.

use super::antialias::Edges;
use super::colour::{LARGEST, Rgb, harmless, magnitude, squared_distance};
use super::pair::Pair;

/// What counts as a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelOptions {
    /// The distance above which colours differ, as a share of the largest: 0 to 1.
    pub threshold: f64,
    /// Whether soft edges count as well.
    pub count_antialiased: bool,
}

impl Default for PixelOptions {
    /// A threshold of 0.1, soft edges left out.
    fn default() -> Self {
        Self { threshold: 0.1, count_antialiased: false }
    }
}

/// How many pixels differ, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PixelDifference {
    /// Pixels that differ.
    pub differing: u64,
    /// Pixels above the threshold that are soft edges and do not count.
    pub antialiased: u64,
    /// Pixels compared.
    pub compared: u64,
    /// Mean distance of the colours of the differing pixels, as a share of the largest; 0 where none differs.
    pub mean_magnitude: f64,
    /// The largest of them.
    pub largest_magnitude: f64,
}

impl PixelDifference {
    /// The share of the compared pixels that differ: the value of the tier.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.differing as f64 / self.compared.max(1) as f64
    }
}

/// What a pixel above the threshold is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A difference.
    Different,
    /// A soft edge.
    Antialiased,
}

/// Compares pixel by pixel.
#[must_use]
pub fn compare(pair: &Pair, options: &PixelOptions) -> PixelDifference {
    let mut found = PixelDifference { compared: pair.compared(), ..PixelDifference::default() };
    scan(pair, options, |_, kind, distance| match kind {
        Kind::Antialiased => found.antialiased += 1,
        Kind::Different => {
            found.differing += 1;
            found.mean_magnitude += magnitude(distance);
            found.largest_magnitude = found.largest_magnitude.max(magnitude(distance));
        }
    });
    found.mean_magnitude /= found.differing.max(1) as f64;
    found
}

/// Tells `found` of each pixel above the threshold, row by row: its column and row, what it is, and the square of its distance.
pub fn scan(pair: &Pair, options: &PixelOptions, mut found: impl FnMut((usize, usize), Kind, f64)) {
    if pair.is_equal() {
        return;
    }
    let limit = LARGEST * options.threshold * options.threshold;
    let harmless = harmless(options.threshold);
    let images = [pair.image(), pair.baseline()].map(|image| image.rgb8().as_chunks().0);
    let mut edges = Edges::new(images, pair.width());
    for (y, [image, baseline]) in pair.rows().enumerate() {
        let runs = image.chunks(RUN).zip(baseline.chunks(RUN)).zip((0..).step_by(RUN));
        for ((image, baseline), first) in runs.filter(|((image, baseline), _)| exceeds(image, baseline, harmless)) {
            for ((a, b), x) in image.iter().zip(baseline).zip(first..) {
                let distance = squared_distance(*a, *b);
                if distance > limit {
                    let soft = !options.count_antialiased && edges.is_antialiased(x, y);
                    found((x, y), if soft { Kind::Antialiased } else { Kind::Different }, distance);
                }
            }
        }
    }
}

/// Pixels that are looked at together: 96 bytes, some SIMD registers.
const RUN: usize = 32;

/// Whether any byte differs by more than `harmless`. Most runs do not, and are done with.
fn exceeds(image: &[Rgb], baseline: &[Rgb], harmless: u8) -> bool {
    let bytes = image.as_flattened().iter().zip(baseline.as_flattened());
    bytes.fold(0, |largest, (a, b)| a.abs_diff(*b).max(largest)) > harmless
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use difftest_core::image::Image;

    use super::*;

    #[test]
    fn counts_and_magnitudes() {
        let white = Image::new(40, 1, vec![255; 120]).unwrap();
        let mut pixels = vec![255; 120];
        pixels[111..114].fill(0);
        pixels[0..3].fill(250);
        let pair = Pair::new(&Image::new(40, 1, pixels).unwrap(), &white, &[]).unwrap();
        let found = compare(&pair, &PixelOptions::default());
        assert_eq!((found.differing, found.antialiased, found.compared), (1, 0, 40));
        assert_eq!(found.share(), 1.0 / 40.0);
        assert_eq!(found.mean_magnitude, found.largest_magnitude);
        assert!((found.largest_magnitude - 0.966).abs() < 0.001);
        let strict = PixelOptions { threshold: 0.0, ..PixelOptions::default() };
        assert_eq!(compare(&pair, &strict).differing, 2);
    }
}
