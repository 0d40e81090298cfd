//! An image and its baseline, of one size, ready to be compared; and the `bit` tier.

use difftest_core::image::Image;
use difftest_core::visual::{Region, Tier};

use super::colour::Rgb;
use super::region::Mask;
use super::{PixelOptions, VisualError, phash, pixel, ssim};

/// Two images of one size, ignored regions painted the same in both.
#[derive(Clone, Debug)]
pub struct Pair {
    image: Image,
    baseline: Image,
    mask: Option<Mask>,
    /// Found once: most pairs of a good run are equal, and every tier knows its answer then.
    equal: bool,
}

impl Pair {
    /// `image` beside `baseline`, of which `ignored` is not compared.
    ///
    /// # Errors
    /// [`VisualError::Sizes`] for two sizes, [`VisualError::RegionOutside`] for a region that covers nothing, and
    /// [`VisualError::NothingLeft`] where the regions cover everything.
    pub fn new(image: &Image, baseline: &Image, ignored: &[Region]) -> Result<Self, VisualError> {
        let size = |image: &Image| (image.width(), image.height());
        if size(image) != size(baseline) {
            return Err(VisualError::Sizes { image: size(image), baseline: size(baseline) });
        }
        let mask = Mask::new(ignored, image.width(), image.height())?;
        let painted = |image: &Image| match &mask {
            // painting keeps the length, so the size still fits
            Some(mask) => Image::new(image.width(), image.height(), mask.painted(image.rgb8())).ok(),
            None => None,
        };
        let [image, baseline] = [image, baseline].map(|image| painted(image).unwrap_or_else(|| image.clone()));
        let equal = image.rgb8() == baseline.rgb8();
        Ok(Self { image, baseline, mask, equal })
    }

    /// The image, ignored regions painted.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The baseline's image, ignored regions painted.
    #[must_use]
    pub fn baseline(&self) -> &Image {
        &self.baseline
    }

    /// What is ignored.
    #[must_use]
    pub fn mask(&self) -> Option<&Mask> {
        self.mask.as_ref()
    }

    /// Pixels per row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.image.width() as usize
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.image.height() as usize
    }

    /// How many pixels are compared: all that are not ignored, at least 1.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.mask.as_ref().map_or(self.width() as u64 * self.height() as u64, Mask::compared)
    }

    /// Whether every compared byte is equal.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.equal
    }

    /// How many pixels differ in any byte: the `bit` tier.
    #[must_use]
    pub fn differing(&self) -> u64 {
        if self.equal {
            return 0;
        }
        let pixels = self.rows().flat_map(|[image, baseline]| image.iter().zip(baseline));
        pixels.filter(|(a, b)| a != b).count() as u64
    }

    /// What `tier` says, in its unit; `None` for the one that needs a model.
    ///
    /// # Errors
    /// [`VisualError::NoWindow`] where `ssim` has no window.
    pub fn value(&self, tier: Tier, options: &PixelOptions) -> Result<Option<f64>, VisualError> {
        Ok(match tier {
            Tier::Bit => Some(self.differing() as f64),
            Tier::Pixel => Some(pixel::compare(self, options).share()),
            Tier::Ssim => Some(ssim::mean(self)?),
            Tier::Phash => Some(f64::from(phash::distance(self))),
            Tier::Semantic => None,
        })
    }

    /// The rows of both, from the top.
    pub(super) fn rows(&self) -> impl Iterator<Item = [&[Rgb]; 2]> {
        (0..self.height()).map(|y| self.row(y))
    }

    /// Row `y` of both.
    pub(super) fn row(&self, y: usize) -> [&[Rgb]; 2] {
        let width = self.width();
        [&self.image, &self.baseline].map(|image| &image.rgb8().as_chunks().0[y * width..][..width])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn image(width: u32, height: u32, pixels: &[u8]) -> Image {
        Image::new(width, height, pixels).unwrap()
    }

    #[test]
    fn bits_are_counted_by_pixel() {
        let (a, b) = (image(2, 1, &[1, 2, 3, 4, 5, 6]), image(2, 1, &[1, 2, 3, 9, 9, 6]));
        let pair = Pair::new(&a, &b, &[]).unwrap();
        assert_eq!((pair.differing(), pair.compared(), pair.is_equal()), (1, 2, false));
        let ignored = [Region { x: 1, y: 0, width: 1, height: 1 }];
        let pair = Pair::new(&a, &b, &ignored).unwrap();
        assert_eq!((pair.differing(), pair.compared(), pair.is_equal()), (0, 1, true));
    }

    #[test]
    fn two_sizes_are_an_answer() {
        let error = Pair::new(&image(1, 2, &[0; 6]), &image(2, 1, &[0; 6]), &[]).unwrap_err();
        assert_eq!(error, VisualError::Sizes { image: (1, 2), baseline: (2, 1) });
        assert_eq!(error.to_string(), "the image has 1x2 pixels and its baseline 2x1");
    }
}
