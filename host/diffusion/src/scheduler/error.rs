//! Why there is no scheduler.

use difftest_core::nearest::nearest;

use super::Kind;

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
    /// The model was trained to follow straight paths from noise to image, which takes other schedulers and other pipelines.
    #[error(
        "the model's scheduler {class} is for flow matching (Stable Diffusion 3, Flux), which no scheduler here does"
    )]
    FlowMatching {
        /// diffusers' class.
        class: String,
    },
    /// The suite asks for a scheduler that does not exist.
    #[error("unknown scheduler `{name}`{}; there are: {}", meant(name), Kind::names())]
    UnknownName {
        /// As the suite says.
        name: String,
    },
    /// Too few or too many steps.
    #[error("{steps} steps are not possible with {scheduler}, only {least} to {most}{why}")]
    Steps {
        /// As asked for.
        steps: usize,
        /// The scheduler's name.
        scheduler: &'static str,
        /// The fewest steps it takes.
        least: usize,
        /// The most steps it takes.
        most: usize,
        /// Where the limit comes from, in brackets.
        why: &'static str,
    },
    /// The offset pushes the first timestep out of the training range.
    #[error("so many steps would start at timestep {timestep}, beyond the last of {train} training timesteps")]
    BeyondTraining {
        /// The first timestep.
        timestep: f64,
        /// How many there are.
        train: usize,
    },
    /// The solver would divide by zero.
    #[error(
        "{steps} steps are too many for this schedule: step {step} would not change the noise level; take fewer steps"
    )]
    Standstill {
        /// The step, from 1.
        step: usize,
        /// How many were asked for.
        steps: usize,
    },
}

/// The name that was probably meant.
fn meant(name: &str) -> String {
    nearest(name, Kind::ALL.map(Kind::name)).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
}
