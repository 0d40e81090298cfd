//! From noise to latents to pixels.

use difftest_core::generate::{GenerateError, Generated, LoraInfo, Request, Step};

use super::kept::Finished;
use super::model::Model;
use super::settings::Resolved;
use super::text::{Embedding, TextError, Texts};
use super::{Family, Networks, failed, memory, negative_prompt, pixels};
use crate::error::Error;
use crate::models::{Added, OnnxFault, ProjectedTexts};
use crate::noise::Noise;
use crate::scheduler::{Kind, Scheduler};

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

/// Everything that the images of a call share.
pub(super) struct Sampling<'s> {
    pub(super) model: &'s Model,
    pub(super) texts: &'s Texts,
    pub(super) networks: &'s Networks,
    pub(super) settings: Resolved,
    /// LoRA files in the networks' weights.
    pub(super) loras: &'s [LoraInfo],
    /// Images that the network sees at once.
    pub(super) together: usize,
    /// Told the latents of each request after its last step.
    pub(super) keep: &'s (dyn Fn(&Request, &Finished) + Sync),
}

/// One image on its way.
struct Work {
    /// `[negative, positive]`, or only the positive one without guidance.
    texts: ProjectedTexts,
    latents: Vec<f32>,
    scheduler: Box<dyn Scheduler>,
    noise: Noise,
    warnings: Vec<String>,
}

/// Images that go through the network in one call, by their index among the requests.
struct Group {
    members: Vec<usize>,
    /// The texts of all members, where there are several.
    texts: Option<ProjectedTexts>,
}

type Slot = Result<Work, GenerateError>;

impl Sampling<'_> {
    /// One image for each request, in order.
    pub(super) fn run(
        &self,
        requests: &[Request],
        progress: &(dyn Fn(Step) -> bool + Sync),
        observe: &(dyn Fn(Observation<'_>) + Sync),
    ) -> Vec<Result<Generated, GenerateError>> {
        let mut slots: Vec<Slot> = requests.iter().map(|request| self.start(request)).collect();
        let groups = match self.groups(&slots) {
            Ok(groups) => groups,
            Err(error) => return vec![Err(error); requests.len()],
        };
        let calls = slots.iter().flatten().map(|work| work.scheduler.timesteps().len()).max().unwrap_or(0);
        for step in 0..calls {
            for group in &groups {
                self.step(group, step, &mut slots);
                for &request in &group.members {
                    let Ok(work) = &slots[request] else { continue };
                    let timestep = work.scheduler.timesteps()[step];
                    observe(Observation { request, step, timestep, latents: &work.latents });
                }
            }
            if !progress(Step { step: step as u32 + 1, of: calls as u32 }) {
                return vec![Err(cancelled()); requests.len()];
            }
        }
        let finish = |(slot, request): (Slot, &Request)| slot.and_then(|work| self.finish(work, request));
        slots.into_iter().zip(requests).map(finish).collect()
    }

    fn groups(&self, slots: &[Slot]) -> Result<Vec<Group>, GenerateError> {
        let ready: Vec<usize> = (0..slots.len()).filter(|&slot| slots[slot].is_ok()).collect();
        let group = |members: &[usize]| {
            let parts: Vec<&ProjectedTexts> =
                members.iter().filter_map(|&slot| slots[slot].as_ref().ok()).map(|work| &work.texts).collect();
            let texts = if parts.len() > 1 { Some(ProjectedTexts::concat(&parts)) } else { None };
            let texts = texts.transpose().map_err(|error| broken("unet", &error))?;
            Ok(Group { members: members.to_vec(), texts })
        };
        ready.chunks(self.together).map(group).collect()
    }

    fn start(&self, request: &Request) -> Slot {
        let settings = &self.settings;
        let scheduler = self
            .model
            .scheduler
            .scheduler(settings.kind, settings.steps)
            .map_err(|error| failed("settings", &error))?;
        self.accepts(scheduler.as_ref())?;
        let embed = |text: &str, clip_skip: usize| self.texts.embed(text, clip_skip, settings.long_prompt);
        let negative = negative_prompt(request);
        let mut warnings = Vec::new();
        let mut embeddings = Vec::new();
        if settings.two_texts {
            embeddings.push(match negative {
                None if self.model.zeros_for_empty => self.nothing(),
                // diffusers skips layers for the prompt alone
                text => embed(text.unwrap_or_default(), 0).map_err(|error| error.of_negative().into_generate())?,
            });
            warnings.extend(embeddings[0].warnings.drain(..).map(|cut| format!("negative {cut}")));
        } else if negative.is_some_and(|text| !text.is_empty()) {
            warnings.push(
                "the negative prompt is not used: guidance is 1 or less, or a number that the model reads".to_owned(),
            );
        }
        embeddings.push(embed(&request.prompt, settings.clip_skip).map_err(TextError::into_generate)?);
        warnings.extend(embeddings.iter_mut().flat_map(|embedding| std::mem::take(&mut embedding.warnings)));
        let texts = self.project(&embeddings)?;
        let [channels, height, width] = self.latent_shape();
        let mut noise = Noise::new(settings.noise, request.seed);
        let mut latents = noise.randn(channels * height * width);
        let sigma = scheduler.init_noise_sigma();
        latents.iter_mut().for_each(|x| *x *= sigma);
        Ok(Work { texts, latents, scheduler, noise, warnings })
    }

    /// Refuses sizes and timesteps that an exported network cannot do, before anything is computed.
    fn accepts(&self, scheduler: &dyn Scheduler) -> Result<(), GenerateError> {
        let [_, height, width] = self.latent_shape();
        let Networks { unet, vae } = self.networks;
        let (timesteps, steps) = (scheduler.timesteps(), self.settings.steps);
        let accepted = unet.accepts([height, width], timesteps).and_then(|()| vae.accepts([height, width]));
        accepted.map_err(|error| {
            let mut hint = error.hint();
            let whole_only = |fault: &OnnxFault| matches!(fault, OnnxFault::WholeTimesteps { .. });
            if matches!(&error, Error::Onnx { fault, .. } if whole_only(fault)) {
                let whole = self.whole_timesteps(steps).join(", ");
                let other = hint.map(|hint| format!(", or {hint}")).unwrap_or_default();
                hint = Some(format!("set `scheduler` to one of {whole} for this model at {steps} steps{other}"));
            }
            GenerateError { hint, ..failed("settings", &error) }
        })
    }

    /// The schedulers that visit whole timesteps only.
    fn whole_timesteps(&self, steps: u32) -> Vec<&'static str> {
        let whole = |kind: &Kind| {
            let scheduler = self.model.scheduler.scheduler(*kind, steps);
            scheduler.is_ok_and(|scheduler| scheduler.timesteps().iter().all(|timestep| timestep.fract() == 0.0))
        };
        Kind::ALL.into_iter().filter(whole).map(Kind::name).collect()
    }

    /// What Stable Diffusion XL takes for a negative prompt that nobody gave.
    fn nothing(&self) -> Embedding {
        let [length, width] = self.texts.shape();
        let pooled = self.texts.pooled_width().map(|width| vec![0.0; width]);
        Embedding { tokens: vec![0.0; length * width], pooled, warnings: Vec::new() }
    }

    fn project(&self, embeddings: &[Embedding]) -> Result<ProjectedTexts, GenerateError> {
        let tokens: Vec<f32> = embeddings.iter().flat_map(|embedding| embedding.tokens.iter().copied()).collect();
        let pooled: Vec<f32> =
            embeddings.iter().flat_map(|embedding| embedding.pooled.iter().flatten().copied()).collect();
        let [height, width] = [self.settings.height, self.settings.width].map(|side| side as f32);
        // Height and width of the original, top and left of the crop, height and width of the target.
        let time_ids = [height, width, 0.0, 0.0, height, width].repeat(embeddings.len());
        let added = (self.model.family == Family::Xl).then_some(Added { pooled: &pooled, time_ids: &time_ids });
        let guidance = self.model.reads_guidance.then_some(self.settings.guidance);
        let texts = self.networks.unet.project_texts(&tokens, embeddings.len(), added, guidance);
        texts.map_err(|error| broken("unet", &error))
    }

    fn step(&self, group: &Group, step: usize, slots: &mut [Slot]) {
        let prediction = self.predict(group, step, slots);
        let [channels, height, width] = self.latent_shape();
        let size = channels * height * width * if self.settings.two_texts { 2 } else { 1 };
        for (index, &member) in group.members.iter().enumerate() {
            let Ok(work) = &mut slots[member] else { continue };
            let moved = prediction.as_ref().map_err(Clone::clone).and_then(|all| {
                let mut own = all[index * size..][..size].to_vec();
                if self.settings.two_texts {
                    guide(&mut own, self.settings.guidance as f32);
                }
                work.scheduler.step(step, &own, &mut work.latents, &mut work.noise);
                let finite = work.latents.iter().all(|x| x.is_finite());
                if finite { Ok(()) } else { Err(self.not_finite(&format!("the latents after step {} hold", step + 1))) }
            });
            if let Err(error) = moved {
                slots[member] = Err(error);
            }
        }
    }

    /// What the network says about every member under each of its texts, one after another.
    fn predict(&self, group: &Group, step: usize, slots: &[Slot]) -> Result<Vec<f32>, GenerateError> {
        let [channels, height, width] = self.latent_shape();
        let size = channels * height * width;
        let Some(first) = group.members.iter().find_map(|&slot| slots[slot].as_ref().ok()) else {
            return Ok(Vec::new());
        };
        // A single image meets its texts inside the network; of several, each comes once for every text.
        let (texts, copies) = match &group.texts {
            Some(texts) => (texts, first.texts.count()),
            None => (&first.texts, 1),
        };
        let mut samples = Vec::with_capacity(group.members.len() * copies * size);
        for &member in &group.members {
            let mut input = match &slots[member] {
                Ok(work) => work.latents.clone(),
                // Its place has to be kept: the texts of all members lie side by side.
                Err(_) => vec![0.0; size],
            };
            first.scheduler.scale_model_input(step, &mut input);
            (0..copies).for_each(|_| samples.extend_from_slice(&input));
        }
        let shape = [samples.len() / size, channels, height, width];
        let timestep = first.scheduler.timesteps()[step];
        let prediction = self.networks.unet.predict_under(&samples, shape, timestep, texts);
        prediction.map_err(|error| broken("unet", &error))
    }

    fn finish(&self, work: Work, request: &Request) -> Result<Generated, GenerateError> {
        let finished = Finished { latents: work.latents, warnings: work.warnings };
        (self.keep)(request, &finished);
        self.decode(finished, request)
    }

    /// Whether latents are those of an image of these settings.
    pub(super) fn fits(&self, finished: &Finished) -> bool {
        finished.latents.len() == self.latent_shape().iter().product::<usize>()
    }

    /// From latents to an image.
    pub(super) fn decode(&self, finished: Finished, request: &Request) -> Result<Generated, GenerateError> {
        let Finished { mut latents, warnings } = finished;
        let settings = &self.settings;
        let [channels, height, width] = self.latent_shape();
        let vae = &self.networks.vae;
        let shape = [1, channels, height, width];
        let statistics = self.model.family.reads_statistics();
        let decoded = vae.unscale(&mut latents, shape, statistics).and_then(|()| vae.decode(&latents, shape));
        let planes = decoded.map_err(|error| broken("vae", &error))?;
        let image = pixels::image(&planes, settings.width, settings.height)
            .ok_or_else(|| self.not_finite("the decoded image holds"))?;
        let mut attributes = vec![
            ("guidance", settings.guidance.to_string()),
            ("noise", settings.noise.to_string()),
            ("scheduler", settings.kind.name().to_owned()),
            ("seed", request.seed.to_string()),
            ("size", format!("{}x{}", settings.width, settings.height)),
            ("steps", settings.steps.to_string()),
        ];
        if let Some(negative) = negative_prompt(request).filter(|_| settings.two_texts) {
            attributes.push(("negative_prompt", negative.to_owned()));
        }
        if settings.clip_skip > 0 {
            attributes.push(("clip_skip", settings.clip_skip.to_string()));
        }
        attributes.sort_unstable();
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Generated { image, attributes, warnings, file: None })
    }

    /// The error that `what` ("the image holds") NaN or infinity, with everything that may have done it.
    fn not_finite(&self, what: &str) -> GenerateError {
        let loras: Vec<String> =
            self.loras.iter().map(|lora| format!("{} (weight {})", lora.file, lora.weight)).collect();
        let loras = match loras.as_slice() {
            [] => String::new(),
            loras => format!("the LoRA files {} with smaller weights, ", loras.join(", ")),
        };
        GenerateError {
            kind: "not-finite".to_owned(),
            message: format!("{what} NaN or infinity"),
            hint: Some(format!(
                "check {loras}the weights, the scheduler and the guidance; half-precision weights may overflow"
            )),
        }
    }

    /// `[channels, height, width]`.
    fn latent_shape(&self) -> [usize; 3] {
        let side = |pixels: u32| pixels as usize / self.model.shape.upscale;
        [self.networks.vae.latent_channels(), side(self.settings.height), side(self.settings.width)]
    }
}

/// `[negative, positive]` to what both together say, in place: `negative + scale * (positive - negative)`.
fn guide(prediction: &mut Vec<f32>, scale: f32) {
    let positive = prediction.split_off(prediction.len() / 2);
    for (m, p) in prediction.iter_mut().zip(positive) {
        *m += scale * (p - *m);
    }
}

/// A network that failed, with what can be done about it.
fn broken(network: &str, error: &Error) -> GenerateError {
    let kind = if error.is_out_of_memory() { memory::KIND } else { network };
    GenerateError { hint: error.hint(), ..failed(kind, error) }
}

pub(super) fn cancelled() -> GenerateError {
    GenerateError { kind: "cancelled".to_owned(), message: "the image was not finished".to_owned(), hint: None }
}
