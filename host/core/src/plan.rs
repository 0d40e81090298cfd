//! The plan: every case of a suite with all of its inputs. `difftest list` prints it, `difftest run` executes it.
//!
//! [`expand()`] makes it. What lies outside the suite is asked through a [`Catalog`], so this module opens no file and loads no
//! plugin. Invariants of a plan: case ids are unique; every `case.test` is an index into the tests; cases stand in the order of
//! their tests; every test has a case, unless its prompts were refused; every gate names a metric of its test.

mod expand;
mod gates;
mod retain;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use crate::gate::{Gate, OnInconclusive};
use crate::generate::{Prompt, Settings};
use crate::metric::{MetricError, MetricInfo};
use crate::suite::{LoraUse, MetricUse, ModelSpec, PromptSource, Reference, Visual};

pub use expand::expand;

/// The most cases a suite may have: more is a slip (at a second each, twelve days).
pub const MAX_CASES: usize = 1_000_000;

/// All the work of one suite.
#[derive(Clone, Debug)]
pub struct SuitePlan {
    /// The suite's name: its file name without `.toml`.
    pub suite: String,
    /// The file.
    pub file: PathBuf,
    /// What makes the images.
    pub model: ModelSpec,
    /// What is added to its weights.
    pub loras: Vec<LoraUse>,
    /// What a test whose scores prove nothing does to the exit code.
    pub inconclusive: OnInconclusive,
    /// The tests, in the order of the file.
    pub tests: Vec<TestPlan>,
    /// The cases, in the order of the tests, then prompts, then seeds.
    pub cases: Vec<Case>,
}

/// One test, resolved.
#[derive(Clone, Debug)]
pub struct TestPlan {
    /// Its name, unique inside the suite.
    pub name: String,
    /// The line of the file that its name stands on, counted from 1.
    pub line: usize,
    /// Where its prompts came from.
    pub prompts: PromptSource,
    /// Its metrics with their resolved description, in the order of the file.
    pub metrics: Vec<(MetricUse, MetricInfo)>,
    /// What pair and set metrics compare with. A test with a pair metric has one.
    pub reference: Option<Reference>,
    /// Name of the baseline that it is compared with.
    pub baseline: Option<String>,
    /// Keys of settings that may be others than when the baseline was saved.
    pub under_test: Vec<String>,
    /// Whether its gates are refused where their metric cannot tell images that are no good.
    pub controls: bool,
    /// How its images are compared, where it is a visual regression test.
    pub visual: Option<Visual>,
    /// What its scores must satisfy.
    pub gates: Vec<Gate>,
    /// Metrics and prompts that are there but were refused ([`Unknown::Refused`] of any kind but `invalid-config`, which is a
    /// mistake in the suite and so a `SuiteError`): left out of `metrics`, `gates` and the cases. The test's verdict will be an error
    /// that says so, while its other metrics and the other tests keep their results. Each different one is there once.
    pub refused: Vec<MetricError>,
    /// How many cases the test has over all shards, where this plan has only some of them ([`SuitePlan::keep_shard`]).
    pub split_of: Option<usize>,
}

/// One prompt x one seed of one test: one image.
#[derive(Clone, Debug)]
pub struct Case {
    /// `suite::test[prompt-id,seed]`: unique, the same on every machine.
    pub id: String,
    /// Index into [`SuitePlan::tests`].
    pub test: usize,
    /// The prompt.
    pub prompt: Arc<Prompt>,
    /// The seed.
    pub seed: u64,
    /// Sampler settings, shared by the cases of a test.
    pub settings: Arc<Settings>,
}

/// What there is to name in a suite: metrics and prompt generators, by name.
pub trait Catalog {
    /// The metric of that name, with `config` checked against its schema.
    ///
    /// # Errors
    /// [`Unknown::NotFound`] with everything that is available, or [`Unknown::Refused`] when it is there but cannot be used so.
    fn metric(&self, name: &str, config: &serde_json::Value) -> Result<MetricInfo, Unknown>;

    /// The prompts of a prompt generator; `name` is `plugin` or `plugin/generator`.
    ///
    /// # Errors
    /// As [`Catalog::metric`].
    fn prompts(&self, name: &str, config: &serde_json::Value, seed: u64, limit: u32) -> Result<Vec<Prompt>, Unknown>;

    /// Every `(prompt, seed)` of an image folder's manifest, in its order.
    ///
    /// # Errors
    /// [`Unknown::Refused`] when the model is not an image folder or its manifest cannot be read.
    fn manifest(&self, model: &ModelSpec) -> Result<Vec<(Prompt, u64)>, Unknown>;
}

/// Why the catalogue has no answer.
#[derive(Clone, Debug)]
pub enum Unknown {
    /// Nothing has that name; these exist.
    NotFound {
        /// Names that would have been found, sorted.
        available: Vec<String>,
    },
    /// It is there, and this is why it cannot be used.
    Refused(MetricError),
}
