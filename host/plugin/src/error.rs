//! Why a plugin is not there, not loaded, or not believed.

use std::path::{Path, PathBuf};

use difftest_core::metric::MetricError;
use difftest_core::nearest::nearest;
use difftest_core::plan::Unknown;

use crate::compile::{CompileError, Refusal};

/// A folder of plugins cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("plugin folder {} cannot be read: {reason}", path.display())]
pub struct DiscoverError {
    /// The folder.
    pub path: PathBuf,
    /// What the system said.
    pub reason: String,
}

/// Why a name does not give a metric or a prompt generator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nothing has that name.
    #[error("{}", not_found(name, nearest.as_deref(), available))]
    NotFound {
        /// The name that was asked for.
        name: String,
        /// Names that would have been found, sorted.
        available: Vec<String>,
        /// The one of them that looks most like it.
        nearest: Option<String>,
    },
    /// The plugin is there and cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The plugin is loaded and cannot be used so: its config is wrong, or it failed while it was asked.
    #[error(transparent)]
    Refused(#[from] MetricError),
}

fn not_found(name: &str, nearest: Option<&str>, available: &[String]) -> String {
    let mut text = format!("nothing is called `{name}`");
    if let Some(nearest) = nearest {
        text += &format!("; did you mean `{nearest}`?");
    }
    if available.is_empty() {
        return text + "; no plugin was found";
    }
    text + "; there is " + &available.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl RegistryError {
    /// [`RegistryError::NotFound`] with the nearest of `available` filled in.
    pub(crate) fn not_found(name: &str, mut available: Vec<String>) -> Self {
        available.sort();
        let nearest = nearest(name, available.iter().map(String::as_str)).map(str::to_owned);
        Self::NotFound { name: name.to_owned(), available, nearest }
    }
}

impl From<RegistryError> for Unknown {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::NotFound { available, .. } => Self::NotFound { available },
            RegistryError::Load(error) => Self::Refused(error.into()),
            RegistryError::Refused(error) => Self::Refused(error),
        }
    }
}

/// A plugin that is named but cannot be loaded.
#[derive(Clone, Debug, thiserror::Error)]
#[error("plugin `{plugin}` cannot be used: {cause}")]
pub struct LoadError {
    /// Its name.
    pub plugin: String,
    /// Why.
    #[source]
    pub cause: LoadCause,
}

/// Why a plugin cannot be loaded.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum LoadCause {
    #[error("{} files have this name: {}", paths.len(), list(paths))]
    Clash { paths: Vec<PathBuf> },
    #[error("the plugin in {} is not built", folder.display())]
    NotBuilt { folder: PathBuf },
    #[error("{} cannot be read: {reason}", path.display())]
    Io { path: PathBuf, reason: String },
    #[error("{} is {bytes} bytes long, {limit} is the most", path.display())]
    TooLarge { path: PathBuf, bytes: u64, limit: u64 },
    #[error("{} is not WebAssembly: it does not begin with the bytes that every such file begins with", path.display())]
    NotWasm { path: PathBuf },
    #[error("{} ends in the middle, at byte {offset}: it was cut off", path.display())]
    Truncated { path: PathBuf, offset: u64 },
    #[error("{} is not valid WebAssembly: {reason} (at byte {offset})", path.display())]
    Malformed { path: PathBuf, offset: u64, reason: String },
    #[error("{} is a core module, not a component", path.display())]
    CoreModule { path: PathBuf },
    #[error("{} was built for difftest:plugin {theirs}, this host has {}", path.display(), crate::WIT_VERSION)]
    WrongVersion { path: PathBuf, theirs: String },
    /// One import of each package that is refused, with the reason.
    #[error("{} imports {}", path.display(), refused(imports))]
    ForbiddenImport { path: PathBuf, imports: Vec<(String, &'static str)> },
    #[error(
        "{} exports none of `metric`, `pair-metric`, `set-metric` and `prompts` of difftest:plugin; it exports {}",
        path.display(), quoted(exports)
    )]
    NoExport { path: PathBuf, exports: Vec<String> },
    #[error("{} has {what}: {found}, {limit} is the most", path.display())]
    TooComplex { path: PathBuf, what: &'static str, found: u64, limit: u64 },
    #[error("{} cannot be compiled: {error}", path.display())]
    Compile { path: PathBuf, error: CompileError },
    #[error("{} does not fit the contract difftest:plugin {}: {reason}", path.display(), crate::WIT_VERSION)]
    WrongType { path: PathBuf, reason: String },
    #[error("the WebAssembly engine does not start: {reason}")]
    Engine { reason: String },
    #[error("asked to describe itself, {0}")]
    Describe(MetricError),
    #[error("it describes itself wrongly: {reason}")]
    BadDescription { reason: String },
    /// It is not what the lock file pins.
    #[error(transparent)]
    Locked(#[from] crate::lock::Refusal),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn refused(imports: &[(String, &'static str)]) -> String {
    imports.iter().map(|(name, reason)| format!("`{name}` ({reason})")).collect::<Vec<_>>().join(", ")
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl LoadCause {
    /// What the compiler, or the check before it, has against the component in `path`.
    pub(crate) fn refused(path: &Path, refusal: Refusal) -> Self {
        let path = path.to_owned();
        match refusal {
            Refusal::Malformed { offset, reason } => Self::Malformed { path, offset, reason },
            Refusal::Truncated { offset } => Self::Truncated { path, offset },
            Refusal::Unsupported { .. } => Self::Compile { path, error: CompileError::Refused(refusal) },
        }
    }

    /// Why the component in `path` was not compiled.
    pub(crate) fn compile(path: &Path, error: CompileError) -> Self {
        match error {
            CompileError::Refused(refusal) => Self::refused(path, refusal),
            error => Self::Compile { path: path.to_owned(), error },
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Clash { .. } => "plugin-clash",
            Self::NotBuilt { .. } => "plugin-not-built",
            Self::Io { .. } => "plugin-io",
            Self::TooLarge { .. } | Self::TooComplex { .. } => "plugin-too-large",
            Self::NotWasm { .. } | Self::Truncated { .. } | Self::Malformed { .. } => "plugin-malformed",
            Self::CoreModule { .. } | Self::NoExport { .. } | Self::WrongType { .. } => "plugin-not-a-component",
            Self::WrongVersion { .. } => "plugin-version",
            Self::ForbiddenImport { .. } => "plugin-import",
            Self::Compile { .. } | Self::Engine { .. } => "plugin-compile",
            Self::Describe(error) => match error.kind.as_str() {
                "fuel" => "fuel",
                "panic" => "panic",
                _ => "plugin-describe",
            },
            Self::BadDescription { .. } => "plugin-description",
            Self::Locked(refusal) => refusal.kind(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Clash { .. } => "rename one of them, or give --plugins a folder that holds only one".to_owned(),
            Self::NotBuilt { folder } => format!("difftest plugin build {}", folder.display()),
            Self::TooLarge { .. } => "build it in the release profile and strip debug info \
                 (in Cargo.toml, below [profile.release]: `strip = \"debuginfo\"`)"
                .to_owned(),
            Self::CoreModule { .. } => {
                "build it for the target wasm32-wasip2, or turn it into one with `wasm-tools component new`".to_owned()
            }
            Self::Truncated { .. } | Self::NotWasm { .. } => "copy or download the file again".to_owned(),
            Self::WrongVersion { .. } => {
                "build the plugin with an SDK of this host's version, or use a difftest that speaks the plugin's"
                    .to_owned()
            }
            Self::NoExport { .. } => {
                "write it with the SDK, or export one of these interfaces of difftest:plugin".to_owned()
            }
            Self::ForbiddenImport { .. } => {
                "a plugin gets pixels, its config, a log and the models of the suite, and nothing else; take out what needs this"
                    .to_owned()
            }
            Self::Describe(error) => return error.hint.clone(),
            Self::Locked(refusal) => refusal.hint(),
            Self::Compile { error, .. } => return error.hint(),
            _ => return None,
        };
        Some(hint)
    }
}

impl From<LoadError> for MetricError {
    fn from(error: LoadError) -> Self {
        Self { kind: error.cause.kind().to_owned(), hint: error.cause.hint(), message: error.to_string() }
    }
}
