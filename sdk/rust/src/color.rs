//! Colours of single pixels. Values equal scikit-image's `rgb2lab` (illuminant D65, 2 degree observer).

/// One pixel, 8-bit sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

impl Rgb {
    /// A pixel of these channels.
    #[must_use]
    pub const fn new(r: u8, g: u8, b: u8) -> Self {
        Self { r, g, b }
    }

    /// Each channel in `0.0 ..= 1.0`, still gamma-encoded.
    #[must_use]
    pub fn to_f64(self) -> [f64; 3] {
        [self.r, self.g, self.b].map(|channel| f64::from(channel) / 255.0)
    }

    /// Each channel in `0.0 ..= 1.0`, proportional to light (the inverse of the sRGB transfer function, IEC 61966-2-1).
    #[must_use]
    pub fn to_linear(self) -> [f64; 3] {
        self.to_f64().map(|c| if c > 0.04045 { ((c + 0.055) / 1.055).powf(2.4) } else { c / 12.92 })
    }

    /// BT.601 luma with Pillow's integer weights, as [`Image::luma8`](crate::Image::luma8) gives it.
    #[must_use]
    pub fn luma8(self) -> u8 {
        let sum = u32::from(self.r) * 19_595 + u32::from(self.g) * 38_470 + u32::from(self.b) * 7_471 + 0x8000;
        // The weights add up to 65536, so the result is at most 255.
        (sum >> 16).try_into().unwrap_or(u8::MAX)
    }

    /// CIE 1976 L*a*b*: L* in `0.0 ..= 100.0`, a* and b* within about -128 to 128. Distances in it follow the eye.
    #[must_use]
    pub fn to_lab(self) -> Lab {
        let [r, g, b] = self.to_linear();
        let f = |row: [f64; 3], white: f64| {
            let t = (row[0] * r + row[1] * g + row[2] * b) / white;
            if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 }
        };
        let x = f([0.412_453, 0.357_580, 0.180_423], 0.950_47);
        let y = f([0.212_671, 0.715_160, 0.072_169], 1.0);
        let z = f([0.019_334, 0.119_193, 0.950_227], 1.088_83);
        Lab { l: 116.0 * y - 16.0, a: 500.0 * (x - y), b: 200.0 * (y - z) }
    }
}

impl From<[u8; 3]> for Rgb {
    fn from([r, g, b]: [u8; 3]) -> Self {
        Self { r, g, b }
    }
}

/// A colour in CIELAB under D65.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lab {
    /// Lightness, `0.0 ..= 100.0`.
    pub l: f64,
    /// Green to red.
    pub a: f64,
    /// Blue to yellow.
    pub b: f64,
}

impl Lab {
    /// Colourfulness: the distance from grey.
    #[must_use]
    pub fn chroma(self) -> f64 {
        self.a.hypot(self.b)
    }

    /// Hue angle in degrees, `0.0 .. 360.0`: 0 is red-ish, 90 yellow, 180 green, 270 blue. Means nothing for greys.
    #[must_use]
    pub fn hue(self) -> f64 {
        self.b.atan2(self.a).to_degrees().rem_euclid(360.0)
    }

    /// CIE 1976 colour difference: the Euclidean distance. About 2.3 is just noticeable.
    #[must_use]
    pub fn delta_e76(self, other: Self) -> f64 {
        ((self.l - other.l).powi(2) + (self.a - other.a).powi(2) + (self.b - other.b).powi(2)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// `skimage.color.rgb2lab` of scikit-image 0.26 for the same pixels.
    #[test]
    fn lab_equals_scikit_image() {
        for (rgb, wanted) in LAB {
            let lab = Rgb::from(rgb).to_lab();
            for (got, wanted) in [lab.l, lab.a, lab.b].into_iter().zip(wanted) {
                assert!((got - wanted).abs() < 1e-9, "{rgb:?}: {lab:?}, wanted {wanted}");
            }
        }
    }

    const LAB: [([u8; 3], [f64; 3]); 8] = [
        ([255, 0, 0], [53.240_587_943_744_9, 80.092_308_225_692_2, 67.202_751_044_428_7]),
        ([0, 255, 0], [87.735_099_488_318_95, -86.183_029_744_395_01, 83.179_703_175_384_52]),
        ([0, 0, 255], [32.295_672_565_013_51, 79.185_590_911_765_56, -107.857_300_206_694_89]),
        ([255, 255, 255], [100.0, -0.002_454_937_862_050_865_5, 0.004_653_421_154_054_982]),
        ([0, 0, 0], [0.0, 0.0, 0.0]),
        ([12, 200, 77], [70.815_744_599_576_46, -66.543_544_230_651_29, 48.873_178_449_783_275]),
        ([128, 128, 128], [53.585_013_452_169_02, -0.001_472_645_553_057_816_4, 0.002_791_451_496_575_447_8]),
        ([5, 3, 9], [1.057_858_953_424_389_6, 1.357_209_316_673_435_6, -2.086_165_250_447_68]),
    ];

    #[test]
    fn differences_equal_scikit_image() {
        let (a, b) = (Rgb::new(12, 200, 77).to_lab(), Rgb::new(40, 180, 90).to_lab());
        assert!((a.delta_e76(b) - DELTA).abs() < 1e-8, "{}", a.delta_e76(b));
    }

    const DELTA: f64 = 18.065_044_22;

    #[test]
    fn hue_and_chroma_know_the_primaries() {
        assert!(Rgb::new(128, 128, 128).to_lab().chroma() < 0.01);
        for (rgb, hue) in [((255, 0, 0), 40.0), ((255, 255, 0), 102.9), ((0, 255, 0), 136.0), ((0, 0, 255), 306.3)] {
            let lab = Rgb::new(rgb.0, rgb.1, rgb.2).to_lab();
            assert!((lab.hue() - hue).abs() < 0.1 && lab.chroma() > 90.0, "{rgb:?}: {}", lab.hue());
        }
    }

    #[test]
    fn luma_is_exact_at_its_ends() {
        assert_eq!([Rgb::new(0, 0, 0).luma8(), Rgb::new(255, 255, 255).luma8()], [0, 255]);
        assert_eq!(
            [Rgb::new(255, 0, 0).luma8(), Rgb::new(0, 255, 0).luma8(), Rgb::new(0, 0, 255).luma8()],
            [76, 150, 29]
        );
    }
}
