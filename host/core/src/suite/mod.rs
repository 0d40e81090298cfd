//! The suite file: parsed once, with spans, so every later error can point back into it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::gate::{Bound, Statistic};
use crate::generate::Settings;

/// Where in the suite's text something was written, in bytes.
pub type Span = Range<usize>;

/// One TOML file.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file.
    pub path: PathBuf,
    /// File name without `.toml`.
    pub name: String,
    /// The text, for error messages.
    pub text: Arc<str>,
    /// `model`; `--model` replaces it.
    pub model: Option<ModelSpec>,
    /// `[models] clip`: the folder of the CLIP model that `clip_score` uses.
    pub clip: Option<String>,
    /// `manual = true`: only runs when it is named.
    pub manual: bool,
    /// The tests, in the order of the file, `[defaults]` filled in.
    pub tests: Vec<Test>,
}

/// What makes the images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSpec {
    /// `builtin:NAME`, a folder, or (later) a hub id.
    Diffusion(String),
    /// `{ images = "FOLDER", manifest = "FILE" }`.
    Images {
        /// The folder; relative to the suite file's folder.
        folder: PathBuf,
        /// The JSON Lines manifest; `manifest.jsonl` in the folder where none is named.
        manifest: Option<PathBuf>,
    },
}

/// One `[[test]]`.
#[derive(Clone, Debug)]
pub struct Test {
    /// Unique in the suite.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Where its prompts come from.
    pub prompts: PromptSource,
    /// At least one.
    pub seeds: Vec<u64>,
    /// At least one.
    pub metrics: Vec<MetricUse>,
    /// What the scores must satisfy; each names a metric of this test. A metric without one is reported, not judged.
    pub thresholds: Vec<Threshold>,
    /// Sampler settings.
    pub settings: Settings,
}

/// Where prompts come from.
#[derive(Clone, Debug)]
pub enum PromptSource {
    /// Written out in the suite.
    List(Vec<String>),
    /// A prompt generator plugin.
    Generator {
        /// `plugin` or `plugin/generator`.
        name: String,
        /// Where the name stands.
        span: Span,
        /// Its config.
        config: Value,
        /// The seed it gets.
        seed: u64,
        /// At most this many prompts.
        limit: u32,
    },
    /// Every image of the manifest (only with an images model).
    Manifest,
}

/// A metric that a test asks for.
#[derive(Clone, Debug)]
pub struct MetricUse {
    /// `clip_score` or `plugin/metric`.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its config; `Null` where none is given.
    pub config: Value,
}

/// One entry of a `threshold` table, before it is known which way the metric is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The metric it is about.
    pub metric: String,
    /// Where the entry stands.
    pub span: Span,
    /// What of the scores is compared; the mean where `of` is not given.
    pub of: Statistic,
    /// With what.
    pub bound: ThresholdBound,
}

/// A bound, as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdBound {
    /// `clip_score = 0.25`: a minimum, or a maximum where the metric says lower is better.
    Bare(f64),
    /// `{ min = .., max = .. }`: at least one of them.
    Explicit(Bound),
}

/// Something wrong in a suite file: what, where, why and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SuiteError {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where in the text, where that is known.
    pub span: Option<Span>,
    /// What stands under the arrow.
    pub label: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// Every problem of one suite file, in the order of the text: a person can mend them all at once.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {} problem(s)", path.display(), errors.len())]
pub struct SuiteErrors {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: Arc<str>,
    /// At least one.
    pub errors: Vec<SuiteError>,
}
