//! What makes images and prompts, whoever does it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::image::Image;
use crate::key::{Embedding, Inputs, Key, Latents};

/// The sampler settings of a test. `None` leaves the choice to the model's own configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Scheduler name: `ddim`, `euler`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// Denoising steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Classifier-free guidance scale; 1 or less turns it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guidance: Option<f64>,
    /// Width and height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Negative prompt for every case that brings none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// Layers at the end of the text encoder that are left out for the prompt, as diffusers' `clip_skip`; 0 leaves none out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_skip: Option<u32>,
    /// What becomes of a prompt that is longer than the text encoder reads; it is cut where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_prompt: Option<LongPrompt>,
    /// The stream that noise is drawn from: `torch-cpu-f32` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<String>,
}

/// What becomes of a prompt that is longer than the text encoder reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LongPrompt {
    /// The end is left out, and a warning names it.
    #[default]
    Cut,
    /// There is no image.
    Error,
}

/// One image to make: a case, reduced to what the generator needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The case id, for messages.
    pub id: String,
    /// The prompt.
    pub prompt: String,
    /// The negative prompt; `None` means the empty one.
    pub negative_prompt: Option<String>,
    /// The seed.
    pub seed: u64,
    /// Sampler settings.
    pub settings: Settings,
}

/// A finished image and what it was really made with.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The pixels.
    pub image: Image,
    /// The settings after the model's defaults were filled in, sorted by name: `scheduler`, `steps`, `guidance`, ...
    pub attributes: Vec<(String, String)>,
    /// Things a person should know, such as a truncated prompt.
    pub warnings: Vec<String>,
    /// The file it was read from, where it was not made just now: then nothing is stored again.
    pub file: Option<std::path::PathBuf>,
}

/// What makes images: a diffusion model, a folder of existing images.
pub trait Generator: Send + Sync {
    /// What it is, for the record.
    fn info(&self) -> &GeneratorInfo;

    /// How many calls of [`Generator::generate`] may usefully run at the same time.
    fn lanes(&self) -> usize;

    /// Whether making an image is work of one thread without a wait, such as decoding a file. It is then done by the threads that
    /// score, as many at a time as they are, whatever [`Generator::lanes`] says.
    fn is_light(&self) -> bool {
        false
    }

    /// The settings of a test with the model's own filled in, and what follows from them (timesteps, ...), for the record;
    /// sorted by name. Costs no inference: it is asked before the first image, so that settings that cannot be followed are known
    /// at once.
    ///
    /// # Errors
    /// Settings that this generator cannot follow.
    fn resolve(&self, settings: &Settings) -> Result<Vec<(String, Value)>, GenerateError> {
        let _ = settings;
        Ok(Vec::new())
    }

    /// Everything that the pixels of a request depend on, by name: `model/FILE`, `lora/N`, `prompt`, `negative`, `seed`,
    /// `settings/NAME`, `runtime/NAME`. Two requests with the same inputs have the same image, whatever the batch, the number of
    /// threads or the order; so what pixels cannot depend on is not in it. Costs no inference, and loads nothing.
    ///
    /// # Errors
    /// When a request cannot be followed, or a file that it needs cannot be read: then [`Generator::generate`] would say so too.
    fn inputs(&self, request: &Request) -> Result<Inputs, GenerateError>;

    /// The file that the image of a request already is, where this generator makes none.
    fn file(&self, request: &Request) -> Option<std::path::PathBuf> {
        let _ = request;
        None
    }

    /// From now on, looks up and keeps what it computes on the way to an image in `intermediates`.
    fn remember(&self, intermediates: std::sync::Arc<dyn Intermediates>) {
        drop(intermediates);
    }

    /// Told once, before the first image, every request that will come: what they share can be computed now and what only that
    /// needs be let go. Requests that were not told work too. Stops early when `go_on` says so.
    ///
    /// # Errors
    /// When no image can be made at all: a model that does not load.
    fn prepare(
        &self,
        requests: &mut dyn Iterator<Item = Request>,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), GenerateError> {
        let _ = (requests, go_on);
        Ok(())
    }

    /// Makes one image for each request, in order. All requests of a call share their settings.
    /// The pixels of a case depend on its own request alone: not on the batch, the lane or the order.
    /// `progress` is told each finished step and answers whether to go on; on `false` every unfinished request ends with
    /// [`GenerateError`] of kind `cancelled`.
    fn generate(
        &self,
        requests: &[Request],
        progress: &(dyn Fn(Step) -> bool + Sync),
    ) -> Vec<Result<Generated, GenerateError>>;
}

/// Where a generator keeps what it computes on the way to an image, so that a run with another denoiser or decoder does not compute
/// it again. What is found is what was kept; what cannot be kept is computed again.
pub trait Intermediates: Send + Sync {
    /// What was kept.
    fn find(&self, what: &Intermediate) -> Option<Vec<u8>>;

    /// Keeps `content`.
    fn keep(&self, what: &Intermediate, content: &[u8]);
}

/// What is computed on the way to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intermediate {
    /// What a text encoder makes of a text.
    Embedding(Key<Embedding>),
    /// What a decoder makes an image of.
    Latents(Key<Latents>),
}

/// A denoising step that has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Counted from 1.
    pub step: u32,
    /// How many there are.
    pub of: u32,
}

/// What a generator is: enough to say where an image came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorInfo {
    /// As the suite names it; `ORG/NAME` for a model of the hub.
    pub model: String,
    /// The commit, for a model of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `stable-diffusion`, `images`, ...
    pub kind: String,
    /// Every file that went in, with its digest; paths relative to the model folder.
    #[serde(with = "crate::pairs")]
    #[schemars(with = "std::collections::BTreeMap<String, Digest>")]
    pub files: Vec<(String, Digest)>,
    /// LoRA files that were added to its weights, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loras: Vec<LoraInfo>,
    /// Device, runtime version, thread count, noise id, ...; sorted by name.
    #[serde(with = "crate::pairs")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub environment: Vec<(String, String)>,
}

impl GeneratorInfo {
    /// The class of environments that its images belong to: device, number format and runtime, such as
    /// `cpu-f32-onnxruntime-1.31.1`, or `images` where nothing is computed. Images of different classes are never compared without
    /// saying so. Safe as the name of a folder.
    #[must_use]
    pub fn environment_class(&self) -> String {
        let of = |name: &str| {
            let found = self.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let Some(device) = of("device") else { return self.kind.clone() };
        // The number of a card says where it is plugged in, and not what it computes; its name does, where it is known.
        let device = of("gpu").unwrap_or_else(|| device.split(':').next().unwrap_or(device));
        let (precision, runtime) = (of("precision").unwrap_or("f32"), of("onnxruntime").unwrap_or("unknown"));
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
        format!("{device}-{precision}-onnxruntime-{runtime}").to_lowercase().chars().map(plain).collect()
    }
}

/// Whether [`GeneratorInfo::environment_class`] could say this: a name that it cannot say is a typing mistake.
#[must_use]
pub fn is_environment_class(name: &str) -> bool {
    if name == IMAGES {
        return true;
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let Some((made, runtime)) = name.rsplit_once("-onnxruntime-") else { return false };
    let version = runtime == "unknown" || runtime.starts_with(|c: char| c.is_ascii_digit());
    let precise = made
        .rsplit_once('-')
        .is_some_and(|(device, precision)| !device.is_empty() && matches!(precision, "f32" | "f16" | "bf16"));
    version && precise && name.chars().all(plain)
}

/// The class of images that another program made.
const IMAGES: &str = "images";

/// A LoRA file, and how much of it was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoraInfo {
    /// As it was named.
    pub file: String,
    /// Of its content.
    pub digest: Digest,
    /// What it was multiplied by.
    pub weight: f64,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[error("{message}")]
pub struct GenerateError {
    /// A stable word for programs: `cancelled`, `not-finite`, `missing-image`, ...
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A prompt as a test uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prompt {
    /// Stable id, unique inside its test.
    pub id: String,
    /// The text.
    pub text: String,
    /// A negative prompt of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative: Option<String>,
    /// What it was built from, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "crate::pairs")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub attributes: Vec<(String, String)>,
}

/// A prompt generator, loaded.
pub trait PromptGenerator: Send + Sync {
    /// At most `limit` prompts. The same answer for the same arguments, on every machine.
    ///
    /// # Errors
    /// When the config breaks the schema, or the plugin fails.
    fn prompts(&self, config: &Value, seed: u64, limit: u32) -> Result<Vec<Prompt>, crate::metric::MetricError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(environment: &[(&str, &str)]) -> GeneratorInfo {
        GeneratorInfo {
            model: "m".to_owned(),
            revision: None,
            kind: "images".to_owned(),
            files: Vec::new(),
            loras: Vec::new(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn the_class_of_an_environment_is_a_folder_name() {
        assert_eq!(info(&[]).environment_class(), "images");
        let cpu = [("device", "cpu"), ("onnxruntime", "1.31.1"), ("precision", "f32"), ("threads", "8")];
        assert_eq!(info(&cpu).environment_class(), "cpu-f32-onnxruntime-1.31.1");
        let gpu = [("device", "cuda:3"), ("onnxruntime", "1.31.1"), ("precision", "f16")];
        assert_eq!(info(&gpu).environment_class(), "cuda-f16-onnxruntime-1.31.1");
        let odd = [("device", "../x y"), ("onnxruntime", "1/2")];
        assert_eq!(info(&odd).environment_class(), "..-x-y-f32-onnxruntime-1-2");
        let named = [("device", "cuda"), ("gpu", "NVIDIA H100 80GB HBM3")];
        let all = [&cpu[..], &gpu, &odd, &named];
        assert!(all.iter().all(|environment| is_environment_class(&info(environment).environment_class())));
        assert!(is_environment_class("images"));
        for none in [
            "",
            "image",
            "cpu",
            "cpu-f32",
            "cpu-onnxruntime-1.31.1",
            "-f32-onnxruntime-1.31.1",
            "CPU-f32-onnxruntime-1.31.1",
        ] {
            assert!(!is_environment_class(none), "{none}");
        }
    }
}
