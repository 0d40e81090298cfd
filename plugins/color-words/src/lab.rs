//! sRGB to CIELAB in its cylindrical form.
//!
//! IEC 61966-2-1 transfer curve, D65 white of the 2 degree observer, and the matrix and white point digits of
//! `skimage.color.rgb2lab`, so that both give the same numbers.

/// A colour by lightness, chroma and hue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lch {
    /// L*, 0 (black) to 100 (white).
    pub lightness: f64,
    /// `sqrt(a*² + b*²)`, 0 for greys; about 134 for the purest sRGB blue.
    pub chroma: f64,
    /// `atan2(b*, a*)` in degrees, 0 up to 360. Meaningless for greys.
    pub hue: f64,
}

/// D65, Y = 1.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];

const RGB_TO_XYZ: [[f64; 3]; 3] =
    [[0.412_453, 0.357_580, 0.180_423], [0.212_671, 0.715_160, 0.072_169], [0.019_334, 0.119_193, 0.950_227]];

/// L*, a*, b* of one 8-bit sRGB colour.
#[must_use]
pub fn lab(rgb: [u8; 3]) -> [f64; 3] {
    let linear = rgb.map(|value| {
        let value = f64::from(value) / 255.0;
        if value > 0.040_45 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 }
    });
    let mut f = [0.0; 3];
    for ((out, row), white) in f.iter_mut().zip(RGB_TO_XYZ).zip(WHITE) {
        let relative = (row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2]) / white;
        *out = if relative > 0.008_856 { relative.cbrt() } else { 7.787 * relative + 16.0 / 116.0 };
    }
    [116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])]
}

impl Lch {
    /// The same colour, cylindrical.
    #[must_use]
    pub fn of(rgb: [u8; 3]) -> Self {
        let [lightness, a, b] = lab(rgb);
        let hue = b.atan2(a).to_degrees();
        Self { lightness, chroma: a.hypot(b), hue: if hue < 0.0 { hue + 360.0 } else { hue } }
    }
}
