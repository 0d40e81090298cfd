//! Euler's method on the probability flow (Karras et al. 2206.00364, algorithm 2 without churn), as diffusers'
//! `EulerDiscreteScheduler`.

use super::fields::Fields;
use super::schedule::{self, Prediction, Spacing, Training};
use super::sigmas::{self, Layout};
use super::{Kind, Scheduler, SchedulerError};
use crate::noise::Noise;

pub(super) struct Euler {
    timesteps: Vec<f32>,
    /// At least one more than timesteps.
    sigmas: Vec<f32>,
    init_noise_sigma: f32,
    prediction: Prediction,
}

impl Euler {
    pub(super) fn new(fields: &Fields, steps: usize) -> Result<Self, SchedulerError> {
        let training = Training::read(fields)?;
        let (trained, spacing) = (training.sigmas(), schedule::spacing(fields)?);
        let offset = fields.whole("steps_offset")?;
        let visited = visited(&training, spacing, steps, offset);
        let mut exact: Vec<f64> = visited.iter().map(|&t| sigmas::interpolate(f64::from(t), &trained)).collect();
        if fields.choice("interpolation_type", &[("linear", false), ("log_linear", true)])? {
            // one more than there are timesteps, whatever the spacing, so the one appended below is never reached
            let (low, high) = (trained[0].ln(), trained[trained.len() - 1].ln());
            exact = schedule::linspace32(high, low, steps + 1).into_iter().map(|log| f64::from(log.exp())).collect();
        }
        let mut timesteps = visited;
        if let Some(layout) = Layout::read(fields)? {
            let (low, high) = sigmas::ends(fields, exact[exact.len() - 1], exact[0])?;
            exact = layout.sigmas(low, high, steps);
            let logs = sigmas::logs(&trained);
            timesteps = exact.iter().map(|&sigma| sigmas::timestep(sigma, &logs) as f32).collect();
        }
        let mut sigmas: Vec<f32> = exact.into_iter().map(|sigma| sigma as f32).collect();
        sigmas.push(if sigmas::ends_at_lowest(fields)? { trained[0] } else { 0.0 });
        let continuous = fields.choice("timestep_type", &[("discrete", false), ("continuous", true)])?;
        if continuous && training.prediction == Prediction::V {
            timesteps = sigmas[..sigmas.len() - 1].iter().map(|sigma| 0.25 * sigma.ln()).collect();
        }
        Ok(Self { timesteps, init_noise_sigma: first_scale(&sigmas, spacing), sigmas, prediction: training.prediction })
    }
}

/// The visited timesteps, not rounded; diffusers keeps them as `f32` before it interpolates.
pub(super) fn visited(training: &Training, spacing: Spacing, steps: usize, offset: usize) -> Vec<f32> {
    schedule::timesteps(spacing, training.len, steps, offset).into_iter().map(|t| t as f32).collect()
}

/// What unit noise is multiplied with.
pub(super) fn first_scale(sigmas: &[f32], spacing: Spacing) -> f32 {
    let max = sigmas.iter().copied().fold(0.0, f32::max);
    match spacing {
        Spacing::Linspace | Spacing::Trailing => max,
        Spacing::Leading => (max * max + 1.0).sqrt(),
    }
}

/// The image that is predicted at noise level `sigma`.
pub(super) fn original(prediction: Prediction, sigma: f32, x: f32, m: f32) -> f32 {
    let variance = sigma * sigma + 1.0;
    match prediction {
        Prediction::Epsilon => x - sigma * m,
        Prediction::Sample => m,
        Prediction::V => m * (-sigma / variance.sqrt()) + x / variance,
    }
}

/// Brings a sample of noise level `sigma` to variance 1.
pub(super) fn normalise(sample: &mut [f32], sigma: f32) {
    let scale = (sigma * sigma + 1.0).sqrt();
    sample.iter_mut().for_each(|x| *x /= scale);
}

impl Scheduler for Euler {
    fn name(&self) -> &'static str {
        Kind::Euler.name()
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f32 {
        self.init_noise_sigma
    }

    fn scale_model_input(&self, index: usize, sample: &mut [f32]) {
        normalise(sample, self.sigmas[index]);
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], _: &mut Noise) {
        let sigma = self.sigmas[index];
        let change = self.sigmas[index + 1] - sigma;
        for (x, &m) in sample.iter_mut().zip(model_output) {
            *x += (*x - original(self.prediction, sigma, *x, m)) / sigma * change;
        }
    }
}
