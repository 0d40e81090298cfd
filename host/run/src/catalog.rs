//! What a suite may name: host metrics, the metrics and prompt generators of plugins, and image manifests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use difftest_core::generate::{Prompt, PromptGenerator as _};
use difftest_core::metric::{Metric as _, MetricError, MetricInfo};
use difftest_core::plan::{self, Unknown};
use difftest_core::suite::{DeclaredModel, ModelSpec, Suite};
use difftest_diffusion::clip::{self, ClipScore};
use difftest_diffusion::images::ImageFolder;
use difftest_diffusion::pipeline::described;
use difftest_plugin::Registry;
use serde_json::Value;

/// The host metric that compares an image with its prompt.
pub const CLIP_SCORE: &str = "clip_score";

/// The declared model that it uses.
pub const CLIP: &str = "clip";

/// The catalogue of one suite: the CLIP model depends on what it says.
pub struct Catalog<'a> {
    plugins: &'a Registry,
    /// The CLIP model, or why there is none.
    clip: Result<String, MetricError>,
    folder: PathBuf,
    /// Answers given before, by name and config: a suite may ask the same for each of a thousand tests, and describing the CLIP
    /// model reads its files.
    known: RefCell<HashMap<(String, String), Result<MetricInfo, Unknown>>>,
}

impl<'a> Catalog<'a> {
    /// The catalogue for `suite` run on `model`.
    #[must_use]
    pub fn new(plugins: &'a Registry, suite: &Suite, model: &ModelSpec) -> Self {
        let folder = suite.path.parent().unwrap_or(Path::new("")).to_owned();
        Self { plugins, clip: clip_model(&suite.models, model), folder, known: RefCell::default() }
    }

    fn describe(&self, name: &str, config: &Value) -> Result<MetricInfo, Unknown> {
        if name != CLIP_SCORE {
            return match self.plugins.metric(name, config) {
                Ok(metric) => Ok(metric.info().clone()),
                Err(error) => Err(match Unknown::from(error) {
                    Unknown::NotFound { mut available } => {
                        available.push(CLIP_SCORE.to_owned());
                        available.sort();
                        Unknown::NotFound { available }
                    }
                    refused => refused,
                }),
            };
        }
        if !matches!(config, Value::Null) && config.as_object().is_none_or(|config| !config.is_empty()) {
            return Err(Unknown::Refused(MetricError {
                kind: "invalid-config".into(),
                message: format!("{CLIP_SCORE} takes no config"),
                hint: Some("its model is chosen with `clip` under `[models]`".into()),
            }));
        }
        let model = self.clip.clone().map_err(Unknown::Refused)?;
        ClipScore::describe(&model, &self.folder).map_err(|error| {
            Unknown::Refused(MetricError { kind: "model".into(), message: described(&error), hint: error.hint() })
        })
    }
}

/// Which CLIP model judges: the suite's own choice, or the one that belongs to a builtin model. Never a guess, because a CLIP
/// model that was made for other pictures gives numbers that mean nothing.
pub(crate) fn clip_model(declared: &[DeclaredModel], model: &ModelSpec) -> Result<String, MetricError> {
    match (declared.iter().find(|declared| declared.name == CLIP), model) {
        (Some(clip), _) => Ok(clip.reference.clone()),
        (None, ModelSpec::Diffusion(model)) if model == "builtin:shapes" => Ok(clip::DEFAULT_MODEL.to_owned()),
        (None, _) => Err(MetricError {
            kind: "invalid-config".into(),
            message: format!("{CLIP_SCORE} needs a CLIP model, and the suite names none"),
            hint: Some("add `[models]` with `clip = \"FOLDER\"` (a CLIPModel as transformers saves it)".into()),
        }),
    }
}

/// Where an images model lies: relative folders start at the suite's folder.
pub(crate) fn open_images(base: &Path, folder: &Path, manifest: Option<&Path>) -> Result<ImageFolder, MetricError> {
    ImageFolder::open(&base.join(folder), manifest).map_err(|error| MetricError {
        kind: "images".into(),
        message: error.to_string(),
        hint: error.hint(),
    })
}

impl plan::Catalog for Catalog<'_> {
    fn metric(&self, name: &str, config: &Value) -> Result<MetricInfo, Unknown> {
        let key = (name.to_owned(), config.to_string());
        if let Some(answer) = self.known.borrow().get(&key) {
            return answer.clone();
        }
        let answer = self.describe(name, config);
        self.known.borrow_mut().insert(key, answer.clone());
        answer
    }

    fn prompts(&self, name: &str, config: &Value, seed: u64, limit: u32) -> Result<Vec<Prompt>, Unknown> {
        let generator = self.plugins.prompt_generator(name)?;
        generator.prompts(config, seed, limit).map_err(Unknown::Refused)
    }

    fn manifest(&self, model: &ModelSpec) -> Result<Vec<(Prompt, u64)>, Unknown> {
        let ModelSpec::Images { folder, manifest } = model else {
            return Err(Unknown::Refused(MetricError {
                kind: "invalid-config".into(),
                message: "a diffusion model has no manifest of prompts".into(),
                hint: Some("give the test `prompts`".into()),
            }));
        };
        let images = open_images(&self.folder, folder, manifest.as_deref()).map_err(Unknown::Refused)?;
        Ok(images.rows().to_vec())
    }
}
