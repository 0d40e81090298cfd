//! Numbers as waves: the sinusoidal features that a network reads a timestep, a size or a guidance scale by.
//!
//! Products are rounded to `f32` where torch rounds them; the functions are taken in `f64` and rounded once, which gives the
//! same bits on every platform and differs from torch by its own rounding at most.

/// The sinusoidal embedding of a timestep (diffusers' `get_timestep_embedding`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeWaves {
    /// Number of features.
    pub width: usize,
    /// Cosines before sines.
    pub cosine_first: bool,
    /// Subtracted from the number of frequencies in the exponent.
    pub shift: f32,
}

impl TimeWaves {
    /// The features of one timestep, or of one size in pixels.
    pub fn features(&self, timestep: f32) -> Vec<f32> {
        let half = self.width / 2;
        let exponent = |index| (-(10000f64.ln()) as f32 * index as f32) / (half as f32 - self.shift);
        waves(timestep, self.width, self.cosine_first, exponent)
    }
}

/// The features of a guidance scale, `width` of them: sines before cosines (diffusers' `get_guidance_scale_embedding`, which
/// embeds 1000 times the scale less one).
pub fn guidance_features(scale: f64, width: usize) -> Vec<f32> {
    let rate = 10000f64.ln() as f32 / ((width / 2) as f32 - 1.0);
    waves((scale - 1.0) as f32 * 1000.0, width, false, |index| index as f32 * -rate)
}

fn waves(value: f32, width: usize, cosine_first: bool, exponent: impl Fn(usize) -> f32) -> Vec<f32> {
    let angle = |index: usize| f64::from(value * f64::from(exponent(index)).exp() as f32);
    let half = width / 2;
    let cosines = (0..half).map(|index| angle(index).cos() as f32);
    let sines = (0..half).map(|index| angle(index).sin() as f32);
    let mut features: Vec<f32> =
        if cosine_first { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
    features.resize(width, 0.0);
    features
}
