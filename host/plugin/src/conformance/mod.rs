//! What `difftest plugin check`, `test` and `bench` do, as data: the same for a plugin in any language, because only the component
//! is looked at.
//!
//! ```text
//! component -> check    parsed, imports, contract, description: may it be used at all?
//!           -> test     every metric and prompt generator: same answer in fresh stores and on threads, images of all sizes,
//!                       configs that must be refused, the declared range; then the author's own cases
//!           -> bench    fuel, which is equal on every machine, and time, which is not
//! ```
//!
//! An error that a plugin reports of itself as `unsupported-input` is an honest answer to a strange image and passes, with its
//! reason shown. A trap, a panic, a broken limit, a score outside the declared range or an answer that changes does not.
//! What could not be looked at (no model, no config) is [`Outcome::Skipped`] with the reason, never passed.

mod bench;
mod cases;
mod check;
mod config;
mod generators;
mod metrics;
mod trials;
mod update;

use std::sync::Arc;

use difftest_core::metric::{AnyMetric, MetricError, ReproducibilityClass};
use difftest_core::model::Models;
use serde::Serialize;
use serde_json::Value;

use crate::error::RegistryError;
use crate::registry::Registry;
use crate::report::Inspection;

pub use bench::{Bench, Cost, Startup, bench};
pub use cases::{CaseError, CaseFile};
pub use check::check;
pub use update::{NotUpdated, update};

/// Fresh stores that must agree.
const STORES: usize = 3;
/// Threads that must agree.
const THREADS: usize = 4;
/// Native stack of these threads: WebAssembly's share and room beside it.
const THREAD_STACK: usize = 4 << 20;

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The metric, the prompt generator, the file of cases, or the component itself.
    pub of: String,
    /// What was looked at.
    pub what: String,
    /// How that went.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Passed {
        /// What was seen.
        note: String,
    },
    /// Not as it should be.
    Failed {
        /// What is wrong.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Not looked at.
    Skipped {
        /// Why, and what would change that.
        reason: String,
    },
}

impl Outcome {
    pub(crate) fn passed(note: impl Into<String>) -> Self {
        Self::Passed { note: note.into() }
    }

    pub(crate) fn failed(reason: impl Into<String>, hint: Option<String>) -> Self {
        Self::Failed { reason: reason.into(), hint }
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }

    /// Whether it is not as it should be.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// A plugin under test.
pub struct Conformance<'a> {
    /// Where it is found.
    pub registry: &'a Registry,
    /// Its name.
    pub plugin: &'a str,
    /// The models that it may ask, where some were given.
    pub models: Option<Arc<dyn Models>>,
    /// The author's cases.
    pub cases: &'a mut [CaseFile],
}

impl Conformance<'_> {
    /// Runs every check and tells each as it ends. Results of the author's cases are kept in them, for [`update()`].
    ///
    /// # Errors
    /// When the plugin is not there or cannot be loaded, so that nothing can be checked.
    pub fn run(&mut self, tell: &mut dyn FnMut(Check)) -> Result<(), RegistryError> {
        let inspection = self.inspection()?;
        let of = |name: &str| short(self.plugin, name);
        for info in &inspection.metrics {
            let of = of(&info.name);
            metrics::run(self, info, &mut |what, outcome| tell(Check { of: of.clone(), what, outcome }));
        }
        for info in &inspection.prompt_generators {
            let of = of(&info.name);
            generators::run(self, info, &mut |what, outcome| tell(Check { of: of.clone(), what, outcome }));
        }
        let mut files = std::mem::take(&mut self.cases);
        for file in files.iter_mut() {
            file.run(self, &inspection, tell);
        }
        self.cases = std::mem::take(&mut files);
        Ok(())
    }

    fn inspection(&self) -> Result<Inspection, RegistryError> {
        let inspection = self.registry.inspect(self.plugin)?;
        match inspection.problem {
            Some(problem) => Err(RegistryError::Refused(problem)),
            None => Ok(inspection),
        }
    }

    fn metric(&self, name: &str, config: &Value) -> Result<AnyMetric, MetricError> {
        self.registry.metric(name, config, self.models.as_ref()).map_err(as_metric_error)
    }

    /// The configs to try, the empty one first: then those that the author's cases use for `name`.
    fn configs(&self, name: &str) -> Vec<Value> {
        let name = short(self.plugin, name);
        let mut configs = vec![Value::Object(serde_json::Map::new())];
        for config in self.cases.iter().flat_map(|file| file.configs(&name)) {
            if !configs.contains(config) {
                configs.push(config.clone());
            }
        }
        configs
    }

    /// What to make of an answer that is not a score.
    fn judge(&self, error: &MetricError) -> Outcome {
        match error.kind.as_str() {
            "unsupported-input" => Outcome::passed(format!("refused: {}", said(error))),
            "model-not-found" if self.models.is_none() => Outcome::skipped(NEEDS_MODEL),
            _ => Outcome::failed(said(error), error.hint.clone()),
        }
    }
}

const NEEDS_MODEL: &str = "needs a model; give --model NAME=PATH";

/// The name of a metric without its plugin's.
fn short(plugin: &str, name: &str) -> String {
    name.strip_prefix(plugin).and_then(|name| name.strip_prefix('/')).unwrap_or(name).to_owned()
}

/// What happened, without the plugin, metric and case, which are named beside it.
fn said(error: &MetricError) -> String {
    let text = error.message.as_str();
    for start in ["plugin `", "config of `"] {
        if let Some((_, what)) = text.strip_prefix(start).and_then(|rest| rest.split_once("`: ")) {
            return what.to_owned();
        }
    }
    text.to_owned()
}

fn as_metric_error(error: RegistryError) -> MetricError {
    match error {
        RegistryError::Refused(error) => error,
        RegistryError::Load(error) => error.into(),
        RegistryError::NotFound { .. } => {
            MetricError { kind: "not-found".into(), message: error.to_string(), hint: None }
        }
    }
}

/// The same work on several threads at once; answers in no particular order.
fn on_threads<T: Send>(work: impl Fn() -> T + Sync) -> std::io::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let start = || std::thread::Builder::new().stack_size(THREAD_STACK).spawn_scoped(scope, &work);
        let threads = (0..THREADS).map(|_| start()).collect::<std::io::Result<Vec<_>>>()?;
        Ok(threads.into_iter().filter_map(|thread| thread.join().ok()).collect())
    })
}

/// How to say whether a class means the same bits everywhere.
fn everywhere(class: Option<ReproducibilityClass>) -> &'static str {
    match class {
        Some(ReproducibilityClass::Exact) => "the same bits on every machine",
        _ => "scores depend on the models it asks",
    }
}
