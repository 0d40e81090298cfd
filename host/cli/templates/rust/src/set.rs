//! {{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each function of the block that takes
//! `images` gives one score to all images of a test together.

difftest_sdk::metrics! {
    /// Standard deviation of the images' mean brightness, in grey levels: 0 is all alike.
    #[metric(range = 0.0..=128.0, direction = higher, unit = "levels")]
    fn brightness_spread(images: &ImageSet) -> Result<f64, Error> {
        if images.is_empty() {
            return Err(Error::unsupported_input("there are no images"));
        }
        // One image at a time is in memory, however large the set is.
        let means: Vec<f64> = images.iter().map(|image| mean(&image)).collect();
        let count = means.len() as f64;
        let middle = means.iter().sum::<f64>() / count;
        Ok((means.iter().map(|mean| (mean - middle).powi(2)).sum::<f64>() / count).sqrt())
    }
}

fn mean(image: &Image) -> f64 {
    let luma = image.luma8();
    luma.iter().map(|&level| f64::from(level)).sum::<f64>() / luma.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_an_image() {
        assert_eq!(mean(&Image::from_rgb8(2, 1, [0, 0, 0, 255, 255, 255])), 127.5);
    }
}
