//! MS-SSIM (Wang, Simoncelli and Bovik 2003) of two planes: five scales, each half the one before.

use crate::plane::Plane;
use crate::similarity::{Map, mean};
use crate::window::TAPS;

/// Exponents of the scales, finest first.
pub const EXPONENTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// The shortest side that there is an answer for: one more than ten times 2^4, so that the coarsest scale has at least one window.
pub const SHORTEST_SIDE: usize = (TAPS - 1) * (1 << (EXPONENTS.len() - 1)) + 1;

/// `Π cs_i^e_i * ssim_5^e_5` with the mean contrast-structure `cs_i` of scales 1 to 4 and the mean SSIM of scale 5, negative
/// means as 0.
///
/// `None` when the planes differ in size or have a side below [`SHORTEST_SIDE`].
#[must_use]
pub fn multiscale(image: Plane, reference: Plane) -> Option<f64> {
    if image.width().min(image.height()) < SHORTEST_SIDE {
        return None;
    }
    let [finer @ .., coarsest] = EXPONENTS;
    let (mut image, mut reference, mut product) = (image, reference, 1.0);
    for exponent in finer {
        product *= mean(&image, &reference, Map::ContrastStructure)?.max(0.0).powf(exponent);
        (image, reference) = (image.halved(), reference.halved());
    }
    Some(product * mean(&image, &reference, Map::Ssim)?.max(0.0).powf(coarsest))
}
