//! The models that a suite declares by name (`[models]`), for host metrics and plugins.
//!
//! ```text
//! DeclaredModels::new(suite's entries) -> declared()  -> digests    files are checked and hashed when that is first asked
//!                                      -> clip(name)  -> Clip       one for each folder, however many names and suites use it
//!                                      -> graph(name) -> OnnxGraph  one for each file
//! ```
//!
//! A model is opened when it is first asked for, and an error of opening it is told to everyone who asks. Only declared names are
//! known: a path is a name like any other, and nothing is declared under it.

mod graph;
mod tensor;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use difftest_core::digest::Digest;
use difftest_core::model::{Embedder, Graph, ModelError, Models};
use difftest_core::suite::DeclaredModel;

pub use self::graph::{GraphFiles, OnnxGraph, OnnxGraphError};
use crate::clip::{Clip, ClipError, Description};
use crate::pipeline::{Options, load::described};

/// What is open, shared by the suites of a run.
#[derive(Default)]
pub struct Opened {
    clips: Slots<Clip, ModelError>,
    graphs: Slots<OnnxGraph, ModelError>,
    descriptions: Slots<Description, DeclaredError>,
}

type Slot<T, F> = Arc<OnceLock<Result<Arc<T>, F>>>;

/// Each place is opened once; the map is locked for a moment only, so different models open side by side.
struct Slots<T, F>(Mutex<HashMap<(PathBuf, String), Slot<T, F>>>);

impl<T, F> Default for Slots<T, F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T, F: Clone> Slots<T, F> {
    fn get<E>(
        &self,
        base: &Path,
        reference: &str,
        open: impl FnOnce() -> Result<T, E>,
        explain: impl FnOnce(E) -> F,
    ) -> Result<Arc<T>, F> {
        let key = (base.to_owned(), reference.to_owned());
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        slot.get_or_init(|| open().map(Arc::new).map_err(explain)).clone()
    }
}

/// The models of one suite.
pub struct DeclaredModels {
    models: Vec<DeclaredModel>,
    checked: OnceLock<Checked>,
    base: PathBuf,
    options: Options,
    opened: Arc<Opened>,
}

/// What looking at the files of all models came to.
#[derive(Default)]
struct Checked {
    digests: Vec<(String, Digest)>,
    problems: Vec<DeclaredError>,
}

/// Why a declared model cannot be used, found before anything is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model `{name}`: {reason}")]
pub struct DeclaredError {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl DeclaredModels {
    /// The models of a suite in the folder `base`; nothing is read yet.
    #[must_use]
    pub fn new(models: Vec<DeclaredModel>, base: &Path, options: &Options, opened: &Arc<Opened>) -> Self {
        let (base, options, opened) = (base.to_owned(), *options, Arc::clone(opened));
        Self { models, checked: OnceLock::new(), base, options, opened }
    }

    /// The declared models that cannot be used, because their files are not there or are of something else.
    #[must_use]
    pub fn problems(&self) -> &[DeclaredError] {
        &self.checked().problems
    }

    /// What the CLIP model `name` is, without loading it. `None` where none is declared.
    ///
    /// # Errors
    /// When its files cannot be used.
    pub fn describe_clip(&self, name: &str) -> Option<Result<Arc<Description>, DeclaredError>> {
        let model = self.models.iter().find(|model| model.name == name && !model.is_graph())?;
        Some(self.description(model))
    }

    fn description(&self, model: &DeclaredModel) -> Result<Arc<Description>, DeclaredError> {
        let read = || Description::read(&model.reference, &self.base);
        self.opened.descriptions.get(&self.base, &model.reference, read, |error| DeclaredError {
            name: model.name.clone(),
            reason: described(&error),
            hint: error.hint(),
        })
    }

    fn checked(&self) -> &Checked {
        self.checked.get_or_init(|| {
            let mut checked = Checked::default();
            for model in &self.models {
                let digest = if model.is_graph() {
                    GraphFiles::read(&self.base.join(&model.reference)).map(|files| files.digest).map_err(|error| {
                        DeclaredError { name: model.name.clone(), reason: error.to_string(), hint: error.hint() }
                    })
                } else {
                    self.description(model).map(|clip| clip.digest)
                };
                match digest {
                    Ok(digest) => checked.digests.push((model.name.clone(), digest)),
                    Err(problem) => checked.problems.push(problem),
                }
            }
            checked
        })
    }

    /// The CLIP model `name`.
    ///
    /// # Errors
    /// [`ModelError::NotFound`] when there is none of that name, or why it cannot be loaded.
    pub fn clip(&self, name: &str) -> Result<Arc<Clip>, ModelError> {
        let model = self.find(name)?;
        if model.is_graph() {
            return Err(ModelError::NotFound(format!("model `{name}` is an ONNX graph and embeds nothing by itself")));
        }
        let description = self.description(model).map_err(|error| ModelError::Failed(error.to_string()))?;
        let open = || Clip::open(&description, &model.reference, &self.base, &self.options);
        let explain = |error: ClipError| ModelError::Failed(format!("model `{name}`: {}", described(&error)));
        self.opened.clips.get(&self.base, &model.reference, open, explain)
    }

    fn find(&self, name: &str) -> Result<&DeclaredModel, ModelError> {
        self.models.iter().find(|model| model.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|model| model.name.as_str()).collect();
            let there = if names.is_empty() {
                "it declares none".to_owned()
            } else {
                format!("it declares {}", names.join(", "))
            };
            ModelError::NotFound(format!("the suite declares no model `{name}` under [models]: {there}"))
        })
    }
}

impl Models for DeclaredModels {
    fn declared(&self) -> &[(String, Digest)] {
        &self.checked().digests
    }

    fn embedder(&self, name: &str) -> Result<Arc<dyn Embedder>, ModelError> {
        Ok(self.clip(name)?)
    }

    fn graph(&self, name: &str) -> Result<Arc<dyn Graph>, ModelError> {
        let model = self.find(name)?;
        if !model.is_graph() {
            let message =
                format!("model `{name}` is a CLIP model; only an ONNX graph (`.onnx`) can be computed by itself");
            return Err(ModelError::NotFound(message));
        }
        let open = || OnnxGraph::open(&self.base.join(&model.reference), &self.options.scoring_session());
        let explain = |error: OnnxGraphError| ModelError::Failed(format!("model `{name}`: {error}"));
        Ok(self.opened.graphs.get(&self.base, &model.reference, open, explain)?)
    }
}
