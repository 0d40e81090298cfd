//! {{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each function of the block that takes
//! a `reference` compares an image with it.

difftest_sdk::metrics! {
    /// Mean difference of two images in grey levels: 0 is equal, 255 is black against white.
    #[metric(range = 0.0..=255.0, direction = lower, unit = "levels")]
    fn mean_difference(image: &Image, reference: &Image) -> Result<f64, Error> {
        if image.size() != reference.size() {
            return Err(Error::unsupported_input("the image and its reference differ in size"));
        }
        let (ours, theirs) = (image.luma8(), reference.luma8());
        let sum: u64 = ours.iter().zip(&theirs).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
        Ok(sum as f64 / ours.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_does_not_differ_from_itself() {
        let image = Image::from_rgb8(2, 1, [0, 10, 20, 200, 100, 0]);
        assert_eq!(mean_difference(&image, &image), Ok(0.0));
        let black = Image::from_rgb8(2, 1, [0; 6]);
        let white = Image::from_rgb8(2, 1, [255; 6]);
        assert_eq!(mean_difference(&white, &black), Ok(255.0));
    }
}
