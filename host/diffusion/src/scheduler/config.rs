//! `scheduler_config.json`, read strictly: a value that would need other arithmetic is refused by name.

use serde_json::{Map, Value};

use super::{Kind, SchedulerError};

/// How betas are laid out over training timesteps.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum BetaSchedule {
    Linear {
        start: f64,
        end: f64,
    },
    /// Linear in the square root.
    ScaledLinear {
        start: f64,
        end: f64,
    },
    /// `squaredcos_cap_v2`.
    SquaredCosine,
    Trained(Vec<f32>),
}

/// What the network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    Epsilon,
    V,
    Sample,
}

/// Which training timesteps are visited (table 2 of Lin et al. 2305.08891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    Linspace,
    Leading,
    Trailing,
}

/// How Euler lays out its sigmas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SigmaSpacing {
    /// Those of the visited timesteps.
    Timesteps,
    Karras,
    Exponential,
}

/// A scheduler's settings. `None` where the default depends on the scheduler that is built from them: diffusers'
/// `from_config` hands over only what the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerConfig {
    pub(super) class: String,
    pub(super) num_train_timesteps: usize,
    pub(super) betas: BetaSchedule,
    pub(super) rescale_betas_zero_snr: bool,
    pub(super) prediction: Prediction,
    pub(super) spacing: Option<Spacing>,
    pub(super) steps_offset: u32,
    pub(super) clip_sample: Option<bool>,
    pub(super) clip_sample_range: f64,
    pub(super) set_alpha_to_one: Option<bool>,
    skip_prk_steps: bool,
    thresholding: bool,
    pub(super) sigma_spacing: SigmaSpacing,
    pub(super) sigma_min: Option<f64>,
    pub(super) sigma_max: Option<f64>,
    pub(super) final_sigma_is_min: bool,
}

/// Settings of diffusers' other schedulers, which its `from_config` drops too, and of steps that are not taken here.
const ELSEWHERE: [&str; 21] = [
    "algorithm_type",
    "disable_corrector",
    "dynamic_thresholding_ratio",
    "euler_at_final",
    "flow_shift",
    "lambda_min_clipped",
    "lower_order_final",
    "original_inference_steps",
    "predict_x0",
    "sample_max_value",
    "solver_order",
    "solver_p",
    "solver_type",
    "time_shift_type",
    "timestep_scaling",
    "use_dynamic_shifting",
    "use_flow_sigmas",
    "use_lu_lambdas",
    "variance_type",
    "noise_sampler_seed",
    "sigma_data",
];

/// Settings that are read below.
const READ: [&str; 23] = [
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "rescale_betas_zero_snr",
    "prediction_type",
    "timestep_spacing",
    "steps_offset",
    "clip_sample",
    "clip_sample_range",
    "set_alpha_to_one",
    "skip_prk_steps",
    "thresholding",
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "sigma_min",
    "sigma_max",
    "final_sigmas_type",
    "interpolation_type",
    "timestep_type",
    "num_inference_steps",
];

impl SchedulerConfig {
    /// Reads the content of a `scheduler_config.json`. The class it names may be one that cannot be built; that is an error
    /// only when no other scheduler is asked for.
    ///
    /// # Errors
    /// [`SchedulerError::Unsupported`] names the key and what would do.
    pub fn from_json(config: &Value) -> Result<Self, SchedulerError> {
        let fields = Fields(config.as_object().ok_or(SchedulerError::NotAnObject)?);
        let unknown = |(key, value): &(&String, &Value)| {
            let set = !matches!(value, Value::Null | Value::Bool(false));
            set && !key.starts_with('_') && !READ.contains(&key.as_str()) && !ELSEWHERE.contains(&key.as_str())
        };
        if let Some((key, _)) = fields.0.iter().find(unknown) {
            return Err(fields.refuse(key, "not set (this key is unknown)"));
        }
        fields.choice("timestep_type", &[("discrete", ())])?;
        fields.choice("interpolation_type", &[("linear", ())])?;
        let karras = fields.flag("use_karras_sigmas")?.unwrap_or(false);
        let exponential = fields.flag("use_exponential_sigmas")?.unwrap_or(false);
        if fields.flag("use_beta_sigmas")?.unwrap_or(false) || (karras && exponential) {
            return Err(fields.refuse("use_beta_sigmas", "false; one of Karras and exponential sigmas at most"));
        }
        let predictions =
            [("epsilon", Prediction::Epsilon), ("v_prediction", Prediction::V), ("sample", Prediction::Sample)];
        let spacings =
            [("linspace", Spacing::Linspace), ("leading", Spacing::Leading), ("trailing", Spacing::Trailing)];
        let class = fields.get("_class_name").and_then(Value::as_str);
        let betas = fields.betas()?;
        let num_train_timesteps = match &betas {
            BetaSchedule::Trained(betas) => betas.len(),
            _ => fields.whole("num_train_timesteps", 1..=100_000)?.unwrap_or(1000) as usize,
        };
        Ok(Self {
            class: class.ok_or_else(|| fields.refuse("_class_name", "the name of a scheduler"))?.to_owned(),
            num_train_timesteps,
            betas,
            rescale_betas_zero_snr: fields.flag("rescale_betas_zero_snr")?.unwrap_or(false),
            prediction: fields.choice("prediction_type", &predictions)?.unwrap_or(Prediction::Epsilon),
            spacing: fields.choice("timestep_spacing", &spacings)?,
            steps_offset: fields.whole("steps_offset", 0..=1000)?.unwrap_or(0) as u32,
            clip_sample: fields.flag("clip_sample")?,
            clip_sample_range: fields.number("clip_sample_range")?.unwrap_or(1.0).abs(),
            set_alpha_to_one: fields.flag("set_alpha_to_one")?,
            skip_prk_steps: fields.flag("skip_prk_steps")?.unwrap_or(false),
            thresholding: fields.flag("thresholding")?.unwrap_or(false),
            sigma_spacing: match (karras, exponential) {
                (true, _) => SigmaSpacing::Karras,
                (_, true) => SigmaSpacing::Exponential,
                _ => SigmaSpacing::Timesteps,
            },
            sigma_min: fields.number("sigma_min")?.filter(|sigma| *sigma > 0.0),
            sigma_max: fields.number("sigma_max")?.filter(|sigma| *sigma > 0.0),
            final_sigma_is_min: fields
                .choice("final_sigmas_type", &[("zero", false), ("sigma_min", true)])?
                .unwrap_or(false),
        })
    }

    /// The settings as diffusers' `StableDiffusionPipeline` overrides them when it is made: `steps_offset` 1 and no clipping,
    /// whatever the file says.
    #[must_use]
    pub fn for_stable_diffusion(mut self) -> Self {
        self.steps_offset = 1;
        self.clip_sample = Some(false);
        self
    }

    /// The scheduler that the file names.
    ///
    /// # Errors
    /// [`SchedulerError::UnknownClass`].
    pub fn own(&self) -> Result<Kind, SchedulerError> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.class() == self.class)
            .ok_or_else(|| SchedulerError::UnknownClass { class: self.class.clone() })
    }

    /// Dynamic thresholding is for models in pixel space.
    pub(super) fn refuse_thresholding(&self) -> Result<(), SchedulerError> {
        if self.thresholding { Err(SchedulerError::unsupported("thresholding", true, "false")) } else { Ok(()) }
    }

    /// PNDM's Runge-Kutta warm-up, which no published Stable Diffusion uses.
    pub(super) fn refuse_prk_steps(&self) -> Result<(), SchedulerError> {
        if self.skip_prk_steps { Ok(()) } else { Err(SchedulerError::unsupported("skip_prk_steps", false, "true")) }
    }
}

/// The object, with readers that name the key they stumble over.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    /// `None` for `null` as well.
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn refuse(&self, key: &str, supported: impl Into<String>) -> SchedulerError {
        let found = self.0.get(key).map_or_else(|| "missing".to_owned(), Value::to_string);
        SchedulerError::Unsupported { key: key.to_owned(), found, supported: supported.into() }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, SchedulerError> {
        self.read(key, "true or false", Value::as_bool)
    }

    fn number(&self, key: &str) -> Result<Option<f64>, SchedulerError> {
        self.read(key, "a finite number", |value| value.as_f64().filter(|x| x.is_finite()))
    }

    fn whole(&self, key: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, SchedulerError> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, &wanted, |value| value.as_u64().filter(|x| range.contains(x)))
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<Option<T>, SchedulerError> {
        let names = choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        self.read(key, &names, |value| {
            let text = value.as_str()?;
            choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
        })
    }

    fn read<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, SchedulerError> {
        self.get(key).map(|value| read(value).ok_or_else(|| self.refuse(key, wanted))).transpose()
    }

    fn betas(&self) -> Result<BetaSchedule, SchedulerError> {
        if let Some(value) = self.get("trained_betas") {
            let list: Option<Vec<f32>> =
                value.as_array().and_then(|list| list.iter().map(|x| x.as_f64().map(|x| x as f32)).collect());
            let usable = list.filter(|list| (1..=100_000).contains(&list.len()));
            return usable.map(BetaSchedule::Trained).ok_or_else(|| self.refuse("trained_betas", "a list of numbers"));
        }
        let start = self.number("beta_start")?.unwrap_or(0.0001);
        let end = self.number("beta_end")?.unwrap_or(0.02);
        let schedules = ["linear", "scaled_linear", "squaredcos_cap_v2"].map(|name| (name, name));
        Ok(match self.choice("beta_schedule", &schedules)?.unwrap_or("linear") {
            "linear" => BetaSchedule::Linear { start, end },
            "scaled_linear" => BetaSchedule::ScaledLinear { start, end },
            _ => BetaSchedule::SquaredCosine,
        })
    }
}
