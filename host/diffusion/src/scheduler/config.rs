//! `scheduler_config.json`, read strictly: a value that would need other arithmetic is refused by name.

use serde_json::{Value, json};

use super::fields::{Fields, Form};
use super::{Kind, SchedulerError, defaults};

/// A scheduler's settings as its file makes them. What the file does not say depends on the scheduler that is built:
/// diffusers' `from_config` hands over only what the file says, and each class has its own defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerConfig {
    class: String,
    fields: Fields,
    /// Whether a `StableDiffusionPipeline` changes old settings.
    corrected: bool,
}

const PREDICTIONS: &[&str] = &["epsilon", "v_prediction", "sample"];
const SPACINGS: &[&str] = &["linspace", "leading", "trailing"];
const BETA_SCHEDULES: &[&str] = &["linear", "scaled_linear", "squaredcos_cap_v2"];

/// What the settings that some scheduler here follows have to hold, whichever scheduler is built. Words that one class knows
/// and another does not are checked where that class reads them.
const READ: [(&str, Form); 34] = [
    ("num_train_timesteps", Form::Whole(1, 100_000)),
    ("beta_start", Form::Number),
    ("beta_end", Form::Number),
    ("beta_schedule", Form::Choice(BETA_SCHEDULES)),
    ("trained_betas", Form::Numbers),
    ("rescale_betas_zero_snr", Form::Flag),
    ("prediction_type", Form::Choice(PREDICTIONS)),
    ("timestep_spacing", Form::Choice(SPACINGS)),
    ("steps_offset", Form::Whole(0, 1000)),
    ("clip_sample", Form::Flag),
    ("clip_sample_range", Form::Number),
    ("thresholding", Form::Flag),
    ("dynamic_thresholding_ratio", Form::Number),
    ("sample_max_value", Form::Number),
    ("set_alpha_to_one", Form::Flag),
    ("skip_prk_steps", Form::Flag),
    ("interpolation_type", Form::Choice(&["linear", "log_linear"])),
    ("timestep_type", Form::Choice(&["discrete", "continuous"])),
    ("use_karras_sigmas", Form::Flag),
    ("use_exponential_sigmas", Form::Flag),
    ("use_beta_sigmas", Form::Flag),
    ("use_lu_lambdas", Form::Flag),
    ("use_flow_sigmas", Form::Flag),
    ("sigma_min", Form::Positive),
    ("sigma_max", Form::Positive),
    ("final_sigmas_type", Form::Choice(&["zero", "sigma_min"])),
    ("solver_order", Form::Whole(0, 100)),
    ("lower_order_final", Form::Flag),
    ("euler_at_final", Form::Flag),
    ("lambda_min_clipped", Form::Bound),
    ("original_inference_steps", Form::Whole(1, 100_000)),
    ("timestep_scaling", Form::Number),
    ("use_dynamic_shifting", Form::Flag),
    ("predict_epsilon", Form::Flag),
];

/// Read where they are followed, because schedulers disagree on their words; and settings of diffusers' other classes, which
/// its `from_config` drops too.
const ELSEWHERE: [&str; 23] = [
    "algorithm_type",
    "solver_type",
    "variance_type",
    "corrector_order",
    "denoise_final",
    "disable_corrector",
    "eta",
    "flow_shift",
    "noise_sampler_seed",
    "num_inference_steps",
    "predict_x0",
    "predictor_order",
    "rho",
    "shift_terminal",
    "sigma_data",
    "sigma_schedule",
    "snr_shift_scale",
    "solver_p",
    "tau_func",
    "tensor_format",
    "time_shift_type",
    "timestep_values",
    "timesteps",
];

impl SchedulerConfig {
    /// Reads the content of a `scheduler_config.json`. The class it names may be one that cannot be built; that is an error
    /// only when no other scheduler is asked for.
    ///
    /// # Errors
    /// [`SchedulerError::Unsupported`] names the key and what would do; [`SchedulerError::FlowMatching`] the class of a model
    /// that no scheduler here can serve.
    pub fn from_json(config: &Value) -> Result<Self, SchedulerError> {
        let fields = Fields(config.as_object().ok_or(SchedulerError::NotAnObject)?.clone());
        let unknown = |(key, value): &(&String, &Value)| {
            let set = !matches!(value, Value::Null | Value::Bool(false));
            let known = ELSEWHERE.contains(&key.as_str()) || READ.iter().any(|(read, _)| read == key);
            set && !known && !key.starts_with('_')
        };
        let class = fields.get("_class_name").and_then(Value::as_str);
        let class = class.ok_or_else(|| fields.refuse("_class_name", "the name of a scheduler"))?.to_owned();
        if class.starts_with("FlowM") {
            return Err(SchedulerError::FlowMatching { class });
        }
        if let Some((key, _)) = fields.0.iter().find(unknown) {
            return Err(fields.refuse(key, "not set (this key is unknown)"));
        }
        for (key, form) in READ {
            fields.check(key, form)?;
        }
        // an old name of `prediction_type`, which diffusers no longer reads
        if fields.get("predict_epsilon").is_some_and(|value| value == false) {
            return Err(fields.refuse("predict_epsilon", "not set; `\"prediction_type\": \"sample\"` says it today"));
        }
        Ok(Self { class, fields, corrected: false })
    }

    /// The settings as diffusers' `StableDiffusionPipeline` corrects them when it is made: `steps_offset` 1 and no clipping, in
    /// what the file says and in the defaults of the class that it names. Another class takes over what the file says, but
    /// keeps its own defaults, uncorrected. `StableDiffusionXLPipeline` and `LatentConsistencyModelPipeline` correct nothing.
    #[must_use]
    pub fn for_stable_diffusion(mut self) -> Self {
        self.corrected = true;
        self
    }

    /// diffusers' name of the scheduler that the file names.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The scheduler that the file names.
    ///
    /// # Errors
    /// [`SchedulerError::UnknownClass`].
    pub fn own(&self) -> Result<Kind, SchedulerError> {
        Kind::of_class(&self.class).ok_or_else(|| SchedulerError::UnknownClass { class: self.class.clone() })
    }

    /// What diffusers' `Class.from_config(config)` ends up with: each setting that the class has, from the file where it says
    /// so, from the class where it does not.
    pub(super) fn resolve(&self, kind: Kind) -> Fields {
        let mut resolved = defaults::of(kind);
        let own = self.own() == Ok(kind);
        for (key, value) in &mut resolved {
            let said = self.fields.get(key);
            if let Some(said) = said {
                *value = said.clone();
            }
            if self.corrected && (own || said.is_some()) {
                match key.as_str() {
                    "steps_offset" => *value = json!(1),
                    "clip_sample" => *value = json!(false),
                    _ => {}
                }
            }
        }
        if kind == Kind::DpmKarras {
            resolved.insert("use_karras_sigmas".to_owned(), json!(true));
        }
        Fields(resolved)
    }
}
