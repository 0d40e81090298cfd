//! One step of the solver as a weighted sum.
//!
//! With `t` where the step leads and `s0`, `s1`, `s2` where it and the earlier ones started, newest first, `h` is the change
//! of half the logarithm of the signal-to-noise ratio (lambda) over the step. Formulas are those of the papers in the mix of
//! operations that diffusers uses, in `f32`.

use std::collections::VecDeque;

use crate::scheduler::SchedulerError;
use crate::scheduler::fields::Fields;

/// `algorithm_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// `dpmsolver++`
    PlusPlus,
    /// `dpmsolver`
    Plain,
    /// `sde-dpmsolver++`
    SdePlusPlus,
    /// `sde-dpmsolver`
    Sde,
}

impl Algorithm {
    pub(super) fn read(fields: &Fields) -> Result<Self, SchedulerError> {
        let names = [
            ("dpmsolver++", Self::PlusPlus),
            ("dpmsolver", Self::Plain),
            ("sde-dpmsolver++", Self::SdePlusPlus),
            ("sde-dpmsolver", Self::Sde),
        ];
        let algorithm = fields.choice("algorithm_type", &names)?;
        if !algorithm.predicts_image() && fields.get("final_sigmas_type").is_some_and(|last| last == "zero") {
            return Err(fields.refuse("final_sigmas_type", "sigma_min with algorithm_type dpmsolver or sde-dpmsolver"));
        }
        Ok(algorithm)
    }

    pub(super) fn predicts_image(self) -> bool {
        matches!(self, Self::PlusPlus | Self::SdePlusPlus)
    }

    pub(super) fn adds_noise(self) -> bool {
        matches!(self, Self::SdePlusPlus | Self::Sde)
    }
}

/// A noise level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// Share of the image in a sample of variance 1.
    pub(super) alpha: f32,
    /// Share of the noise in it.
    pub(super) sigma: f32,
    /// `ln(alpha / sigma)`
    lambda: f32,
}

impl Level {
    /// Of a sample that holds the image once and noise of standard deviation `sigma`.
    pub(super) fn new(sigma: f32) -> Self {
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        let sigma = sigma * alpha;
        Self { alpha, sigma, lambda: ln(alpha) - ln(sigma) }
    }
}

/// The weights of a step: of the sample, of the prediction, of its first and second differences, and of noise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Update {
    sample: f32,
    prediction: f32,
    first: f32,
    second: f32,
    noise: f32,
    /// What the differences between predictions are divided by: `h` of the earlier steps in units of this one's.
    ratios: [f32; 2],
    order: usize,
}

impl Update {
    /// `path` holds `t, s0, ...`: one level more than the order of the step.
    pub(super) fn new(algorithm: Algorithm, heun: bool, path: &[Level]) -> Self {
        let (t, s) = (path[0], path[1]);
        let order = path.len() - 1;
        let h = t.lambda - s.lambda;
        let ratio = |from: usize| path.get(from + 1).map_or(1.0, |before| (path[from].lambda - before.lambda) / h);
        let slope = heun || order == 3;
        let mut update = Self { ratios: [ratio(1), ratio(2)], order, ..Self::default() };
        match algorithm {
            Algorithm::PlusPlus => {
                let shrink = exp(-h) - 1.0;
                update.sample = t.sigma / s.sigma;
                update.prediction = -(t.alpha * shrink);
                update.first = if slope { t.alpha * (shrink / h + 1.0) } else { -0.5 * (t.alpha * shrink) };
                update.second = -(t.alpha * ((shrink + h) / (h * h) - 0.5));
            }
            Algorithm::Plain => {
                let grow = exp(h) - 1.0;
                update.sample = t.alpha / s.alpha;
                update.prediction = -(t.sigma * grow);
                update.first = if slope { -(t.sigma * (grow / h - 1.0)) } else { -0.5 * (t.sigma * grow) };
                update.second = -(t.sigma * ((grow - h) / (h * h) - 0.5));
            }
            Algorithm::SdePlusPlus => {
                let fresh = 1.0 - exp(-2.0 * h);
                update.sample = t.sigma / s.sigma * exp(-h);
                update.prediction = t.alpha * fresh;
                update.first = if slope { t.alpha * (fresh / (-2.0 * h) + 1.0) } else { 0.5 * (t.alpha * fresh) };
                update.second = t.alpha * ((fresh - 2.0 * h) / (2.0 * h * (2.0 * h)) - 0.5);
                update.noise = t.sigma * fresh.sqrt();
            }
            Algorithm::Sde => {
                let grow = exp(h) - 1.0;
                update.sample = t.alpha / s.alpha;
                update.prediction = -2.0 * (t.sigma * grow);
                update.first = if slope { -2.0 * (t.sigma * (grow / h - 1.0)) } else { -(t.sigma * grow) };
                update.noise = t.sigma * (exp(2.0 * h) - 1.0).sqrt();
            }
        }
        // what a lower order does not use need not be finite
        if order < 3 {
            update.second = 0.0;
        }
        if order < 2 {
            update.first = 0.0;
        }
        update
    }

    pub(super) fn is_finite(&self) -> bool {
        let inverse = self.ratios.map(|ratio| 1.0 / ratio);
        let weights = [self.sample, self.prediction, self.first, self.second, self.noise, inverse[0], inverse[1]];
        weights.iter().all(|weight| weight.is_finite())
    }

    /// `predictions` are newest first, at least as many as the order.
    pub(super) fn apply(&self, sample: &mut [f32], predictions: &VecDeque<Vec<f32>>, noise: Option<&[f32]>) {
        let [r0, r1] = self.ratios;
        for (i, x) in sample.iter_mut().enumerate() {
            let m = |age: usize| predictions[age][i];
            let mut next = self.sample * *x + self.prediction * m(0);
            if self.order > 1 {
                let newer = (1.0 / r0) * (m(0) - m(1));
                if self.order > 2 {
                    let change = newer - (1.0 / r1) * (m(1) - m(2));
                    next += self.first * (newer + (r0 / (r0 + r1)) * change);
                    next += self.second * ((1.0 / (r0 + r1)) * change);
                } else {
                    next += self.first * newer;
                }
            }
            if let Some(noise) = noise {
                next += self.noise * noise[i];
            }
            *x = next;
        }
    }
}

/// Rounded from `f64`, where platforms agree to the last bit of `f32`.
fn ln(x: f32) -> f32 {
    f64::from(x).ln() as f32
}

fn exp(x: f32) -> f32 {
    f64::from(x).exp() as f32
}
