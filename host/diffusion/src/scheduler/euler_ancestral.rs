//! Euler's method with noise added after each step (ancestral sampling), as diffusers' `EulerAncestralDiscreteScheduler`; the
//! scheduler of SD-Turbo and SDXL-Turbo.

use super::euler::{first_scale, normalise, original, visited};
use super::fields::Fields;
use super::schedule::{self, Prediction, Training};
use super::{Kind, Scheduler, SchedulerError, sigmas};
use crate::noise::Noise;

pub(super) struct EulerAncestral {
    timesteps: Vec<f32>,
    /// One more than timesteps: the last is where the image is.
    sigmas: Vec<f32>,
    init_noise_sigma: f32,
    prediction: Prediction,
}

impl EulerAncestral {
    pub(super) fn new(fields: &Fields, steps: usize) -> Result<Self, SchedulerError> {
        let training = Training::read(fields)?;
        if training.prediction == Prediction::Sample {
            return Err(fields.refuse("prediction_type", "epsilon or v_prediction for euler-ancestral"));
        }
        let (trained, spacing) = (training.sigmas(), schedule::spacing(fields)?);
        let timesteps = visited(&training, spacing, steps, fields.whole("steps_offset")?);
        let levels = timesteps.iter().map(|&t| sigmas::interpolate(f64::from(t), &trained) as f32);
        let sigmas: Vec<f32> = levels.chain([0.0]).collect();
        let init_noise_sigma = first_scale(&sigmas, spacing);
        Ok(Self { timesteps, sigmas, init_noise_sigma, prediction: training.prediction })
    }
}

impl Scheduler for EulerAncestral {
    fn name(&self) -> &'static str {
        Kind::EulerAncestral.name()
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

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], noise: &mut Noise) {
        let (sigma, next) = (self.sigmas[index], self.sigmas[index + 1]);
        let (from, to) = (sigma * sigma, next * next);
        let up = (to * (from - to) / from).sqrt();
        let down = (to - up * up).sqrt();
        let change = down - sigma;
        // drawn at the last step too, where nothing of it is added, so that the generator is left as diffusers leaves it
        let drawn = noise.randn(sample.len());
        for ((x, &m), e) in sample.iter_mut().zip(model_output).zip(drawn) {
            *x = *x + (*x - original(self.prediction, sigma, *x, m)) / sigma * change + e * up;
        }
    }
}
