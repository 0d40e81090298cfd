//! DPM-Solver (Lu et al. 2206.00927) and DPM-Solver++ (2211.01095), multistep, orders 1 to 3, with and without noise, as
//! diffusers' `DPMSolverMultistepScheduler`.
//!
//! What a step does depends on the schedule alone: [`Dpm::new`] computes it for all steps, [`update`] has the formulas.

mod levels;
mod update;

use std::collections::VecDeque;

use self::update::{Algorithm, Level, Update};
use super::fields::Fields;
use super::limit::Limit;
use super::schedule::{Prediction, Training};
use super::{Kind, Scheduler, SchedulerError};
use crate::noise::Noise;

/// With fewer steps than this, `lower_order_final` takes the last ones at lower order.
const FEW: usize = 15;

pub(super) struct Dpm {
    kind: Kind,
    timesteps: Vec<f32>,
    steps: Vec<(Level, Update)>,
    algorithm: Algorithm,
    prediction: Prediction,
    limit: Limit,
    order: usize,
    /// What earlier calls predicted (the image or the noise, as the algorithm has it), newest first.
    predictions: VecDeque<Vec<f32>>,
}

impl Dpm {
    pub(super) fn new(kind: Kind, fields: &Fields, steps: usize) -> Result<Self, SchedulerError> {
        let training = Training::read(fields)?;
        let algorithm = Algorithm::read(fields)?;
        let order = fields.within("solver_order", 1..=3)?;
        if order == 3 && algorithm == Algorithm::Sde {
            return Err(fields.refuse("solver_order", "1 or 2 with algorithm_type sde-dpmsolver"));
        }
        let solvers = [("midpoint", false), ("heun", true), ("bh1", false), ("bh2", false), ("logrho", false)];
        let heun = fields.choice("solver_type", &solvers)?;
        for key in ["use_flow_sigmas", "use_dynamic_shifting"] {
            if fields.flag(key)? {
                return Err(fields.refuse(key, "false"));
            }
        }
        if fields.get("variance_type").is_some_and(|kind| kind == "learned" || kind == "learned_range") {
            return Err(fields.refuse("variance_type", "a variance that is not learned"));
        }
        let (timesteps, sigmas) = levels::visited(fields, &training, steps)?;
        let lower_order_final = fields.flag("lower_order_final")?;
        let first_order_last = fields.flag("euler_at_final")? || sigmas.last() == Some(&0.0);
        let count = timesteps.len();
        let mut updates = Vec::with_capacity(count);
        for index in 0..count {
            let left = count - 1 - index;
            if left > 0 && sigmas[index] == sigmas[index + 1] {
                return Err(SchedulerError::Standstill { step: index + 1, steps });
            }
            let cautious = lower_order_final && count < FEW;
            let most = match left {
                0 if cautious || first_order_last => 1,
                1 if cautious => order.min(2),
                _ => order,
            };
            // newest first: where the step leads, where it starts, and where earlier ones started
            let order = most.min(index + 1);
            let path: Vec<Level> = (0..=order).map(|age| Level::new(sigmas[index + 1 - age])).collect();
            let update = Update::new(algorithm, heun, &path);
            if !update.is_finite() {
                return Err(SchedulerError::Standstill { step: index + 1, steps });
            }
            updates.push((path[1], update));
        }
        Ok(Self {
            kind,
            timesteps: timesteps.into_iter().map(|t| t as f32).collect(),
            steps: updates,
            algorithm,
            prediction: training.prediction,
            limit: Limit::read(fields)?,
            order,
            predictions: VecDeque::new(),
        })
    }

    /// What the algorithm steps along: the predicted image for the `++` kinds, else the predicted noise.
    fn converted(&self, level: Level, model_output: &[f32], sample: &[f32]) -> Vec<f32> {
        let Level { alpha, sigma, .. } = level;
        let pairs = sample.iter().zip(model_output);
        if self.algorithm.predicts_image() {
            let mut image: Vec<f32> = pairs
                .map(|(&x, &m)| match self.prediction {
                    Prediction::Epsilon => (x - sigma * m) / alpha,
                    Prediction::Sample => m,
                    Prediction::V => alpha * x - sigma * m,
                })
                .collect();
            self.limit.apply(&mut image);
            return image;
        }
        let noise: Vec<f32> = pairs
            .map(|(&x, &m)| match self.prediction {
                Prediction::Epsilon => m,
                Prediction::Sample => (x - alpha * m) / sigma,
                Prediction::V => alpha * m + sigma * x,
            })
            .collect();
        if self.limit == Limit::Free {
            return noise;
        }
        let mut image: Vec<f32> = sample.iter().zip(&noise).map(|(x, e)| (x - sigma * e) / alpha).collect();
        self.limit.apply(&mut image);
        sample.iter().zip(image).map(|(x, image)| (x - alpha * image) / sigma).collect()
    }
}

impl Scheduler for Dpm {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], noise: &mut Noise) {
        let (level, update) = self.steps[index];
        self.predictions.truncate(self.order - 1);
        self.predictions.push_front(self.converted(level, model_output, sample));
        // diffusers draws it in f32 whatever the model's type is, and at every step
        let drawn = self.algorithm.adds_noise().then(|| noise.randn_f32(sample.len()));
        update.apply(sample, &self.predictions, drawn.as_deref());
    }
}
