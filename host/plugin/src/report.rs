//! What `difftest plugin list` and `difftest plugin inspect` print, as data.

use std::path::PathBuf;

use difftest_core::digest::Digest;
use difftest_core::metric::{MetricError, MetricInfo, ReproducibilityClass};
use serde::Serialize;
use serde_json::Value;

pub use crate::cache::Origin;
use crate::error::LoadCause;
pub use crate::failure::grouped;
use crate::plugin::Plugin;

/// A plugin that was found, not opened.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The name suites use.
    pub name: String,
    /// The component file; `None` where there is none, or more than one.
    pub path: Option<PathBuf>,
    /// Why it could not be used if a suite named it, where that can be told without opening it.
    /// The message does not name the plugin again.
    pub problem: Option<MetricError>,
}

/// The cause alone, for where the plugin is named beside it.
impl From<LoadCause> for MetricError {
    fn from(cause: LoadCause) -> Self {
        Self { kind: cause.kind().to_owned(), hint: cause.hint(), message: cause.to_string() }
    }
}

/// Everything that can be told of a plugin.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The name suites use.
    pub name: String,
    /// The component file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub digest: Digest,
    /// The author's version.
    pub version: Option<String>,
    /// The version of `difftest:plugin` it was built for.
    pub wit_version: Option<String>,
    /// What its scores can depend on, by its imports; `None` where it cannot be used and so gives no scores.
    pub class: Option<ReproducibilityClass>,
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Tools that made it.
    pub made_with: Vec<String>,
    /// Core modules inside.
    pub modules: u32,
    /// Functions with code inside.
    pub functions: u32,
    /// Where its compiled code came from; `None` where it was not loaded.
    pub compiled: Option<Origin>,
    /// Its metrics, of every kind; the class of each is the plugin's, because one component has one list of imports.
    pub metrics: Vec<MetricInfo>,
    /// Its prompt generators.
    pub prompt_generators: Vec<GeneratorInfo>,
    /// Why a suite could not use it; the message does not name the plugin again.
    pub problem: Option<MetricError>,
}

/// A prompt generator of a plugin.
#[derive(Clone, Debug, Serialize)]
pub struct GeneratorInfo {
    /// `plugin/generator`.
    pub name: String,
    /// One line.
    pub summary: String,
    /// JSON Schema of its config; `None` takes no config.
    pub config_schema: Option<Value>,
}

impl Inspection {
    /// Adds what only a loaded plugin tells.
    pub(crate) fn with(mut self, plugin: &Plugin) -> Self {
        self.version.clone_from(&plugin.id.version);
        self.class = Some(plugin.id.class);
        self.compiled = Some(plugin.origin);
        self.metrics = plugin.metrics.iter().map(|metric| crate::metric::info(plugin, metric, None)).collect();
        self.prompt_generators = plugin
            .generators
            .iter()
            .map(|generator| GeneratorInfo {
                name: format!("{}/{}", self.name, generator.name),
                summary: generator.summary.clone(),
                config_schema: generator.schema.as_ref().map(|schema| schema.value.clone()),
            })
            .collect();
        self
    }
}
