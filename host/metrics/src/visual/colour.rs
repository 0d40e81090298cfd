//! How different two colours look: a weighted distance in YIQ.
//!
//! "Measuring perceived color difference using YIQ NTSC transmission color space in mobile applications", Y. Kotsarenko and F. Ramos,
//! 2010. For a difference of brightness `y`, of orange to blue `i` and of green to purple `q`, the squared distance is
//! `0.5053 y^2 + 0.299 i^2 + 0.1957 q^2`. The coefficients and the order of the operations are those that pixelmatch uses, so that a
//! difference beside the threshold falls on the same side.

/// Eight bits each of red, green and blue.
pub type Rgb = [u8; 3];

/// The unit of thresholds and magnitudes: the square of the largest distance, that of red and cyan, rounded up as pixelmatch and
/// odiff have it.
pub const LARGEST: f64 = 35_215.0;

fn difference(a: Rgb, b: Rgb) -> [f64; 3] {
    std::array::from_fn(|channel| f64::from(i16::from(a[channel]) - i16::from(b[channel])))
}

/// How bright a colour is, in units of 1e-8: the `y` of YIQ, exact. No two colours are equally bright.
#[must_use]
pub fn brightness([r, g, b]: Rgb) -> i64 {
    29_889_531 * i64::from(r) + 58_662_247 * i64::from(g) + 11_448_223 * i64::from(b)
}

/// The square of the perceptual distance.
#[must_use]
pub fn squared_distance(a: Rgb, b: Rgb) -> f64 {
    let [r, g, b] = difference(a, b);
    let y = r * 0.298_895_31 + g * 0.586_622_47 + b * 0.114_482_23;
    let i = r * 0.595_977_99 - g * 0.274_176_10 - b * 0.321_801_89;
    let q = r * 0.211_470_17 - g * 0.522_617_11 + b * 0.311_146_94;
    0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q
}

/// The perceptual distance as a share of the largest: 0 for equal colours, 0.966 for black and white.
#[must_use]
pub fn magnitude(squared_distance: f64) -> f64 {
    (squared_distance / LARGEST).sqrt()
}

/// The largest difference of a channel that never is above `threshold`, whatever the other channels do: a distance is at most its
/// share of the largest.
#[must_use]
pub fn harmless(threshold: f64) -> u8 {
    // the slack is for the rounding of the squares
    (threshold * 255.0 * 0.999_999) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners() -> impl Iterator<Item = (Rgb, Rgb)> {
        (0..8_u8).map(|corner| {
            let a = std::array::from_fn(|channel| if corner >> channel & 1 == 1 { 255 } else { 0 });
            (a, a.map(|value| 255 - value))
        })
    }

    #[test]
    fn the_largest_distance_is_that_of_red_and_cyan() {
        // the distance is a convex function of the differences, so its maximum is at a corner
        let largest = corners().map(|(a, b)| squared_distance(a, b)).fold(0.0, f64::max);
        assert_eq!(largest, squared_distance([255, 0, 0], [0, 255, 255]));
        assert!(LARGEST - 1.0 < largest && largest <= LARGEST, "{largest}");
    }

    #[test]
    fn harmless_differences_are_below_the_threshold_in_every_direction() {
        for threshold in [0.0, 0.001, 0.004, 0.05, 0.1, 0.3, 0.77, 1.0] {
            let step = harmless(threshold);
            for (a, b) in corners() {
                let [a, b] = [a, b].map(|colour| colour.map(|value| if value == 255 { step } else { 0 }));
                assert!(squared_distance(a, b) <= LARGEST * threshold * threshold, "{threshold}: {step}");
            }
        }
        assert_eq!(harmless(0.1), 25);
        assert_eq!(harmless(f64::NAN), 0);
    }

    #[test]
    fn no_two_colours_are_equally_bright() {
        // differences of two colours, one channel of which follows from the others
        for (red, green) in (-255..=255_i64).flat_map(|red| (-255..=255).map(move |green| (red, green))) {
            let rest = 29_889_531 * red + 58_662_247 * green;
            let blue = rest / 11_448_223;
            let equal = rest % 11_448_223 == 0 && blue.abs() <= 255;
            assert_eq!(equal, (red, green) == (0, 0), "{red} {green} {blue}");
        }
        assert_eq!(brightness([1, 2, 3]), 29_889_531 + 2 * 58_662_247 + 3 * 11_448_223);
    }

    #[test]
    fn the_distance_has_no_direction() {
        let (a, b) = ([12, 200, 7], [255, 3, 90]);
        assert_eq!(squared_distance(a, b), squared_distance(b, a));
        assert_eq!(squared_distance(a, a), 0.0);
        assert!((magnitude(squared_distance([0; 3], [255; 3])) - 0.966).abs() < 0.001);
    }
}
