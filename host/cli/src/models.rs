//! From the names of models to folders: a folder that is there, else the hub's cache, else the hub.
//!
//! ```text
//! "builtin:shapes", "models/mine", "head.onnx"   as they are: the model's own loader explains what is wrong with them
//! "ORG/NAME[@REVISION]"                           no such folder here: the snapshot in the hub's cache, with what a run needs
//! ```
//!
//! A revision that is a commit and lies whole in the cache costs no request; a branch costs one, to learn which commit it is. Where the
//! hub cannot be reached the cache is used, aloud, if it has the model whole.

mod progress;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use difftest_core::event::ErrorInfo;
use difftest_core::suite::{ModelSpec, Suite, SuiteError};
use difftest_diffusion::clip::Clip;
use difftest_diffusion::pipeline::{self, described};
use difftest_diffusion::repository::{Repository, RepositoryError};
use difftest_diffusion::select::{self, SelectError, Selection};
use difftest_diffusion::session::Precision;
use difftest_hub::{Error, Hub, Listing, ModelId, Snapshot};

pub(crate) use self::progress::{Progress, size};
use crate::error::CliError;
use crate::ui::{self, Ui};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Makes images.
    Pipeline,
    /// Embeds texts and images.
    Clip,
    /// Whatever it is.
    Any,
}

impl Kind {
    pub(crate) fn select(self, paths: &[&str], precision: Precision) -> Result<Selection, SelectError> {
        match self {
            Self::Pipeline => select::pipeline(paths, precision),
            Self::Clip => select::clip(paths, precision),
            Self::Any => select::any(paths, precision),
        }
    }

    fn is_clip(self, folder: &Path) -> bool {
        match self {
            Self::Pipeline => false,
            Self::Clip => true,
            Self::Any => folder.join("config.json").exists() && !folder.join("model_index.json").exists(),
        }
    }

    /// Whether `folder` has everything that such a model needs.
    pub(crate) fn open(self, folder: &Path) -> Result<Repository, RepositoryError> {
        let name = folder.to_string_lossy();
        if self.is_clip(folder) {
            Repository::clip(&name, Path::new(""))
        } else {
            Repository::stable_diffusion(&name, Path::new(""))
        }
    }
}

/// Reads the model in `folder` as a run does, and says what that would end with: with `values`, every weight too.
pub(crate) fn check(folder: &Path, values: bool) -> Result<Repository, CliError> {
    let (name, base) = (folder.to_string_lossy(), Path::new(""));
    let (message, hint) = match Kind::Any.is_clip(folder) {
        true => match Clip::check(&name, base, values) {
            Ok(repository) => return Ok(repository),
            Err(error) => (described(&error), error.hint()),
        },
        false => match pipeline::check(&name, base, values) {
            Ok(repository) => return Ok(repository),
            Err(error) => (described(&error), error.hint()),
        },
    };
    Err(CliError::new("model", message).hint_if(hint))
}

/// Whether this is the name of a file of weights, as nobody calls a model on the hub.
pub(crate) fn names_a_file(reference: &str) -> bool {
    const FILES: [&str; 6] = [".safetensors", ".ckpt", ".onnx", ".bin", ".pt", ".pth"];
    FILES.iter().any(|ending| reference.to_ascii_lowercase().ends_with(ending))
}

/// Finds models; asks the hub once for each.
pub(crate) struct Finder {
    offline: bool,
    /// Whether what is not in the cache may be fetched.
    fetch: bool,
    precision: Precision,
    progress: Progress,
    hub: OnceCell<Hub>,
    known: RefCell<HashMap<(ModelId, Kind), PathBuf>>,
}

impl Finder {
    /// For a command that fetches what is missing.
    pub(crate) fn new(offline: bool, precision: Precision, ui: &Ui) -> Self {
        let progress = Progress::new(ui.interactive());
        Self { offline, fetch: true, precision, progress, hub: OnceCell::new(), known: RefCell::default() }
    }

    /// For a command that only looks.
    pub(crate) fn looking(ui: &Ui) -> Self {
        Self { fetch: false, ..Self::new(false, Precision::F32, ui) }
    }

    pub(crate) fn hub(&self) -> Result<&Hub, CliError> {
        if let Some(hub) = self.hub.get() {
            return Ok(hub);
        }
        let hub = Hub::from_env(self.offline).map_err(from_hub)?;
        Ok(self.hub.get_or_init(|| hub))
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Replaces the names of the hub's models in `model` and in the suite's `[models]` by their folders. Problems point at the suite
    /// where the suite names the model.
    pub(crate) fn settle(
        &self,
        suite: &mut Suite,
        model: &mut ModelSpec,
        asked: bool,
    ) -> Result<Vec<SuiteError>, CliError> {
        let base = suite.path.parent().unwrap_or(Path::new("")).to_owned();
        let mut problems = Vec::new();
        if let ModelSpec::Diffusion(reference) = model {
            // What was asked for on the command line starts there: a folder beside the suite is another model.
            let base = if asked { Path::new("") } else { &base };
            match (self.folder(reference, base, Kind::Pipeline), suite.model_span.as_ref()) {
                (Ok(found), _) => *reference = found,
                (Err(CliError::Plain(error)), Some(span)) if !asked => problems.push(at(span, error)),
                (Err(error), _) => return Err(error),
            }
        }
        for declared in suite.models.iter_mut().filter(|model| !model.is_graph()) {
            match self.folder(&declared.reference, &base, Kind::Clip) {
                Ok(found) => declared.reference = found,
                Err(CliError::Plain(error)) => problems.push(at(&declared.span, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(problems)
    }

    /// The folder of `reference`, or `reference` where it names none of the hub's models.
    fn folder(&self, reference: &str, base: &Path, kind: Kind) -> Result<String, CliError> {
        let there = reference.starts_with("builtin:") || base.join(reference).exists();
        // a name without a slash is more likely a folder that is missing than one of the hub's few oldest models
        let named = !there && reference.contains('/') && !names_a_file(reference);
        let Some(id) = named.then(|| reference.parse::<ModelId>().ok()).flatten() else {
            return Ok(reference.to_owned());
        };
        if let Some(known) = self.known.borrow().get(&(id.clone(), kind)) {
            return Ok(known.to_string_lossy().into_owned());
        }
        if !self.fetch && self.cached(&id, kind)?.is_none() && kind == Kind::Pipeline {
            // a plan needs no pipeline
            return Ok(reference.to_owned());
        }
        let snapshot = self.obtain(&id, kind).map_err(|error| {
            let looked = base.join(reference);
            match error {
                // A slip in a folder's name looks like a name on the hub.
                CliError::Plain(info) => CliError::from(info)
                    .map(|text| format!("there is no folder {}; as a model of the hub: {text}", looked.display())),
                error => error,
            }
        })?;
        self.known.borrow_mut().insert((id, kind), snapshot.folder.clone());
        Ok(snapshot.folder.to_string_lossy().into_owned())
    }

    /// A whole snapshot of a model, fetched where it has to be.
    pub(crate) fn obtain(&self, id: &ModelId, kind: Kind) -> Result<Snapshot, CliError> {
        let hub = self.hub()?;
        if !self.fetch || hub.settings().offline.is_some() {
            return self.only_cached(hub, id, kind);
        }
        if id.commit().is_some()
            && let Some(snapshot) = self.cached(id, kind)?
        {
            return Ok(snapshot);
        }
        match hub.list(id, &self.progress) {
            Ok(listing) => self.fetch(&listing, kind),
            Err(error) if error.is_unreachable() => match self.cached(id, kind)? {
                Some(snapshot) => {
                    let commit = &snapshot.commit[..12];
                    ui::note(&format!(
                        "{error}: {id} is taken from the cache, as it was when it was last asked for ({commit})"
                    ));
                    Ok(snapshot)
                }
                None => Err(from_hub(error)),
            },
            Err(error) => Err(from_hub(error)),
        }
    }

    /// Fetches what a run needs of a listed model. What cannot be run is told before its weights come.
    pub(crate) fn fetch(&self, listing: &Listing, kind: Kind) -> Result<Snapshot, CliError> {
        let hub = self.hub()?;
        let selection = self.select(listing, kind)?;
        let files: Vec<&str> = selection.files.iter().map(String::as_str).collect();
        let configs: Vec<&str> = files.iter().copied().filter(|file| file.ends_with(".json")).collect();
        if !hub.wanted(listing, &files).missing.is_empty() {
            let early = hub.fetch(listing, &configs, &self.progress).map_err(from_hub)?;
            if let Err(error @ RepositoryError::Class { .. }) = kind.open(&early.folder) {
                return Err(from_repository(&listing.id, &error));
            }
        }
        let fetched = hub.fetch(listing, &files, &self.progress);
        self.progress.finish();
        fetched.map_err(from_hub)
    }

    pub(crate) fn select(&self, listing: &Listing, kind: Kind) -> Result<Selection, CliError> {
        let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
        // CLIP is computed in single precision on every device
        let precision = if kind == Kind::Clip { Precision::F32 } else { self.precision };
        kind.select(&paths, precision).map_err(|error| from_select(&listing.id, &error))
    }

    /// What the cache has, if that is a whole model.
    pub(crate) fn cached(&self, id: &ModelId, kind: Kind) -> Result<Option<Snapshot>, CliError> {
        Ok(self.hub()?.cached(id).filter(|snapshot| kind.open(&snapshot.folder).is_ok()))
    }

    fn only_cached(&self, hub: &Hub, id: &ModelId, kind: Kind) -> Result<Snapshot, CliError> {
        let Some(snapshot) = hub.cached(id) else {
            let error = hub.offline_error(&id.to_string());
            return Err(if self.fetch { from_hub(error) } else { not_fetched(id) });
        };
        match kind.open(&snapshot.folder) {
            Ok(_) => Ok(snapshot),
            Err(RepositoryError::Missing { file, .. }) if self.fetch => {
                Err(from_hub(hub.offline_error(&format!("{file} of {id}"))).hint_fetch(id))
            }
            Err(RepositoryError::Missing { .. } | RepositoryError::NotAModel { .. }) => Err(not_fetched(id)),
            Err(error) => Err(from_repository(id, &error)),
        }
    }
}

impl CliError {
    fn hint_fetch(self, id: &ModelId) -> Self {
        self.hint(format!("with a network and without `--offline` or HF_HUB_OFFLINE: difftest model fetch {id}"))
    }
}

fn at(span: &std::ops::Range<usize>, error: ErrorInfo) -> SuiteError {
    let problem = SuiteError::at(span, error.message);
    match error.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn not_fetched(id: &ModelId) -> CliError {
    CliError::new("model", format!("{id} is not in the cache of the hub's models, and this command fetches none"))
        .hint(format!("difftest model fetch {id}"))
}

pub(crate) fn from_hub(error: Error) -> CliError {
    CliError::new(error.kind(), described(&error)).hint_if(error.hint())
}

pub(crate) fn from_select(id: &ModelId, error: &SelectError) -> CliError {
    let cli = CliError::new("model", format!("{id} cannot be run: {error}; nothing of it was fetched"));
    cli.hint_if(error.hint())
}

pub(crate) fn from_repository(id: &ModelId, error: &RepositoryError) -> CliError {
    CliError::new("model", format!("{id} cannot be run: {}", described(error))).hint_if(error.hint())
}
