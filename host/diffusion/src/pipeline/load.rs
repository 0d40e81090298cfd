//! From a model folder to networks that fit together, and the record of where images came from.

use std::thread::available_parallelism;

use difftest_core::generate::{GenerateError, GeneratorInfo};
use serde_json::Value;

use super::Resolved;
use crate::error::Error;
use crate::models::{TextEncoder, TextTap, Unet, VaeDecoder};
use crate::noise::Stream;
use crate::repository::{Repository, RepositoryError};
use crate::runtime;
use crate::scheduler::SchedulerError;
use crate::session::{Device, SessionOptions, joined};
use crate::tokenizer::{ClipTokenizer, TokenizerError};

/// A UNet file up to this size runs as several lanes of one thread each: its operations are too small to share among threads.
/// 64 MiB are 32 million parameters in half precision, a thirtieth of Stable Diffusion 1.
const SMALL: u64 = 64 << 20;

/// How a pipeline runs. None of it changes a pixel on the CPU.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Where the networks run.
    pub device: Device,
    /// Threads for everything together; all cores where not given.
    pub threads: Option<usize>,
    /// Images at the same time; chosen by the model's size where not given.
    pub lanes: Option<usize>,
}

impl Options {
    fn threads(&self) -> usize {
        self.threads.or_else(|| available_parallelism().ok().map(usize::from)).unwrap_or(1).max(1)
    }

    /// For networks in `lanes` that share the threads. Lanes compete for the cores, so only a lone one spins.
    pub(crate) fn session(&self, lanes: usize) -> SessionOptions {
        let threads = (self.threads() / lanes).max(1);
        SessionOptions { threads, lanes, device: self.device, spin: lanes == 1, ..SessionOptions::default() }
    }
}

/// Why a pipeline cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The reference or the folder.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The scheduler's settings.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// The tokenizer's files.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A network or ONNX Runtime.
    #[error(transparent)]
    Network(#[from] Error),
    /// Components that do not belong together.
    #[error("{what}: {left} does not fit {right}")]
    Mismatch {
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
            Self::Network(error) => error.hint(),
            _ => None,
        }
    }

    /// The same for a generator that loads its networks with its first image.
    pub(crate) fn into_generate(self) -> GenerateError {
        GenerateError { kind: "model".to_owned(), message: described(&self), hint: self.hint() }
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

/// The loaded networks of a pipeline, checked to fit together.
pub(super) struct Networks {
    pub(super) text: TextEncoder,
    pub(super) unet: Unet,
    pub(super) vae: VaeDecoder,
    /// Width and height that the model was trained for, in pixels.
    pub(super) size: (u32, u32),
}

impl Networks {
    pub(super) fn load(
        repository: &Repository,
        options: &Options,
        lanes: usize,
        tokenizer: &ClipTokenizer,
    ) -> Result<Self, LoadError> {
        let session = options.session(lanes);
        let folder = repository.folder();
        let (text, unet, vae) = std::thread::scope(|scope| {
            let text = scope.spawn(|| {
                let text = TextEncoder::load(&folder.join("text_encoder"), &session)?;
                text.prepare(TextTap::default()).map(|()| text)
            });
            let vae = scope.spawn(|| VaeDecoder::load(&folder.join("vae"), &session));
            let unet = Unet::load(&folder.join("unet"), &session);
            (joined(text), unet, joined(vae))
        });
        let (text, unet, vae) = (text?, unet?, vae?);
        fits("tokens", tokenizer.max_length(), "of the tokenizer", text.length(), "of the text encoder")?;
        fits("embedding width", text.width(), "of the text encoder", unet.cross_attention_dim(), "of the UNet")?;
        // more channels in than out are inpainting and image editing models
        fits("latent channels", unet.in_channels(), "into the UNet", vae.latent_channels(), "of the VAE")?;
        fits("latent channels", unet.out_channels(), "out of the UNet", vae.latent_channels(), "of the VAE")?;
        let [height, width] = trained_size(&repository.json("unet/config.json")?).unwrap_or(unet.sample_size());
        let pixels = |latents: usize| u32::try_from(latents * vae.upscale()).unwrap_or(u32::MAX);
        let size = (pixels(width), pixels(height));
        Ok(Self { text, unet, vae, size })
    }

    /// `[channels, height, width]`.
    pub(super) fn latent_shape(&self, settings: Resolved) -> [usize; 3] {
        let side = |pixels: u32| pixels as usize / self.vae.upscale();
        [self.vae.latent_channels(), side(settings.height), side(settings.width)]
    }
}

fn fits(what: &'static str, a: usize, of_a: &str, b: usize, of_b: &str) -> Result<(), LoadError> {
    if a == b {
        return Ok(());
    }
    Err(LoadError::Mismatch { what, left: format!("{a} {of_a}"), right: format!("{b} {of_b}") })
}

/// diffusers takes a `sample_size` below 64 for a mistake where the file was written by a version before 0.9.
fn trained_size(config: &Value) -> Option<[usize; 2]> {
    let version = config.get("_diffusers_version")?.as_str()?;
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    let old = numbers.next()? == Some(0) && numbers.next()?? < 9;
    let small = config.get("sample_size")?.as_u64()? < 64;
    (old && small).then_some([64, 64])
}

/// How many images are made at the same time.
pub(super) fn lanes(repository: &Repository, options: &Options) -> usize {
    let weights = repository.folder().join("unet/diffusion_pytorch_model.safetensors");
    let small = std::fs::metadata(weights).is_ok_and(|file| file.len() <= SMALL);
    let own = if small && options.device == Device::Cpu { options.threads() } else { 1 };
    options.lanes.unwrap_or(own).max(1)
}

/// What is recorded of the pipeline with every result.
pub(super) fn info(repository: &Repository, options: &Options, lanes: usize) -> Result<GeneratorInfo, LoadError> {
    Ok(GeneratorInfo {
        model: repository.reference().to_owned(),
        kind: "stable-diffusion".to_owned(),
        files: repository.digests()?,
        environment: environment(options, lanes),
    })
}

/// Everything about the machine that images may depend on, and what they do not depend on but people ask for; sorted by name.
fn environment(options: &Options, lanes: usize) -> Vec<(String, String)> {
    let library = runtime::find().ok().and_then(|library| library.version);
    [
        ("cpu", cpu()),
        ("device", options.device.to_string()),
        ("lanes", lanes.to_string()),
        ("noise", Stream::default().to_string()),
        ("onnxruntime", library.map_or_else(|| "unknown".to_owned(), |version| version.to_string())),
        ("threads", options.threads().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Architecture and the instruction sets that ONNX Runtime chooses its kernels by: another set may round differently.
fn cpu() -> String {
    let mut names = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        let sets = [
            ("avx", std::is_x86_feature_detected!("avx")),
            ("avx2", std::is_x86_feature_detected!("avx2")),
            ("fma", std::is_x86_feature_detected!("fma")),
            ("avx512f", std::is_x86_feature_detected!("avx512f")),
            ("avx512vnni", std::is_x86_feature_detected!("avx512vnni")),
        ];
        names.extend(sets.into_iter().filter(|(_, there)| *there).map(|(name, _)| name));
    }
    #[cfg(target_arch = "aarch64")]
    {
        let sets = [
            ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
            ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
            ("sve", std::arch::is_aarch64_feature_detected!("sve")),
        ];
        names.extend(sets.into_iter().filter(|(_, there)| *there).map(|(name, _)| name));
    }
    names.join(" ")
}
