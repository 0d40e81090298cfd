//! Schedulers: from noise to latents, step by step, with the arithmetic and the mix of precisions of diffusers.
//!
//! A [`SchedulerConfig`] is read from `scheduler_config.json`; [`SchedulerConfig::scheduler`] makes a [`Scheduler`] for a
//! number of steps. One scheduler serves one image, because some remember earlier predictions. To add one: a file here, a
//! [`Kind`], and its cases in `tests/golden/sampling/make_schedulers.py`.

mod config;
mod ddim;
mod euler;
mod pndm;
mod schedule;

pub use config::SchedulerConfig;

use crate::noise::Noise;

/// The walk from noise to latents. `index` counts the entries of [`Scheduler::timesteps`] from 0; steps are taken in order.
pub trait Scheduler: Send {
    /// The name that suites use.
    fn name(&self) -> &'static str;

    /// What the network is told at each call, most noisy first; one call each. Some schedulers need one more call than steps.
    fn timesteps(&self) -> &[f32];

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

/// The schedulers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `ddim`
    Ddim,
    /// `euler`
    Euler,
    /// `pndm`
    Pndm,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ddim, Self::Euler, Self::Pndm];

    /// The name that suites use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::Pndm => "pndm",
        }
    }

    /// diffusers' class.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::Pndm => "PNDMScheduler",
        }
    }

    /// All names, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl std::str::FromStr for Kind {
    type Err = SchedulerError;

    fn from_str(name: &str) -> Result<Self, SchedulerError> {
        let unknown = || SchedulerError::UnknownName { name: name.to_owned() };
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(unknown)
    }
}

impl SchedulerConfig {
    /// The scheduler of that kind for `steps` steps, as diffusers' `Class.from_config(config)` and `set_timesteps(steps)`.
    ///
    /// # Errors
    /// When the number of steps is 0 or more than the model was trained with, or a setting cannot be followed.
    pub fn scheduler(&self, kind: Kind, steps: u32) -> Result<Box<dyn Scheduler>, SchedulerError> {
        let steps = steps as usize;
        if steps == 0 || steps > self.num_train_timesteps {
            return Err(SchedulerError::Steps { steps, train: self.num_train_timesteps });
        }
        Ok(match kind {
            Kind::Ddim => Box::new(ddim::Ddim::new(self, steps)?),
            Kind::Euler => Box::new(euler::Euler::new(self, steps)?),
            Kind::Pndm => Box::new(pndm::Pndm::new(self, steps)?),
        })
    }
}

/// Why there is no scheduler.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SchedulerError {
    /// Not a JSON object.
    #[error("scheduler_config.json is not a JSON object")]
    NotAnObject,
    /// A setting that would need other arithmetic.
    #[error("scheduler_config.json: `{key}` is {found}, supported: {supported}")]
    Unsupported {
        /// The key.
        key: String,
        /// Its value, as JSON.
        found: String,
        /// What would do.
        supported: String,
    },
    /// The model's own scheduler does not exist here.
    #[error("the model's scheduler {class} is not supported; set `scheduler` to one of: {}", Kind::names())]
    UnknownClass {
        /// diffusers' class.
        class: String,
    },
    /// The suite asks for a scheduler that does not exist.
    #[error("unknown scheduler `{name}`; there are: {}", Kind::names())]
    UnknownName {
        /// As the suite says.
        name: String,
    },
    /// Too few or too many steps.
    #[error("{steps} steps are not possible, only 1 to {train}")]
    Steps {
        /// As asked for.
        steps: usize,
        /// How many the model was trained with.
        train: usize,
    },
    /// The offset pushes the first timestep out of the training range.
    #[error("so many steps would start at timestep {timestep}, beyond the last of {train} training timesteps")]
    BeyondTraining {
        /// The first timestep.
        timestep: f64,
        /// How many there are.
        train: usize,
    },
}

impl SchedulerError {
    fn unsupported(key: &str, found: impl ToString, supported: &str) -> Self {
        Self::Unsupported { key: key.to_owned(), found: found.to_string(), supported: supported.to_owned() }
    }
}
