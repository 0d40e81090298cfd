//! Schedulers: from noise to latents, step by step, with the arithmetic and the mix of precisions of diffusers.
//!
//! ```text
//! scheduler_config.json -> SchedulerConfig -> (kind: class defaults, file, overrides) -> settings -> Scheduler
//! ```
//!
//! A [`SchedulerConfig`] is read from a file; [`SchedulerConfig::scheduler`] makes a [`Scheduler`] of some [`Kind`] for a number
//! of steps, as diffusers' `Class.from_config(config)` and `set_timesteps(steps)` do: what the file says carries over, the rest
//! are the class's own defaults, and settings that the class does not have are ignored. One scheduler serves one image, because
//! some remember earlier predictions.
//!
//! | name | class of diffusers | network calls | noise | settings that it follows |
//! |---|---|---|---|---|
//! | `ddim` | `DDIMScheduler` | steps | no | `set_alpha_to_one`, limits |
//! | `pndm` | `PNDMScheduler` | steps + 1, or + 9 | no | `set_alpha_to_one`, `skip_prk_steps` |
//! | `euler` | `EulerDiscreteScheduler` | steps | no | sigmas, `interpolation_type`, `timestep_type` |
//! | `euler-ancestral` | `EulerAncestralDiscreteScheduler` | steps | each step | |
//! | `dpmpp-2m` | `DPMSolverMultistepScheduler` | steps | `sde-*`: each step | sigmas, `use_lu_lambdas`, `algorithm_type`, `solver_order` 1 to 3, `solver_type`, `lower_order_final`, `euler_at_final`, `lambda_min_clipped`, limits but `clip_sample` |
//! | `dpmpp-2m-karras` | the same | the same | the same | the same, with Karras' sigmas switched on |
//! | `lcm` | `LCMScheduler` | steps | all but the last step | `original_inference_steps`, `timestep_scaling`, limits |
//!
//! All follow `num_train_timesteps`, `beta_start`, `beta_end`, `beta_schedule`, `trained_betas`, `prediction_type`; all but `lcm`
//! follow `timestep_spacing` and, where it is `leading`, `steps_offset`; all but `pndm` follow `rescale_betas_zero_snr`.
//! *Limits* are `thresholding`, `dynamic_thresholding_ratio`, `sample_max_value`, `clip_sample` and `clip_sample_range`;
//! *sigmas* are `use_karras_sigmas`, `use_exponential_sigmas`, `use_beta_sigmas`, `sigma_min`, `sigma_max` and
//! `final_sigmas_type`.
//!
//! Refused by name: flow matching, learned variances, `prediction_type` `sample` for `pndm` and `euler-ancestral` (diffusers has
//! it for neither), words and keys that are not known. Schedulers disagree with diffusers in one point: `trailing` spacing with
//! some numbers of steps gives diffusers one more call, at timestep -1, which is left out here.
//!
//! To add one: a file here, a [`Kind`], its settings in `defaults`, and its cases in
//! `tests/golden/sampling/make_schedulers.py`.

mod beta;
mod config;
mod ddim;
mod defaults;
mod dpm;
mod error;
mod euler;
mod euler_ancestral;
mod fields;
mod kind;
mod lcm;
mod limit;
mod pndm;
mod schedule;
mod sigmas;

use serde_json::{Value, json};

pub use self::config::SchedulerConfig;
pub use self::error::SchedulerError;
use self::fields::Fields;
pub use self::kind::Kind;
use crate::noise::Noise;

/// The walk from noise to latents. `index` counts the entries of [`Scheduler::timesteps`] from 0; steps are taken in order.
pub trait Scheduler: Send {
    /// The name that suites use.
    fn name(&self) -> &'static str;

    /// What the network is told at each call, most noisy first; one call each. Some schedulers need more calls than steps.
    fn timesteps(&self) -> &[f32];

    /// Whether some timestep is no whole number, so that a network that takes whole numbers only would be told another one.
    fn is_fractional(&self) -> bool {
        self.timesteps().iter().any(|t| t.fract() != 0.0)
    }

    /// What unit noise is multiplied with to become the first sample. Schedulers that keep the variance at 1 leave it as it is.
    fn init_noise_sigma(&self) -> f32 {
        1.0
    }

    /// Turns the sample into the network's input, in place. Schedulers that keep the variance at 1 leave it as it is.
    fn scale_model_input(&self, _index: usize, _sample: &mut [f32]) {}

    /// Moves the sample one step on, given what the network predicted for it. Stochastic schedulers draw from `noise`, the
    /// image's own generator, as many values as the sample has.
    fn step(&mut self, index: usize, model_output: &[f32], sample: &mut [f32], noise: &mut Noise);
}

impl SchedulerConfig {
    /// The scheduler of that kind for `steps` steps, as diffusers' `Class.from_config(config)` and `set_timesteps(steps)`.
    ///
    /// # Errors
    /// When the number of steps is not possible, or a setting cannot be followed.
    pub fn scheduler(&self, kind: Kind, steps: u32) -> Result<Box<dyn Scheduler>, SchedulerError> {
        let fields = self.resolve(kind);
        let steps = possible(kind, &fields, steps as usize)?;
        Ok(match kind {
            Kind::Ddim => Box::new(ddim::Ddim::new(&fields, steps)?),
            Kind::Pndm => Box::new(pndm::Pndm::new(&fields, steps)?),
            Kind::Euler => Box::new(euler::Euler::new(&fields, steps)?),
            Kind::EulerAncestral => Box::new(euler_ancestral::EulerAncestral::new(&fields, steps)?),
            Kind::Dpm | Kind::DpmKarras => Box::new(dpm::Dpm::new(kind, &fields, steps)?),
            Kind::Lcm => Box::new(lcm::Lcm::new(&fields, steps)?),
        })
    }

    /// What a record of results says about a scheduler: `name`, `class`, `config` (every setting of the class, as it was
    /// used), `timesteps` and `init_noise_sigma`. Whole timesteps are written as whole numbers.
    ///
    /// # Errors
    /// Those of [`SchedulerConfig::scheduler`].
    pub fn describe(&self, kind: Kind, steps: u32) -> Result<Value, SchedulerError> {
        let scheduler = self.scheduler(kind, steps)?;
        let number = |t: &f32| if t.fract() == 0.0 { json!(*t as i64) } else { json!(t) };
        Ok(json!({
            "name": kind.name(),
            "class": kind.class(),
            "config": self.resolve(kind).0,
            "timesteps": scheduler.timesteps().iter().map(number).collect::<Vec<_>>(),
            "init_noise_sigma": scheduler.init_noise_sigma(),
        }))
    }
}

/// `steps` if that many can be taken.
fn possible(kind: Kind, fields: &Fields, steps: usize) -> Result<usize, SchedulerError> {
    let train = fields.whole("num_train_timesteps")?;
    let (mut least, mut most, mut why) = (1, train, " (num_train_timesteps)");
    if kind == Kind::Pndm && !fields.flag("skip_prk_steps")? {
        (least, why) = (4, " (at least 4 where skip_prk_steps is false, at most num_train_timesteps)");
    }
    if kind == Kind::Lcm {
        (most, why) = (fields.whole("original_inference_steps")?.min(train), " (original_inference_steps)");
    }
    if (least..=most).contains(&steps) {
        return Ok(steps);
    }
    Err(SchedulerError::Steps { steps, scheduler: kind.name(), least, most, why })
}
