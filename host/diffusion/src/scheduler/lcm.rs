//! Multistep sampling of latent consistency models (Luo et al. 2310.04378, algorithm 3), as diffusers' `LCMScheduler`: each
//! step predicts the image, and all but the last put new noise on it.

use super::fields::Fields;
use super::limit::Limit;
use super::schedule::{Prediction, Training};
use super::{Kind, Scheduler, SchedulerError};
use crate::noise::Noise;

/// The standard deviation of the data, in the boundary condition.
const SIGMA_DATA: f32 = 0.5;

pub(super) struct Lcm {
    timesteps: Vec<f32>,
    /// `alphas_cumprod` at each timestep.
    alphas: Vec<f32>,
    timestep_scaling: f32,
    prediction: Prediction,
    limit: Limit,
}

impl Lcm {
    pub(super) fn new(fields: &Fields, steps: usize) -> Result<Self, SchedulerError> {
        let training = Training::read(fields)?;
        let distilled = fields.within("original_inference_steps", 1..=training.len as u64)?;
        let stride = training.len / distilled;
        // evenly spread over the timesteps that the model was distilled at, from the last one down
        let spread = distilled as f64 / steps as f64;
        let timestep = |i: usize| stride * (distilled - (i as f64 * spread).floor() as usize) - 1;
        let timesteps: Vec<usize> = (0..steps).map(timestep).collect();
        let alphas = timesteps.iter().map(|&t| training.alpha(t)).collect::<Result<Vec<_>, _>>()?;
        if training.prediction == Prediction::Epsilon && alphas.contains(&0.0) {
            return Err(
                fields.refuse("prediction_type", "v_prediction or sample, as the first timestep is noise alone")
            );
        }
        Ok(Self {
            timesteps: timesteps.into_iter().map(|t| t as f32).collect(),
            alphas,
            timestep_scaling: fields.number("timestep_scaling")? as f32,
            prediction: training.prediction,
            limit: Limit::read(fields)?,
        })
    }
}

impl Scheduler for Lcm {
    fn name(&self) -> &'static str {
        Kind::Lcm.name()
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], noise: &mut Noise) {
        let alpha = self.alphas[index];
        let (root_alpha, root_beta) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let mut image: Vec<f32> = sample
            .iter()
            .zip(model_output)
            .map(|(&x, &m)| match self.prediction {
                Prediction::Epsilon => (x - root_beta * m) / root_alpha,
                Prediction::Sample => m,
                Prediction::V => root_alpha * x - root_beta * m,
            })
            .collect();
        self.limit.apply(&mut image);
        let scaled = self.timesteps[index] * self.timestep_scaling;
        let total = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
        let (skip, out) = (SIGMA_DATA * SIGMA_DATA / total, scaled / total.sqrt());
        for (x, image) in sample.iter_mut().zip(image) {
            *x = out * image + skip * *x;
        }
        let Some(next) = self.alphas.get(index + 1) else { return };
        let (keep, add) = (next.sqrt(), (1.0 - next).sqrt());
        for (x, e) in sample.iter_mut().zip(noise.randn(model_output.len())) {
            *x = keep * *x + add * e;
        }
    }
}
