//! Text to image with Stable Diffusion 1, as diffusers' `StableDiffusionPipeline` computes it.
//!
//! ```text
//! prompt -> tokenizer -> text encoder -> embeddings (cached by token ids)
//! seed -> noise -> [ scheduler <-> UNet, guided ] x steps -> latents -> VAE decoder -> 8-bit image
//! ```
//!
//! Invariants: an image depends on its own request alone. Each has its own noise generator and scheduler, and the network sees
//! one image at a time (with guidance under two texts, the negative prompt first), however many requests a call has.

mod embeddings;
pub(crate) mod load;
mod pixels;

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use difftest_core::generate::{GenerateError, Generated, Generator, GeneratorInfo, Request, Settings, Step};

use self::embeddings::Embeddings;
use self::load::Networks;
pub use self::load::{LoadError, Options, described};
use crate::models::{ProjectedTexts, TextTap};
use crate::noise::{Noise, Stream};
use crate::repository::Repository;
use crate::scheduler::{Kind, Scheduler, SchedulerConfig};
use crate::tokenizer::ClipTokenizer;

/// diffusers' default.
const STEPS: u32 = 50;
/// diffusers' default.
const GUIDANCE: f64 = 7.5;
/// Longest side of an image: beyond it one image would fill any memory.
const LONGEST: u32 = 8192;

/// A Stable Diffusion pipeline. Its files are checked and hashed when it is opened, its networks are loaded when the first
/// image is made.
pub struct StableDiffusion {
    info: GeneratorInfo,
    repository: Repository,
    tokenizer: ClipTokenizer,
    scheduler: SchedulerConfig,
    options: Options,
    lanes: usize,
    networks: OnceLock<Networks>,
    loading: Mutex<()>,
    embeddings: Embeddings,
}

/// The latents of one image after a step.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Index of the request in the call.
    pub request: usize,
    /// Index of the step, from 0.
    pub step: usize,
    /// What the network was told.
    pub timestep: f32,
    /// `[channels, height, width]`, as the next step takes them.
    pub latents: &'a [f32],
}

/// One image on its way.
struct Work {
    /// `[negative, positive]`, or only the positive one without guidance.
    prompt: ProjectedTexts,
    latents: Vec<f32>,
    scheduler: Box<dyn Scheduler>,
    /// Drew the first latents; stochastic schedulers go on drawing from it.
    noise: Noise,
    warnings: Vec<String>,
}

/// The settings of a call with the model's defaults filled in.
#[derive(Clone, Copy)]
struct Resolved {
    kind: Kind,
    steps: u32,
    guidance: f64,
    width: u32,
    height: u32,
}

impl StableDiffusion {
    /// Checks a model's files and reads their digests; no network is loaded yet. Relative folders start at `base`.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the reason.
    pub fn open(reference: &str, base: &Path, options: &Options) -> Result<Self, LoadError> {
        let repository = Repository::stable_diffusion(reference, base)?;
        let scheduler = SchedulerConfig::from_json(&repository.json("scheduler/scheduler_config.json")?)?;
        let tokenizer = ClipTokenizer::load(&repository.folder().join("tokenizer"))?;
        let lanes = load::lanes(&repository, options);
        Ok(Self {
            info: load::info(&repository, options, lanes)?,
            repository,
            tokenizer,
            scheduler: scheduler.for_stable_diffusion(),
            options: *options,
            lanes,
            networks: OnceLock::new(),
            loading: Mutex::new(()),
            embeddings: Embeddings::default(),
        })
    }

    /// [`StableDiffusion::open`] with its networks loaded, so that weights that do not load are known at once.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the reason.
    pub fn load(reference: &str, base: &Path, options: &Options) -> Result<Self, LoadError> {
        let model = Self::open(reference, base, options)?;
        model.networks()?;
        Ok(model)
    }

    fn networks(&self) -> Result<&Networks, LoadError> {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(networks) = self.networks.get() {
            return Ok(networks);
        }
        let networks = Networks::load(&self.repository, &self.options, self.lanes, &self.tokenizer)?;
        Ok(self.networks.get_or_init(|| networks))
    }

    /// The embedding of a prompt, `[77, width]`, and what a person should know about it.
    ///
    /// # Errors
    /// When the prompt cannot be tokenized or the text encoder fails.
    pub fn embed(&self, prompt: &str) -> Result<(std::sync::Arc<[f32]>, Option<String>), GenerateError> {
        let networks = self.networks().map_err(|error| error.into_generate())?;
        let tokens = self.tokenizer.encode(prompt).map_err(|error| failed("tokenizer", &error))?;
        let warning = tokens.cut.map(|cut| self.tokenizer.cut_warning(&cut));
        let embedding = self
            .embeddings
            .get(tokens.ids, |ids| networks.text.encode(ids, 1, TextTap::default()).map(|text| text.hidden))
            .map_err(|error| failed("text-encoder", &error))?;
        Ok((embedding, warning))
    }

    /// [`Generator::generate`] that shows the latents after every step.
    pub fn generate_observed(
        &self,
        requests: &[Request],
        progress: &(dyn Fn(Step) -> bool + Sync),
        observe: &(dyn Fn(Observation<'_>) + Sync),
    ) -> Vec<Result<Generated, GenerateError>> {
        let Some(first) = requests.first() else { return Vec::new() };
        let prepared = self
            .networks()
            .map_err(|error| error.into_generate())
            .and_then(|networks| Ok((networks, self.resolve(&first.settings, networks)?)));
        let (networks, settings) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return vec![Err(error); requests.len()],
        };
        let mut work: Vec<_> = requests.iter().map(|request| self.start(request, settings, networks)).collect();
        let calls = work.iter().flatten().map(|work| work.scheduler.timesteps().len()).max().unwrap_or(0);
        for step in 0..calls {
            for (request, slot) in work.iter_mut().enumerate() {
                let Ok(image) = slot else { continue };
                let timestep = image.scheduler.timesteps()[step];
                match self.step(image, step, settings, networks) {
                    Ok(()) => observe(Observation { request, step, timestep, latents: &image.latents }),
                    Err(error) => *slot = Err(error),
                }
            }
            if !progress(Step { step: step as u32 + 1, of: calls as u32 }) {
                return vec![Err(cancelled()); requests.len()];
            }
        }
        let finish = |(work, request): (Result<Work, GenerateError>, &Request)| {
            work.and_then(|work| self.finish(work, request, settings, networks))
        };
        work.into_iter().zip(requests).map(finish).collect()
    }

    fn resolve(&self, settings: &Settings, networks: &Networks) -> Result<Resolved, GenerateError> {
        let kind = match &settings.scheduler {
            Some(name) => name.parse(),
            None => self.scheduler.own(),
        };
        let kind = kind.map_err(|error| failed("settings", &error))?;
        let factor = networks.vae.upscale() as u32;
        let (width, height) = settings.size.unwrap_or(networks.size);
        let fits = |side: u32| side > 0 && side.is_multiple_of(factor) && side <= LONGEST;
        if !fits(width) || !fits(height) {
            return Err(GenerateError {
                kind: "settings".to_owned(),
                message: format!("size {width}x{height} is not possible with this model"),
                hint: Some(format!("use multiples of {factor} up to {LONGEST}")),
            });
        }
        let guidance = settings.guidance.unwrap_or(GUIDANCE);
        if !guidance.is_finite() {
            return Err(GenerateError {
                kind: "settings".to_owned(),
                message: format!("guidance {guidance} is not a finite number"),
                hint: None,
            });
        }
        Ok(Resolved { kind, steps: settings.steps.unwrap_or(STEPS), guidance, width, height })
    }

    fn start(&self, request: &Request, settings: Resolved, networks: &Networks) -> Result<Work, GenerateError> {
        let scheduler =
            self.scheduler.scheduler(settings.kind, settings.steps).map_err(|error| failed("settings", &error))?;
        let mut prompt = Vec::new();
        let mut warnings = Vec::new();
        if settings.guidance > 1.0 {
            let (negative, cut) = self.embed(negative_prompt(request).unwrap_or(""))?;
            prompt.extend_from_slice(&negative);
            warnings.extend(cut.map(|cut| format!("negative {cut}")));
        }
        let (positive, cut) = self.embed(&request.prompt)?;
        prompt.extend_from_slice(&positive);
        warnings.extend(cut);
        let texts = if settings.guidance > 1.0 { 2 } else { 1 };
        let prompt = networks.unet.project_texts(&prompt, texts, None, None).map_err(|error| failed("unet", &error))?;
        let [channels, height, width] = networks.latent_shape(settings);
        let mut noise = Noise::new(Stream::default(), request.seed);
        let mut latents = noise.randn(channels * height * width);
        let sigma = scheduler.init_noise_sigma();
        latents.iter_mut().for_each(|x| *x *= sigma);
        Ok(Work { prompt, latents, scheduler, noise, warnings })
    }

    fn step(&self, work: &mut Work, step: usize, settings: Resolved, networks: &Networks) -> Result<(), GenerateError> {
        let [channels, height, width] = networks.latent_shape(settings);
        let mut input = work.latents.clone();
        work.scheduler.scale_model_input(step, &mut input);
        let timestep = work.scheduler.timesteps()[step];
        let mut prediction = networks
            .unet
            .predict_under(&input, [1, channels, height, width], timestep, &work.prompt)
            .map_err(|error| failed("unet", &error))?;
        if settings.guidance > 1.0 {
            let positive = prediction.split_off(prediction.len() / 2);
            let scale = settings.guidance as f32;
            for (m, p) in prediction.iter_mut().zip(positive) {
                *m += scale * (p - *m);
            }
        }
        work.scheduler.step(step, &prediction, &mut work.latents, &mut work.noise);
        if work.latents.iter().all(|x| x.is_finite()) {
            return Ok(());
        }
        Err(not_finite(&format!("the latents after step {}", step + 1)))
    }

    fn finish(
        &self,
        mut work: Work,
        request: &Request,
        settings: Resolved,
        networks: &Networks,
    ) -> Result<Generated, GenerateError> {
        let [channels, height, width] = networks.latent_shape(settings);
        let (scale, shift) = (networks.vae.scaling_factor(), networks.vae.shift_factor());
        work.latents.iter_mut().for_each(|x| *x = *x / scale + shift);
        let planes =
            networks.vae.decode(&work.latents, [1, channels, height, width]).map_err(|error| failed("vae", &error))?;
        let image =
            pixels::image(&planes, settings.width, settings.height).ok_or_else(|| not_finite("the decoded image"))?;
        let mut attributes = vec![
            ("guidance".to_owned(), settings.guidance.to_string()),
            ("scheduler".to_owned(), settings.kind.name().to_owned()),
            ("seed".to_owned(), request.seed.to_string()),
            ("size".to_owned(), format!("{}x{}", settings.width, settings.height)),
            ("steps".to_owned(), settings.steps.to_string()),
        ];
        if let Some(negative) = negative_prompt(request).filter(|_| settings.guidance > 1.0) {
            attributes.insert(1, ("negative_prompt".to_owned(), negative.to_owned()));
        }
        Ok(Generated { image, attributes, warnings: work.warnings, file: None })
    }
}

impl Generator for StableDiffusion {
    fn info(&self) -> &GeneratorInfo {
        &self.info
    }

    fn lanes(&self) -> usize {
        self.lanes
    }

    fn generate(
        &self,
        requests: &[Request],
        progress: &(dyn Fn(Step) -> bool + Sync),
    ) -> Vec<Result<Generated, GenerateError>> {
        self.generate_observed(requests, progress, &|_| ())
    }
}

/// The request's own negative prompt, or the one of its test.
fn negative_prompt(request: &Request) -> Option<&str> {
    request.negative_prompt.as_deref().or(request.settings.negative_prompt.as_deref())
}

fn failed(kind: &str, error: &dyn std::error::Error) -> GenerateError {
    GenerateError { kind: kind.to_owned(), message: described(error), hint: None }
}

fn cancelled() -> GenerateError {
    GenerateError { kind: "cancelled".to_owned(), message: "the image was not finished".to_owned(), hint: None }
}

fn not_finite(what: &str) -> GenerateError {
    GenerateError {
        kind: "not-finite".to_owned(),
        message: format!("{what} hold NaN or infinity"),
        hint: Some("check the weights, the scheduler and the guidance; half-precision weights may overflow".to_owned()),
    }
}
