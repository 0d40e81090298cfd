//! What a suite may name: host metrics, the metrics and prompt generators of plugins, and image manifests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::generate::{Prompt, PromptGenerator as _};
use difftest_core::metric::{AnyMetric, MetricError, MetricInfo, ReproducibilityClass};
use difftest_core::model::Models;
use difftest_core::plan::{self, Unknown};
use difftest_core::suite::{DeclaredModel, ModelSpec, Suite};
use difftest_diffusion::clip::{self, ClipScore};
use difftest_diffusion::declared::{DeclaredError, DeclaredModels, Opened};
use difftest_diffusion::images::ImageFolder;
use difftest_diffusion::pipeline::Options;
use difftest_plugin::{Registry, RegistryError};
use serde_json::Value;

/// The host metric that compares an image with its prompt.
pub const CLIP_SCORE: &str = "clip_score";

/// The declared model that it uses.
pub const CLIP: &str = "clip";

/// The models that a suite has: those it declares, and the CLIP model that belongs to a builtin model where it declares none.
/// Never a guess for other models, because a CLIP model that was made for other pictures gives numbers that mean nothing.
#[must_use]
pub fn models_of(suite: &Suite, model: &ModelSpec, options: &Options, opened: &Arc<Opened>) -> Arc<DeclaredModels> {
    let mut models = suite.models.clone();
    let builtin = *model == ModelSpec::Diffusion("builtin:shapes".to_owned());
    if builtin && !models.iter().any(|model| model.name == CLIP) {
        models.push(DeclaredModel { name: CLIP.to_owned(), reference: clip::DEFAULT_MODEL.to_owned(), span: 0..0 });
        models.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let folder = suite.path.parent().unwrap_or(Path::new(""));
    Arc::new(DeclaredModels::new(models, folder, options, opened))
}

/// The catalogue of one suite.
pub struct Catalog<'a> {
    plugins: &'a Registry,
    models: &'a Arc<DeclaredModels>,
    folder: PathBuf,
    /// Answers given before, by name and config: a suite may ask the same for each of a thousand tests.
    known: RefCell<HashMap<(String, String), Result<MetricInfo, Unknown>>>,
}

impl<'a> Catalog<'a> {
    /// The catalogue for `suite`, whose models are `models`.
    #[must_use]
    pub fn new(plugins: &'a Registry, suite: &Suite, models: &'a Arc<DeclaredModels>) -> Self {
        let folder = suite.path.parent().unwrap_or(Path::new("")).to_owned();
        Self { plugins, models, folder, known: RefCell::default() }
    }

    fn describe(&self, name: &str, config: &Value) -> Result<MetricInfo, Unknown> {
        if name != CLIP_SCORE {
            return match plugin_metric(self.plugins, name, config, self.models) {
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
        match self.models.describe_clip(CLIP) {
            Some(Ok(description)) => Ok(ClipScore::describe(&description)),
            Some(Err(error)) => Err(Unknown::Refused(model_error(&error))),
            None => Err(Unknown::Refused(no_clip())),
        }
    }
}

/// A plugin's metric. One that may ask models is refused while any declared model cannot be used: what its scores depend on would
/// not be known.
pub(crate) fn plugin_metric(
    plugins: &Registry,
    name: &str,
    config: &Value,
    models: &Arc<DeclaredModels>,
) -> Result<AnyMetric, RegistryError> {
    let as_models: Arc<dyn Models> = models.clone();
    let metric = plugins.metric(name, config, Some(&as_models))?;
    match models_needed(metric.info()).then(|| models.problems().first()).flatten() {
        Some(problem) => Err(RegistryError::Refused(model_error(problem))),
        None => Ok(metric),
    }
}

fn models_needed(info: &MetricInfo) -> bool {
    info.class() == ReproducibilityClass::ModelDependent
}

fn model_error(error: &DeclaredError) -> MetricError {
    MetricError { kind: "model".into(), message: error.to_string(), hint: error.hint.clone() }
}

/// Why `clip_score` has no model.
pub(crate) fn no_clip() -> MetricError {
    MetricError {
        kind: "invalid-config".into(),
        message: format!("{CLIP_SCORE} needs a CLIP model, and the suite names none"),
        hint: Some("add `[models]` with `clip = \"FOLDER\"` (a CLIPModel as transformers saves it), or a model of the hub such as `openai/clip-vit-large-patch14`".into()),
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
