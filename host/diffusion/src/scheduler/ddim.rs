//! DDIM (Song et al. 2010.02502) as diffusers' `DDIMScheduler`, with eta 0, its pipelines' default: no noise is added.

use super::fields::Fields;
use super::limit::Limit;
use super::schedule::{self, Prediction, Training};
use super::{Kind, Scheduler, SchedulerError};
use crate::noise::Noise;

pub(super) struct Ddim {
    timesteps: Vec<f32>,
    /// `(alphas_cumprod[t], alphas_cumprod[previous t])` of each step.
    alphas: Vec<(f32, f32)>,
    prediction: Prediction,
    limit: Limit,
}

impl Ddim {
    pub(super) fn new(fields: &Fields, steps: usize) -> Result<Self, SchedulerError> {
        let training = Training::read(fields)?;
        let train = training.len;
        let last = if fields.flag("set_alpha_to_one")? { 1.0 } else { training.alpha(0)? };
        let offset = fields.whole("steps_offset")?;
        let timesteps: Vec<usize> = schedule::timesteps(schedule::spacing(fields)?, train, steps, offset)
            .into_iter()
            .map(|t| t.round_ties_even() as usize)
            .collect();
        let mut alphas = Vec::with_capacity(timesteps.len());
        for &t in &timesteps {
            let previous = t.checked_sub(train / steps).map(|previous| training.alpha(previous)).transpose()?;
            alphas.push((training.alpha(t)?, previous.unwrap_or(last)));
        }
        if training.prediction == Prediction::Epsilon && alphas.iter().any(|(alpha, _)| *alpha == 0.0) {
            return Err(
                fields.refuse("prediction_type", "v_prediction or sample, as the first timestep is noise alone")
            );
        }
        Ok(Self {
            timesteps: timesteps.into_iter().map(|t| t as f32).collect(),
            alphas,
            prediction: training.prediction,
            limit: Limit::read(fields)?,
        })
    }
}

impl Scheduler for Ddim {
    fn name(&self) -> &'static str {
        Kind::Ddim.name()
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], _: &mut Noise) {
        let (alpha, previous) = self.alphas[index];
        let (root_alpha, root_beta) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let (root_previous, direction) = (previous.sqrt(), (1.0 - previous).sqrt());
        let mut original = Vec::with_capacity(sample.len());
        // from here on the sample holds the predicted noise
        for (x, &m) in sample.iter_mut().zip(model_output) {
            let (image, epsilon) = match self.prediction {
                Prediction::Epsilon => ((*x - root_beta * m) / root_alpha, m),
                Prediction::Sample => (m, (*x - root_alpha * m) / root_beta),
                Prediction::V => (root_alpha * *x - root_beta * m, root_alpha * m + root_beta * *x),
            };
            original.push(image);
            *x = epsilon;
        }
        // the noise is not computed anew from the limited image: diffusers does so only when told to
        self.limit.apply(&mut original);
        for (x, image) in sample.iter_mut().zip(original) {
            *x = root_previous * image + direction * *x;
        }
    }
}
