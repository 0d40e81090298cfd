//! The decoder's output as an 8-bit image.

use difftest_core::image::Image;

/// `planes` is `[3, height, width]`, nominally in [-1, 1]. `None` when a value is NaN or infinite, or the size does not fit.
///
/// `clamp(x / 2 + 1/2, 0, 1) * 255`, rounded half to even: diffusers' `VaeImageProcessor` and NumPy's `round`.
pub(super) fn image(planes: &[f32], width: u32, height: u32) -> Option<Image> {
    let plane = width as usize * height as usize;
    if planes.len() != 3 * plane || !planes.iter().all(|x| x.is_finite()) {
        return None;
    }
    let byte = |x: f32| ((x * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let pixels: Vec<u8> =
        (0..plane).flat_map(|i| [planes[i], planes[plane + i], planes[2 * plane + i]].map(byte)).collect();
    Image::new(width, height, pixels).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn planes_become_interleaved_bytes() {
        let planes = [-1.0, 1.0, -2.0, 2.0, 0.0, 1.0 / 255.0];
        let image = image(&planes, 2, 1).unwrap();
        // 0 -> 127.5 -> 128 (even), 1/255 -> 128
        assert_eq!(image.rgb8(), [0, 0, 128, 255, 255, 128]);
    }

    #[test]
    fn what_is_not_finite_is_no_image() {
        assert!(image(&[0.0, f32::NAN, 0.0], 1, 1).is_none());
        assert!(image(&[0.0, f32::INFINITY, 0.0], 1, 1).is_none());
    }
}
