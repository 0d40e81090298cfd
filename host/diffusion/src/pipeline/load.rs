//! From a model folder to networks that fit together.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use difftest_core::generate::GenerateError;

use super::model::Model;
use super::text::{TextError, Texts};
use crate::error::{Error, MODELS};
use crate::lora::LoraError;
use crate::models::{Unet, VaeDecoder};
use crate::repository::{Repository, RepositoryError};
use crate::scheduler::SchedulerError;
use crate::session::{Device, Precision, SessionOptions, joined};
use crate::tokenizer::TokenizerError;

/// A UNet file up to this size runs as several lanes of one thread each: its operations are too small to share among threads.
/// 64 MiB are 32 million parameters in half precision, a thirtieth of Stable Diffusion 1.
const SMALL: u64 = 64 << 20;

/// How a pipeline runs. None of it changes a pixel on the CPU.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Where the networks run.
    pub device: Device,
    /// In which number format; what suits the device where not given.
    pub precision: Option<Precision>,
    /// Threads for everything together; all cores where not given.
    pub threads: Option<usize>,
    /// Images at the same time; chosen by the model's size where not given.
    pub lanes: Option<usize>,
    /// Images of one call that the network sees at once; 0 and 1 are one. More is for devices that are faster so.
    pub together: usize,
}

impl Options {
    pub(super) fn threads(&self) -> usize {
        self.threads.or_else(|| available_parallelism().ok().map(usize::from)).unwrap_or(1).max(1)
    }

    /// The format that networks run in.
    pub fn precision(&self) -> Precision {
        self.precision.unwrap_or(self.device.default_precision())
    }

    /// The format of graphs and weights: OpenVINO reads `f32` and rounds inside.
    pub fn graph_precision(&self) -> Precision {
        self.device.graph_precision(self.precision())
    }

    /// For networks in `lanes` that share the threads. Lanes compete for the cores, so only a lone one spins.
    pub(crate) fn session(&self, lanes: usize) -> SessionOptions {
        let threads = (self.threads() / lanes).max(1);
        SessionOptions {
            threads,
            lanes,
            device: self.device,
            precision: self.graph_precision(),
            rounding: self.precision(),
            bind: matches!(self.device, Device::Cuda(_)),
            spin: lanes == 1,
            ..SessionOptions::default()
        }
    }

    /// The same for networks that score: always `f32`, because a score must not depend on how images are made.
    pub(crate) fn scoring_session(&self) -> SessionOptions {
        let options = Self { precision: Some(Precision::F32), ..*self };
        options.session(1)
    }
}

/// Why a pipeline cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The reference or the folder.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The scheduler's settings.
    #[error("{}: {source}", folder.display())]
    Scheduler {
        /// The folder of `scheduler_config.json`.
        folder: PathBuf,
        /// What is wrong with them.
        source: SchedulerError,
    },
    /// The tokenizer's files.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A network or ONNX Runtime.
    #[error(transparent)]
    Network(#[from] Error),
    /// A text encoder.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A LoRA file, or one for another model.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// Components that do not belong together.
    #[error("{}: {what}: {left} does not fit {right}", folder.display())]
    Mismatch {
        /// The model folder.
        folder: PathBuf,
        /// Of what.
        what: &'static str,
        /// On one side.
        left: String,
        /// On the other.
        right: String,
    },
}

impl LoadError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Repository(error) => error.hint(),
            Self::Network(error) | Self::Text(TextError::Encoder(error)) => error.hint(),
            Self::Lora(error) => error.hint(),
            Self::Tokenizer(error) | Self::Text(TextError::Tokenizer(error)) => error.hint(),
            Self::Scheduler { source: SchedulerError::FlowMatching { .. }, .. } => Some(MODELS.to_owned()),
            Self::Scheduler { .. } => {
                Some("copy or download scheduler_config.json again; what is named as supported would do".to_owned())
            }
            Self::Mismatch { .. } => {
                Some("its parts are of several models: copy the whole folder again, from one place".to_owned())
            }
            Self::Text(_) => None,
        }
    }

    /// The same for a generator that loads its networks with its first image.
    pub(crate) fn into_generate(self) -> GenerateError {
        GenerateError { kind: "model".to_owned(), message: described(&self), hint: self.hint() }
    }
}

impl TextError {
    pub(super) fn into_generate(self) -> GenerateError {
        let (kind, hint) = match &self {
            Self::Tokenizer(error) => ("tokenizer", error.hint()),
            Self::Encoder(error) => ("text-encoder", error.hint()),
            Self::TooLong { prompt, .. } => {
                ("long-prompt", Some(format!("shorten the {prompt}, or set long_prompt = \"cut\"")))
            }
            Self::ClipSkip { .. } => ("settings", None),
        };
        GenerateError { kind: kind.to_owned(), message: described(&self), hint }
    }
}

/// An error with its causes, for records that keep text only; causes that the message repeats anyway are left out.
pub fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text
}

/// The loaded networks of a pipeline beside its text encoders, checked to fit together.
pub(super) struct Networks {
    pub(super) unet: Unet,
    pub(super) vae: VaeDecoder,
}

impl Networks {
    pub(super) fn load(model: &Model, texts: &Texts, session: &SessionOptions) -> Result<Self, LoadError> {
        let folder = model.repository.folder();
        let (unet, vae) = std::thread::scope(|scope| {
            let vae = scope.spawn(|| VaeDecoder::load(&folder.join("vae"), session));
            let unet = Unet::load(&folder.join("unet"), session);
            (unet, joined(vae))
        });
        let (unet, vae) = (unet?, vae?);
        let [_, width] = texts.shape();
        let fits = |what, a, of_a, b, of_b| fits(folder, what, [a, b], [of_a, of_b]);
        fits("embedding width", width, "of the text encoder", unet.cross_attention_dim(), "of the UNet")?;
        // more channels in than out are inpainting and image editing models
        fits("latent channels", unet.in_channels(), "into the UNet", vae.latent_channels(), "of the VAE")?;
        fits("latent channels", unet.out_channels(), "out of the UNet", vae.latent_channels(), "of the VAE")?;
        Ok(Self { unet, vae })
    }
}

/// Refuses two numbers of the model in `folder` that should be one; each is followed by whose it is.
pub(super) fn fits(
    folder: &Path,
    what: &'static str,
    [a, b]: [usize; 2],
    [of_a, of_b]: [&str; 2],
) -> Result<(), LoadError> {
    if a == b {
        return Ok(());
    }
    let (left, right) = (format!("{a} {of_a}"), format!("{b} {of_b}"));
    Err(LoadError::Mismatch { folder: folder.to_path_buf(), what, left, right })
}

/// How many images are made at the same time.
pub(super) fn lanes(repository: &Repository, options: &Options) -> usize {
    let small = repository.size_of("unet") <= SMALL;
    let own = if small && options.device == Device::Cpu { options.threads() } else { 1 };
    options.lanes.unwrap_or(own).max(1)
}
