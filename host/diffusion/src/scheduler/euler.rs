//! Euler's method on the probability flow (Karras et al. 2206.00364, algorithm 2 without churn), as diffusers'
//! `EulerDiscreteScheduler`.

use super::config::{Prediction, SchedulerConfig, SigmaSpacing, Spacing};
use super::{Scheduler, SchedulerError, schedule};
use crate::noise::Noise;

pub(super) struct Euler {
    timesteps: Vec<f32>,
    /// One more than timesteps: the last is where the image is.
    sigmas: Vec<f32>,
    init_noise_sigma: f32,
    prediction: Prediction,
}

impl Euler {
    pub(super) fn new(config: &SchedulerConfig, steps: usize) -> Result<Self, SchedulerError> {
        let spacing = config.spacing.unwrap_or(Spacing::Linspace);
        let mut alphas = schedule::alphas_cumprod(config);
        if let Some(last) = alphas.last_mut().filter(|_| config.rescale_betas_zero_snr) {
            // close to 0 without being 0, so that the first sigma is finite
            *last = 2.0_f32.powi(-24);
        }
        let trained = schedule::sigmas(&alphas);
        // diffusers keeps them as f32 before it interpolates
        let visited: Vec<f32> = schedule::timesteps(spacing, config.num_train_timesteps, steps, config.steps_offset)
            .into_iter()
            .map(|t| t as f32)
            .collect();
        let even: Vec<f64> = visited.iter().map(|&t| schedule::interpolate(f64::from(t), &trained)).collect();
        let low = config.sigma_min.unwrap_or(even[steps - 1]);
        let high = config.sigma_max.unwrap_or(even[0]);
        let (exact, timesteps) = match config.sigma_spacing {
            SigmaSpacing::Timesteps => (even, visited),
            SigmaSpacing::Karras => with_timesteps(karras(low, high, steps), &trained),
            SigmaSpacing::Exponential => with_timesteps(exponential(low, high, steps), &trained),
        };
        let mut sigmas: Vec<f32> = exact.into_iter().map(|sigma| sigma as f32).collect();
        sigmas.push(if config.final_sigma_is_min { trained[0] } else { 0.0 });
        let max = sigmas.iter().copied().fold(0.0, f32::max);
        let init_noise_sigma = match spacing {
            Spacing::Linspace | Spacing::Trailing => max,
            Spacing::Leading => (max * max + 1.0).sqrt(),
        };
        Ok(Self { timesteps, sigmas, init_noise_sigma, prediction: config.prediction })
    }
}

/// Equation 5 of Karras et al. with rho 7.
fn karras(low: f64, high: f64, steps: usize) -> Vec<f64> {
    const RHO: f64 = 7.0;
    let (low, high) = (low.powf(1.0 / RHO), high.powf(1.0 / RHO));
    schedule::linspace64(0.0, 1.0, steps).into_iter().map(|ramp| (high + ramp * (low - high)).powf(RHO)).collect()
}

fn exponential(low: f64, high: f64, steps: usize) -> Vec<f64> {
    schedule::linspace64(high.ln(), low.ln(), steps).into_iter().map(f64::exp).collect()
}

/// Each sigma with the fractional timestep it belongs to: linear between the logarithms of the trained ones.
fn with_timesteps(sigmas: Vec<f64>, trained: &[f32]) -> (Vec<f64>, Vec<f32>) {
    let logs: Vec<f32> = trained.iter().map(|sigma| sigma.ln()).collect();
    let timestep = |sigma: &f64| {
        let log = sigma.max(1e-10).ln();
        let below = logs.partition_point(|&trained| log >= f64::from(trained));
        let low = below.saturating_sub(1).min(logs.len().saturating_sub(2));
        let high = (low + 1).min(logs.len() - 1);
        let weight = ((f64::from(logs[low]) - log) / f64::from(logs[low] - logs[high])).clamp(0.0, 1.0);
        ((1.0 - weight) * low as f64 + weight * high as f64) as f32
    };
    let timesteps = sigmas.iter().map(timestep).collect();
    (sigmas, timesteps)
}

impl Scheduler for Euler {
    fn name(&self) -> &'static str {
        "euler"
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f32 {
        self.init_noise_sigma
    }

    fn scale_model_input(&self, index: usize, sample: &mut [f32]) {
        let sigma = self.sigmas[index];
        let scale = (sigma * sigma + 1.0).sqrt();
        sample.iter_mut().for_each(|x| *x /= scale);
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], _: &mut Noise) {
        let sigma = self.sigmas[index];
        let change = self.sigmas[index + 1] - sigma;
        let variance = sigma * sigma + 1.0;
        let v_scale = -sigma / variance.sqrt();
        for (x, &m) in sample.iter_mut().zip(model_output) {
            let original = match self.prediction {
                Prediction::Epsilon => *x - sigma * m,
                Prediction::Sample => m,
                Prediction::V => m * v_scale + *x / variance,
            };
            *x += (*x - original) / sigma * change;
        }
    }
}
