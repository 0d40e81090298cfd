//! DDIM (Song et al. 2010.02502) with eta 0, as diffusers' `DDIMScheduler`.

use super::config::{Prediction, SchedulerConfig, Spacing};
use super::{Scheduler, SchedulerError, schedule};
use crate::noise::Noise;

pub(super) struct Ddim {
    timesteps: Vec<f32>,
    /// `(alphas_cumprod[t], alphas_cumprod[previous t])` of each step.
    alphas: Vec<(f32, f32)>,
    prediction: Prediction,
    /// Half width of the interval that predicted samples are clipped to.
    clip: Option<f32>,
}

impl Ddim {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self, SchedulerError> {
        config.refuse_thresholding()?;
        let train = config.num_train_timesteps;
        let table = schedule::alphas_cumprod(config);
        let last = if config.set_alpha_to_one.unwrap_or(true) { 1.0 } else { table[0] };
        let spacing = config.spacing.unwrap_or(Spacing::Leading);
        let timesteps: Vec<f64> = schedule::timesteps(spacing, train, steps, config.steps_offset)
            .into_iter()
            .map(f64::round_ties_even)
            .collect();
        let mut alphas = Vec::with_capacity(steps);
        for &t in &timesteps {
            let alpha = *table.get(t as usize).ok_or(SchedulerError::BeyondTraining { timestep: t, train })?;
            let previous = t - (train / steps) as f64;
            alphas.push((alpha, if previous >= 0.0 { table[previous as usize] } else { last }));
        }
        let clip = config.clip_sample.unwrap_or(true).then_some(config.clip_sample_range as f32);
        let timesteps = timesteps.into_iter().map(|t| t as f32).collect();
        Ok(Self { timesteps, alphas, prediction: config.prediction, clip })
    }
}

impl Scheduler for Ddim {
    fn name(&self) -> &'static str {
        "ddim"
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], _: &mut Noise) {
        let (alpha, previous) = self.alphas[index];
        let (root_alpha, root_beta) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let (root_previous, direction) = (previous.sqrt(), (1.0 - previous).sqrt());
        for (x, &m) in sample.iter_mut().zip(model_output) {
            let (mut original, epsilon) = match self.prediction {
                Prediction::Epsilon => ((*x - root_beta * m) / root_alpha, m),
                Prediction::Sample => (m, (*x - root_alpha * m) / root_beta),
                Prediction::V => (root_alpha * *x - root_beta * m, root_alpha * m + root_beta * *x),
            };
            if let Some(range) = self.clip {
                // the noise is not computed anew from the clipped sample: diffusers does so only when told to
                original = original.clamp(-range, range);
            }
            *x = root_previous * original + direction * epsilon;
        }
    }
}
