//! The settings of a call, with the model's own where the suite says nothing.

use difftest_core::generate::{GenerateError, LongPrompt, Settings};
use serde_json::{Value, json};

use super::family::Defaults;
use super::{Model, failed};
use crate::noise::Stream;
use crate::scheduler::Kind;

/// Longest side of an image: beyond it one image would fill any memory.
const LONGEST: u32 = 8192;

/// Settings with nothing left open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolved {
    pub(super) kind: Kind,
    pub(super) steps: u32,
    pub(super) guidance: f64,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) clip_skip: usize,
    pub(super) long_prompt: LongPrompt,
    pub(super) noise: Stream,
    /// Whether the network is asked with and without the prompt.
    pub(super) two_texts: bool,
    defaults: Option<Defaults>,
}

impl Model {
    /// Fills in what is open and refuses what this model cannot do.
    pub(super) fn settings(&self, settings: &Settings) -> Result<Resolved, GenerateError> {
        let kind = match &settings.scheduler {
            Some(name) => name.parse(),
            None => self.scheduler.own(),
        };
        let defaults = self.family.defaults(self.repository.reference());
        let factor = self.shape.upscale as u32;
        let (width, height) = settings.size.unwrap_or(self.shape.size);
        let fits = |side: u32| side > 0 && side.is_multiple_of(factor) && side <= LONGEST;
        if !fits(width) || !fits(height) {
            let message = format!("size {width}x{height} is not possible with this model");
            return Err(refused(message, Some(format!("use multiples of {factor} up to {LONGEST}"))));
        }
        let guidance = settings.guidance.unwrap_or(defaults.guidance);
        if !guidance.is_finite() {
            return Err(refused(format!("guidance {guidance} is not a finite number"), None));
        }
        let noise = match &settings.noise {
            Some(name) => name.parse().map_err(|error| failed("settings", &error))?,
            None => Stream::default(),
        };
        Ok(Resolved {
            kind: kind.map_err(|error| failed("settings", &error))?,
            steps: settings.steps.unwrap_or(defaults.steps),
            guidance,
            width,
            height,
            clip_skip: settings.clip_skip.unwrap_or(0) as usize,
            long_prompt: settings.long_prompt.unwrap_or_default(),
            noise,
            two_texts: guidance > 1.0 && !self.reads_guidance,
            defaults: (settings.steps.is_none() || settings.guidance.is_none()).then_some(defaults),
        })
    }

    /// [`Model::settings`] for the record of a test, with what follows from them.
    pub(super) fn describe(&self, settings: &Settings) -> Result<Vec<(String, Value)>, GenerateError> {
        let resolved = self.settings(settings)?;
        let mut scheduler =
            self.scheduler.describe(resolved.kind, resolved.steps).map_err(|error| failed("settings", &error))?;
        let mut fields = vec![
            ("clip_skip", json!(resolved.clip_skip)),
            ("guidance", json!(resolved.guidance)),
            ("noise", json!(resolved.noise.to_string())),
            ("scheduler", scheduler["name"].take()),
            ("scheduler_class", scheduler["class"].take()),
            ("scheduler_config", scheduler["config"].take()),
            ("size", json!([resolved.width, resolved.height])),
            ("steps", json!(resolved.steps)),
            ("timesteps", scheduler["timesteps"].take()),
        ];
        if let Some(defaults) = resolved.defaults {
            fields.push(("defaults", json!(defaults.of)));
        }
        fields.sort_by_key(|(name, _)| *name);
        Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

fn refused(message: String, hint: Option<String>) -> GenerateError {
    GenerateError { kind: "settings".to_owned(), message, hint }
}
