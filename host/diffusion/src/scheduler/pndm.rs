//! PNDM (Liu et al. 2202.09778) without its Runge-Kutta warm-up, as diffusers' `PNDMScheduler` with `skip_prk_steps`: the
//! linear multistep method PLMS, and what Stable Diffusion 1 names in its own configuration.
//!
//! The second step is taken twice, once from each end, so there is one network call more than steps.

use super::config::{Prediction, SchedulerConfig, Spacing};
use super::{Scheduler, SchedulerError, schedule};
use crate::noise::Noise;

pub(super) struct Pndm {
    timesteps: Vec<f32>,
    /// `(alphas_cumprod at the start, at the end)` of each call's step.
    alphas: Vec<(f32, f32)>,
    v_prediction: bool,
    /// Predictions of earlier calls, newest last, at most four.
    predictions: Vec<Vec<f32>>,
    /// The very first sample, for the repeated step.
    start: Vec<f32>,
}

impl Pndm {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self, SchedulerError> {
        config.refuse_prk_steps()?;
        if config.prediction == Prediction::Sample {
            return Err(SchedulerError::unsupported("prediction_type", "sample", "epsilon or v_prediction for pndm"));
        }
        let train = config.num_train_timesteps;
        let table = schedule::alphas_cumprod(config);
        let last = if config.set_alpha_to_one.unwrap_or(false) { 1.0 } else { table[0] };
        let alpha = |t: i64| match usize::try_from(t) {
            Err(_) => Ok(last),
            Ok(t) => table.get(t).copied().ok_or(SchedulerError::BeyondTraining { timestep: t as f64, train }),
        };
        let spacing = config.spacing.unwrap_or(Spacing::Leading);
        let mut timesteps: Vec<i64> = schedule::timesteps(spacing, train, steps, config.steps_offset)
            .into_iter()
            .map(|t| t.round_ties_even() as i64)
            .collect();
        if steps > 1 {
            timesteps.insert(1, timesteps[1]);
        }
        let ratio = (train / steps) as i64;
        let mut alphas = Vec::with_capacity(timesteps.len());
        for (index, &t) in timesteps.iter().enumerate() {
            let (from, to) = if index == 1 { (t + ratio, t) } else { (t, t - ratio) };
            alphas.push((alpha(from)?, alpha(to)?));
        }
        Ok(Self {
            timesteps: timesteps.into_iter().map(|t| t as f32).collect(),
            alphas,
            v_prediction: config.prediction == Prediction::V,
            predictions: Vec::new(),
            start: Vec::new(),
        })
    }

    /// The newest prediction, extrapolated along the earlier ones.
    fn combined(&self, index: usize, i: usize, newest: f32) -> f32 {
        let e = |age: usize| self.predictions[self.predictions.len() - age][i];
        match (index, self.predictions.len()) {
            (0, _) => newest,
            (1, _) => (newest + e(1)) / 2.0,
            (_, 2) => (3.0 * e(1) - e(2)) / 2.0,
            (_, 3) => (23.0 * e(1) - 16.0 * e(2) + 5.0 * e(3)) / 12.0,
            _ => (1.0 / 24.0) * (55.0 * e(1) - 59.0 * e(2) + 37.0 * e(3) - 9.0 * e(4)),
        }
    }
}

impl Scheduler for Pndm {
    fn name(&self) -> &'static str {
        "pndm"
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], _: &mut Noise) {
        if index == 0 {
            self.predictions.clear();
            self.start = sample.to_vec();
        }
        if index == 1 {
            sample.copy_from_slice(&self.start);
        } else {
            if self.predictions.len() == 4 {
                self.predictions.remove(0);
            }
            self.predictions.push(model_output.to_vec());
        }
        let (a, previous) = self.alphas[index];
        let (b, b_previous) = (1.0 - a, 1.0 - previous);
        let keep = (previous / a).sqrt();
        // formula 9 of the paper
        let denominator = a * b_previous.sqrt() + (a * b * previous).sqrt();
        for (i, x) in sample.iter_mut().enumerate() {
            let mut m = self.combined(index, i, model_output[i]);
            if self.v_prediction {
                m = a.sqrt() * m + b.sqrt() * *x;
            }
            *x = keep * *x - (previous - a) * m / denominator;
        }
    }
}
