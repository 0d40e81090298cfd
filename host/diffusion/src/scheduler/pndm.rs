//! PNDM (Liu et al. 2202.09778) as diffusers' `PNDMScheduler`.
//!
//! The linear multistep method PLMS needs four predictions to begin with. With `skip_prk_steps`, as Stable Diffusion 1 has
//! it, lower orders stand in for them, and the second step is taken twice, once from each end: one network call more than
//! steps. Without, the first three steps are Runge-Kutta steps of four calls each: nine calls more than steps.

use super::fields::Fields;
use super::schedule::{self, Prediction, Training};
use super::{Kind, Scheduler, SchedulerError};
use crate::noise::Noise;

/// Network calls of the Runge-Kutta warm-up.
const WARM_UP: usize = 12;

pub(super) struct Pndm {
    timesteps: Vec<f32>,
    /// `(alphas_cumprod at the start, at the end)` of each call's step.
    alphas: Vec<(f32, f32)>,
    v_prediction: bool,
    /// Calls of the warm-up: 0 or 12.
    warm_up: usize,
    /// Predictions of earlier calls, newest last, at most four.
    predictions: Vec<Vec<f32>>,
    /// The weighted sum of a Runge-Kutta step so far.
    sum: Vec<f32>,
    /// The sample that a step of several calls starts from.
    start: Vec<f32>,
}

impl Pndm {
    pub(super) fn new(fields: &Fields, steps: usize) -> Result<Self, SchedulerError> {
        let training = Training::read(fields)?;
        if training.prediction == Prediction::Sample {
            return Err(fields.refuse("prediction_type", "epsilon or v_prediction for pndm"));
        }
        let train = training.len;
        let last = if fields.flag("set_alpha_to_one")? { 1.0 } else { training.alpha(0)? };
        let alpha = |t: i64| usize::try_from(t).map_or(Ok(last), |t| training.alpha(t));
        let offset = fields.whole("steps_offset")?;
        let visited: Vec<i64> = schedule::timesteps(schedule::spacing(fields)?, train, steps, offset)
            .into_iter()
            .map(|t| t.round_ties_even() as i64)
            .collect();
        let ratio = (train / steps) as i64;
        let calls =
            if fields.flag("skip_prk_steps")? { multistep(&visited, ratio) } else { warmed_up(&visited, ratio) };
        let mut alphas = Vec::with_capacity(calls.len());
        for call in &calls {
            alphas.push((alpha(call.from)?, alpha(call.to)?));
        }
        Ok(Self {
            timesteps: calls.into_iter().map(|call| call.told as f32).collect(),
            alphas,
            v_prediction: training.prediction == Prediction::V,
            warm_up: if fields.flag("skip_prk_steps")? { 0 } else { WARM_UP },
            predictions: Vec::new(),
            sum: Vec::new(),
            start: Vec::new(),
        })
    }

    fn remember(&mut self, prediction: &[f32]) {
        if self.predictions.len() == 4 {
            self.predictions.remove(0);
        }
        self.predictions.push(prediction.to_vec());
    }

    /// A call of the warm-up: what to step along.
    fn runge_kutta(&mut self, stage: usize, model_output: &[f32], sample: &mut [f32]) -> Vec<f32> {
        let weight = if stage == 0 || stage == 3 { (1.0 / 6.0) as f32 } else { (1.0 / 3.0) as f32 };
        if stage == 0 {
            self.remember(model_output);
            self.start = sample.to_vec();
            self.sum = vec![0.0; sample.len()];
        }
        sample.copy_from_slice(&self.start);
        self.sum.iter_mut().zip(model_output).for_each(|(sum, m)| *sum += weight * m);
        if stage == 3 { self.sum.clone() } else { model_output.to_vec() }
    }

    /// A call of the multistep method: what to step along.
    fn extrapolate(&mut self, index: usize, model_output: &[f32], sample: &mut [f32]) -> Vec<f32> {
        let repeated = self.warm_up == 0 && index == 1;
        if index == 0 {
            self.start = sample.to_vec();
        }
        if repeated {
            sample.copy_from_slice(&self.start);
        } else {
            self.remember(model_output);
        }
        let newest = |age: usize| &self.predictions[self.predictions.len() - age];
        let e = |age: usize, i: usize| newest(age)[i];
        let combined = |i: usize| match self.predictions.len() {
            1 if repeated => (model_output[i] + e(1, i)) / 2.0,
            1 => model_output[i],
            2 => (3.0 * e(1, i) - e(2, i)) / 2.0,
            3 => (23.0 * e(1, i) - 16.0 * e(2, i) + 5.0 * e(3, i)) / 12.0,
            _ => (1.0 / 24.0) * (55.0 * e(1, i) - 59.0 * e(2, i) + 37.0 * e(3, i) - 9.0 * e(4, i)),
        };
        (0..sample.len()).map(combined).collect()
    }
}

/// One network call: the timestep it is told, and the timesteps that the step after it leads from and to.
struct Call {
    told: i64,
    from: i64,
    to: i64,
}

/// The calls with `skip_prk_steps`.
fn multistep(visited: &[i64], ratio: i64) -> Vec<Call> {
    let mut calls: Vec<Call> = visited.iter().map(|&t| Call { told: t, from: t, to: t - ratio }).collect();
    if let Some(&second) = visited.get(1) {
        calls.insert(1, Call { told: second, from: second + ratio, to: second });
    }
    calls
}

/// The calls without: three steps of four calls, at the start, twice in the middle and at the end.
fn warmed_up(visited: &[i64], ratio: i64) -> Vec<Call> {
    let half = ratio / 2;
    let mut calls = Vec::with_capacity(visited.len() + 9);
    for pair in visited.windows(2).take(3) {
        let (from, middle, end) = (pair[0], pair[1] + half, pair[1]);
        // diffusers steps back by half a stride from what an even call was told, and to what an odd one was told
        calls.push(Call { told: from, from, to: from - half });
        calls.push(Call { told: middle, from, to: middle });
        calls.push(Call { told: middle, from, to: middle - half });
        calls.push(Call { told: end, from, to: end });
    }
    calls.extend(visited.iter().skip(3).map(|&t| Call { told: t, from: t, to: t - ratio }));
    calls
}

impl Scheduler for Pndm {
    fn name(&self) -> &'static str {
        Kind::Pndm.name()
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], _: &mut Noise) {
        let along = if index < self.warm_up {
            self.runge_kutta(index % 4, model_output, sample)
        } else {
            self.extrapolate(index, model_output, sample)
        };
        let (a, previous) = self.alphas[index];
        let (b, b_previous) = (1.0 - a, 1.0 - previous);
        let keep = (previous / a).sqrt();
        // formula 9 of the paper
        let denominator = a * b_previous.sqrt() + (a * b * previous).sqrt();
        for (x, mut m) in sample.iter_mut().zip(along) {
            if self.v_prediction {
                m = a.sqrt() * m + b.sqrt() * *x;
            }
            *x = keep * *x - (previous - a) * m / denominator;
        }
    }
}
