//! Text to image with the Stable Diffusion family, as diffusers' pipelines compute it.
//!
//! ```text
//! prompt -> tokenizers -> text encoders -> embedding (remembered by tokens) -> what the denoiser reads of it, once for an image
//! seed -> noise -> [ scheduler <-> UNet, guided ] x steps -> latents -> VAE decoder -> 8-bit image
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `family` | what the pipelines differ in, defaults of steps and guidance |
//! | `model` | an opened folder: its configs, checked, before any network is loaded |
//! | `settings` | a test's settings with the model's filled in |
//! | `text`, `embeddings` | prompts to embeddings, encoders dropped when they are done |
//! | `load` | networks that fit together |
//! | `check` | whether a run could use a model |
//! | `memory` | how much of it that takes |
//! | `sampling` | from noise to latents to pixels |
//! | `record` | where images came from |
//! | `inputs` | what their pixels depend on |
//! | `kept` | features of prompts and latents that were computed before |
//!
//! Invariants: an image depends on its own request alone. Each has its own noise generator and scheduler. On the CPU the network
//! sees one image at a time (with guidance under two texts, the negative prompt first), however many requests a call has;
//! [`Options::together`] makes it more.

mod check;
mod embeddings;
mod family;
mod inputs;
mod kept;
pub(crate) mod load;
mod memory;
mod model;
mod pixels;
mod record;
mod sampling;
mod settings;
mod text;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use difftest_core::generate::{
    GenerateError, Generated, Generator, GeneratorInfo, Intermediates, LongPrompt, Request, Settings, Step,
};
use difftest_core::key::{Inputs, Key, Latents};
use serde_json::Value;

pub use self::check::check;
pub use self::family::Family;
use self::kept::Finished;
use self::load::Networks;
pub use self::load::{LoadError, Options, described};
pub use self::memory::UNCHECKED;
use self::model::Model;
pub use self::record::scoring_runtime;
pub use self::sampling::Observation;
use self::text::Texts;
pub use self::text::{Embedding, TextError};
use crate::lora::{Adapters, Component};
use crate::models::{Unet, VaeDecoder};
use crate::session::{Device, SessionOptions};

/// A pipeline of the Stable Diffusion family. Its files are checked and hashed when it is opened, its networks are loaded when
/// the first image is made.
pub struct StableDiffusion {
    info: GeneratorInfo,
    model: Model,
    texts: Texts,
    options: Options,
    session: SessionOptions,
    networks: OnceLock<Networks>,
    loading: Mutex<()>,
    inputs: inputs::Known,
    memory: Arc<kept::Memory>,
}

impl StableDiffusion {
    /// Checks a model's files and reads their digests; no network is loaded yet. Relative folders start at `base`.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the reason.
    pub fn open(reference: &str, base: &Path, options: &Options) -> Result<Self, LoadError> {
        Self::open_adapted(reference, base, Adapters::default(), options)
    }

    /// [`StableDiffusion::open`], with LoRA files that are added to the networks' weights.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the reason.
    pub fn open_adapted(
        reference: &str,
        base: &Path,
        adapters: Adapters,
        options: &Options,
    ) -> Result<Self, LoadError> {
        let model = Model::open(reference, base, options)?;
        adapters.check(&components(model.family))?;
        let adapters = Arc::new(adapters);
        let lanes = load::lanes(&model.repository, options);
        let session = SessionOptions { adapters: Arc::clone(&adapters), ..options.session(lanes) };
        // Before anybody asks how much memory a network takes: what does not fit together has no size.
        Unet::check(&model.repository.folder().join("unet"), &session)?;
        VaeDecoder::check(&model.repository.folder().join("vae"), &session)?;
        let mut texts = Texts::open(&model.repository, model.family, &session)?;
        let info = record::info(&model, &adapters, options, lanes)?;
        let memory = Arc::<kept::Memory>::default();
        texts.remember(&memory, |encoder| inputs::of_encoder(&info, options.device, encoder));
        Ok(Self {
            info,
            model,
            texts,
            options: *options,
            session,
            networks: OnceLock::new(),
            loading: Mutex::new(()),
            inputs: inputs::Known::default(),
            memory,
        })
    }

    /// [`StableDiffusion::open`] with its networks loaded, so that weights that do not load are known at once.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the reason.
    pub fn load(reference: &str, base: &Path, options: &Options) -> Result<Self, LoadError> {
        Self::load_adapted(reference, base, Adapters::default(), options)
    }

    /// [`StableDiffusion::load`], with LoRA files that are added to the networks' weights.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the reason: also those that do not fit the model.
    pub fn load_adapted(
        reference: &str,
        base: &Path,
        adapters: Adapters,
        options: &Options,
    ) -> Result<Self, LoadError> {
        let model = Self::open_adapted(reference, base, adapters, options)?;
        model.texts.load(0)?;
        model.networks()?;
        Ok(model)
    }

    /// Which pipeline it is.
    #[must_use]
    pub fn family(&self) -> Family {
        self.model.family
    }

    /// On other devices than the CPU, every image says which provider has run which network.
    fn name_providers(&self, images: &mut [Result<Generated, GenerateError>]) {
        if self.options.device == Device::Cpu {
            return;
        }
        let placed = self.session.placements.list();
        let placed: Vec<_> = placed.into_iter().map(|(network, nodes)| format!("{network}: {nodes}")).collect();
        let attribute = ("providers".to_owned(), placed.join("; "));
        for image in images.iter_mut().flatten() {
            image.attributes.push(attribute.clone());
            image.attributes.sort_unstable();
        }
    }

    fn networks(&self) -> Result<&Networks, LoadError> {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(networks) = self.networks.get() {
            return Ok(networks);
        }
        let networks = Networks::load(&self.model, &self.texts, &self.session)?;
        Ok(self.networks.get_or_init(|| networks))
    }

    /// Refuses images that do not fit into memory, unless the networks are loaded already: then what they take is not free.
    fn check_memory(&self, requests: &[Request]) -> Result<(), GenerateError> {
        let free = memory::free().filter(|_| self.options.device == Device::Cpu && self.networks.get().is_none());
        let Some(free) = free else { return Ok(()) };
        let sizes = self.sizes();
        let mut last = None;
        for request in requests.iter().filter(|request| last.replace(&request.settings) != Some(&request.settings)) {
            sizes.check(&self.model.settings(&request.settings)?, self.lanes(), free)?;
        }
        Ok(())
    }

    fn sizes(&self) -> memory::Sizes {
        memory::Sizes::read(&self.model, &self.session, self.texts.are_dropped())
    }

    /// Where memory ran out, says what would fit.
    fn advise(&self, images: &mut [Result<Generated, GenerateError>], settings: &settings::Resolved) {
        for error in images.iter_mut().filter_map(|image| image.as_mut().err()).filter(|e| e.kind == memory::KIND) {
            error.hint = Some(self.sizes().advice(settings, self.lanes()));
        }
    }

    /// What the latents of a request are kept under.
    fn latents_key(&self, request: &Request) -> Option<Key<Latents>> {
        Some(inputs::of_latents(&self.inputs(request).ok()?, self.model.shape.upscale).key())
    }

    fn known_latents(&self, request: &Request) -> Option<Finished> {
        self.memory.latents(self.latents_key(request)?)
    }

    /// The embedding of a prompt, and what a person should know about it.
    ///
    /// # Errors
    /// When the prompt cannot be tokenized or a text encoder fails.
    pub fn embed(&self, prompt: &str, clip_skip: usize) -> Result<Embedding, GenerateError> {
        self.texts.embed(prompt, clip_skip, LongPrompt::Cut).map_err(TextError::into_generate)
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
            .model
            .settings(&first.settings)
            .and_then(|settings| Ok((settings, self.networks().map_err(|error| error.into_generate())?)));
        match prepared {
            Ok((settings, networks)) => {
                let together = self.options.together.max(1);
                let loras = &self.info.loras;
                let keep = |request: &Request, finished: &Finished| {
                    if let Some(key) = self.latents_key(request) {
                        self.memory.keep_latents(key, finished);
                    }
                };
                let (model, texts, keep) = (&self.model, &self.texts, &keep);
                let sampling = sampling::Sampling { model, texts, networks, settings, loras, together, keep };
                let known = |request: &Request| self.known_latents(request).filter(|known| sampling.fits(known));
                let known: Vec<Option<Finished>> = requests.iter().map(known).collect();
                let missing: Vec<Request> =
                    requests.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(r, _)| r.clone()).collect();
                let mut made = sampling.run(&missing, progress, observe).into_iter();
                let image = |(request, known): (&Request, Option<Finished>)| match known {
                    Some(known) => sampling.decode(known, request),
                    None => made.next().unwrap_or_else(|| Err(sampling::cancelled())),
                };
                let mut images: Vec<_> = requests.iter().zip(known).map(image).collect();
                self.name_providers(&mut images);
                if self.options.device == Device::Cpu {
                    self.advise(&mut images, &sampling.settings);
                }
                images
            }
            Err(error) => vec![Err(error); requests.len()],
        }
    }
}

impl Generator for StableDiffusion {
    fn info(&self) -> &GeneratorInfo {
        &self.info
    }

    /// On a GPU one more than its networks have: an image is decoded while the next one is begun. On the CPU both would want the
    /// same cores.
    fn lanes(&self) -> usize {
        self.session.lanes + usize::from(matches!(self.options.device, Device::Cuda(_)))
    }

    fn resolve(&self, settings: &Settings) -> Result<Vec<(String, Value)>, GenerateError> {
        self.model.describe(settings)
    }

    fn remember(&self, intermediates: Arc<dyn Intermediates>) {
        self.memory.set(intermediates);
    }

    fn inputs(&self, request: &Request) -> Result<Inputs, GenerateError> {
        self.inputs.of(request, &self.info, &self.model, self.options.device)
    }

    fn prepare(
        &self,
        requests: &mut dyn Iterator<Item = Request>,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), GenerateError> {
        let requests: Vec<Request> = requests.collect();
        self.check_memory(&requests)?;
        let mut texts = Vec::new();
        for request in &requests {
            let settings = self.model.settings(&request.settings)?;
            // What is only decoded has no use for its prompt.
            if self.known_latents(request).is_some() {
                continue;
            }
            let negative = negative_prompt(request).or((!self.model.zeros_for_empty).then_some(""));
            texts.extend(negative.filter(|_| settings.two_texts).map(|text| (text, 0)));
            texts.push((request.prompt.as_str(), settings.clip_skip));
        }
        // What was encoded in an earlier run needs no encoder.
        let mut seen = HashSet::new();
        texts.retain(|(text, clip_skip)| seen.insert((*text, *clip_skip)) && !self.texts.recall(text, *clip_skip));
        for clip_skip in texts.iter().map(|(_, skip)| *skip).collect::<std::collections::BTreeSet<_>>() {
            self.texts.load(clip_skip).map_err(TextError::into_generate)?;
        }
        self.texts.prepare(texts.into_iter(), go_on);
        self.networks().map(|_| ()).map_err(|error| error.into_generate())
    }

    fn generate(
        &self,
        requests: &[Request],
        progress: &(dyn Fn(Step) -> bool + Sync),
    ) -> Vec<Result<Generated, GenerateError>> {
        self.generate_observed(requests, progress, &|_| ())
    }
}

/// The networks of a family that a LoRA can change.
fn components(family: Family) -> Vec<Component> {
    let encoders = family.text_encoders().iter().filter_map(|(folder, _)| Component::of_folder(Path::new(folder)));
    std::iter::once(Component::Unet).chain(encoders).collect()
}

/// The request's own negative prompt, or the one of its test.
fn negative_prompt(request: &Request) -> Option<&str> {
    request.negative_prompt.as_deref().or(request.settings.negative_prompt.as_deref())
}

fn failed(kind: &str, error: &dyn std::error::Error) -> GenerateError {
    GenerateError { kind: kind.to_owned(), message: described(error), hint: None }
}
