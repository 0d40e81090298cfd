//! Structural similarity of an image and its reference; see the README for the formulas and what they equal.
//!
//! `image -> planes of one channel -> local moments (integers) -> index per window (f64) -> mean`. [`plane`] holds a channel,
//! [`window`] is the Gaussian filter, [`similarity`] the index, [`multiscale`] its product over five scales.

pub mod multiscale;
pub mod plane;
pub mod similarity;
pub mod window;

use multiscale::SHORTEST_SIDE;
use plane::Plane;
use similarity::Map;
use window::TAPS;

difftest_sdk::metrics! {
    /// What of an image is compared.
    #[derive(Clone, Copy, Default)]
    #[difftest_sdk::config]
    pub enum Channels {
        /// Red, green and blue, each by itself; the score is the mean of the three.
        #[default]
        Rgb,
        /// BT.601 luma, as Pillow's mode `L`.
        Luma,
    }

    /// How to compare.
    pub struct SsimConfig {
        /// `rgb` (the mean of the three) or `luma`.
        #[config(default)]
        pub channels: Channels,
    }

    /// Structural similarity to the reference: 1 for equal pixels, as scikit-image in its Gaussian form.
    #[metric(range = -1.0..=1.0, direction = higher)]
    pub fn ssim(image: &Image, reference: &Image, config: &SsimConfig) -> Result<Score, Error> {
        check(image, reference, TAPS)?;
        score(image, reference, config, |image, reference| similarity::mean(&image, &reference, Map::Ssim))
    }

    /// Structural similarity over five scales, less strict about fine detail: 1 for equal pixels, as pytorch-msssim.
    #[metric(range = 0.0..=1.0, direction = higher)]
    pub fn ms_ssim(image: &Image, reference: &Image, config: &SsimConfig) -> Result<Score, Error> {
        check(image, reference, SHORTEST_SIDE)?;
        score(image, reference, config, multiscale::multiscale)
    }
}

/// Refuses images of two sizes, and images with a side below `shortest`.
fn check(image: &Image, reference: &Image, shortest: usize) -> Result<(), Error> {
    let (size, wanted) = (image.size(), reference.size());
    if size != wanted {
        return Err(Error::unsupported_input(format_args!(
            "the image has {}x{} pixels and its reference {}x{}: they are compared pixel by pixel, so make them one size",
            size.width, size.height, wanted.width, wanted.height
        )));
    }
    if (size.width.min(size.height) as usize) < shortest {
        return Err(Error::unsupported_input(format_args!(
            "the image has {}x{} pixels, and this metric needs {shortest}x{shortest} or more",
            size.width, size.height
        )));
    }
    Ok(())
}

/// The mean of `index` over the channels, and with several channels each of them as a detail.
fn score(
    image: &Image,
    reference: &Image,
    config: &SsimConfig,
    index: impl Fn(Plane, Plane) -> Option<f64>,
) -> Result<Score, Error> {
    let width = image.width() as usize;
    let (names, bytes): (&[&str], _) = match config.channels {
        Channels::Rgb => (&["red", "green", "blue"], [image, reference].map(Image::rgb8)),
        Channels::Luma => (&["luma"], [image, reference].map(Image::luma8)),
    };
    let mut values = Vec::with_capacity(names.len());
    for channel in 0..names.len() {
        let [image, reference] = bytes.each_ref().map(|bytes| Plane::of_bytes(bytes, width, channel, names.len()));
        let value = index(image, reference).ok_or_else(|| Error::other("the planes do not fit the image"))?;
        // rounding may step past the ends by some units in the last place
        values.push(value.clamp(-1.0, 1.0));
    }
    let mean = Score::new(values.iter().sum::<f64>() / values.len() as f64);
    let details = if values.len() > 1 { values.len() } else { 0 };
    Ok(names.iter().zip(values).take(details).fold(mean, |score, (name, value)| score.detail(*name, value)))
}
