//! Images to PNG files.

use difftest_core::image::Image;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// The image could not be encoded.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode an image of {width}x{height} as PNG")]
pub struct EncodeError {
    width: u32,
    height: u32,
    #[source]
    source: image::ImageError,
}

/// A PNG file of the pixels: 8-bit RGB, no ancillary chunks (no time, no software name), so that equal pixels give equal
/// bytes with the same build of difftest.
///
/// # Errors
/// When the encoder refuses the size.
pub fn png(image: &Image) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::with_capacity(image.rgb8().len() / 2 + 1024);
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(image.rgb8(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|source| EncodeError { width: image.width(), height: image.height(), source })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decode::{Limits, decode};

    #[test]
    fn pixels_survive_and_bytes_repeat() {
        let pixels: Vec<u8> = (0..37 * 21 * 3).map(|i| (i * 7919 % 256) as u8).collect();
        let image = Image::new(37, 21, pixels).unwrap();
        let bytes = png(&image).unwrap();
        assert_eq!(bytes, png(&image).unwrap());
        assert_eq!(decode(&bytes, &Limits::default()).unwrap(), image);
    }
}
