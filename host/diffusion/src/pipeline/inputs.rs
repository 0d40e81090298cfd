//! What the pixels of a request depend on, by name.
//!
//! The model's files, LoRA files and the runtime are the same for every request of a pipeline; settings are mostly those of the
//! request before. Both are worked out once and then copied.

use std::sync::{Mutex, OnceLock, PoisonError};

use difftest_core::generate::{GenerateError, GeneratorInfo, LongPrompt, Request, Settings};
use difftest_core::key::Inputs;
use serde_json::Value;

use super::model::Model;
use super::negative_prompt;
use crate::session::Device;

/// Facts of the environment that a pixel can depend on, on any device. Threads, lanes and what the machine is called are not
/// among them: images do not depend on those.
const RUNTIME: [&str; 9] =
    ["cpu", "device", "gpu", "graphs", "onnxruntime", "onnxruntime-build", "optimization", "precision", "provider"];

/// What was worked out before.
#[derive(Default)]
pub(super) struct Known {
    shared: OnceLock<Shared>,
    settings: Mutex<Option<(Settings, Inputs)>>,
}

struct Shared {
    model: Inputs,
    runtime: Inputs,
}

impl Known {
    /// The inputs of `request`: model, LoRA files, prompt, negative prompt, seed, settings, runtime.
    pub(super) fn of(
        &self,
        request: &Request,
        info: &GeneratorInfo,
        model: &Model,
        device: Device,
    ) -> Result<Inputs, GenerateError> {
        let shared = self.shared.get_or_init(|| Shared { model: of_model(info), runtime: of_runtime(info, device) });
        let settings = self.settings(&request.settings, model)?;
        let mut inputs = shared.model.clone();
        inputs.set("prompt", &request.prompt);
        // None and an empty text are not the same to every family.
        if let Some(negative) = negative_prompt(request) {
            inputs.set("negative", negative);
        }
        inputs.set("seed", request.seed.to_string());
        inputs.extend(&settings);
        inputs.extend(&shared.runtime);
        Ok(inputs)
    }

    fn settings(&self, settings: &Settings, model: &Model) -> Result<Inputs, GenerateError> {
        let mut known = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, inputs)) = known.as_ref().filter(|(of, _)| of == settings) {
            return Ok(inputs.clone());
        }
        let inputs = of_settings(settings, model)?;
        *known = Some((settings.clone(), inputs.clone()));
        Ok(inputs)
    }
}

/// Those of `inputs` that the latents depend on: all but what decodes them.
pub(super) fn of_latents(inputs: &Inputs, upscale: usize) -> Inputs {
    // A decoder that enlarges more gets smaller latents.
    inputs.only(|name| !name.starts_with("model/vae/")).with("latents/upscale", upscale.to_string())
}

/// What the features of a text encoder depend on, besides the text: its files, LoRA files, the runtime.
pub(super) fn of_encoder(info: &GeneratorInfo, device: Device, folder: &str) -> Inputs {
    let mut inputs = of_model(info);
    inputs.extend(&of_runtime(info, device));
    let own = format!("model/{folder}/");
    inputs.only(|name| !name.starts_with("model/") || name.starts_with(&own))
}

fn of_model(info: &GeneratorInfo) -> Inputs {
    let files = info.files.iter().map(|(name, digest)| (format!("model/{name}"), digest.to_string()));
    let loras = info
        .loras
        .iter()
        .enumerate()
        .map(|(n, lora)| (format!("lora/{n}"), format!("{} {}", lora.weight, lora.digest)));
    files.chain(loras).collect()
}

fn of_runtime(info: &GeneratorInfo, device: Device) -> Inputs {
    let matters = |name: &str| match name {
        // On a CPU the network sees one image at a time, and no option of the provider is set.
        "together" => device != Device::Cpu,
        // OpenVINO's hold the number of threads, which it may split sums by.
        "provider-options" => true,
        name => RUNTIME.contains(&name),
    };
    let facts = info.environment.iter().filter(|(name, _)| matters(name));
    facts.map(|(name, value)| (format!("runtime/{name}"), value.clone())).collect()
}

fn of_settings(settings: &Settings, model: &Model) -> Result<Inputs, GenerateError> {
    let mut inputs = Inputs::new();
    for (name, value) in model.describe(settings)? {
        match name.as_str() {
            // Where a value came from is no part of what it is.
            "defaults" => {}
            "noise" => inputs.set("noise", text(&value)),
            _ => inputs.set(format!("settings/{name}"), text(&value)),
        }
    }
    // A prompt that is cut gives an image; one that is refused gives none.
    if settings.long_prompt == Some(LongPrompt::Error) {
        inputs.set("settings/long_prompt", "error");
    }
    Ok(inputs)
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
