//! The event stream of a run. Every output is a fold over it.
//!
//! Order: `RunStarted`, then for each suite `SuiteStarted`, its cases' events, `TestFinished` for each test as soon as its last
//! case is done (with a statistical gate: as soon as all cases of the suite are done), `SuiteFinished`; `RunFinished` last, also after an interrupt. Events of different cases interleave; for one case
//! they come in the order `CaseStarted`, `Step`*, `Generated`, `Compared`?, `Scored`*, `CaseFinished`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::baseline::{BaselineImage, BaselineInfo};
use crate::digest::Digest;
use crate::gate::{GateResult, OnInconclusive};
use crate::generate::{GenerateError, GeneratorInfo, Prompt, Settings};
use crate::key::{Action, Difference};
use crate::metric::{MetricError, MetricInfo, PluginId, Score};
use crate::visual::Comparison;

/// Version of this stream; goes up whenever a reader of the old one would misread the new one.
///
/// 2: verdict `inconclusive`; what was found of earlier work instead of being done says so in `origin`.
pub const VERSION: u32 = 2;

/// Something that happened. Cases and tests are referred to by their index in the suite of the last `SuiteStarted`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// First event.
    RunStarted {
        /// [`VERSION`].
        version: u32,
        /// Of difftest.
        difftest: String,
        /// Unique, sorts by time.
        run: String,
        /// RFC 3339, UTC.
        started: String,
        /// Where this run keeps its images.
        folder: PathBuf,
        /// How many suites follow.
        suites: usize,
        /// How many cases follow, over all suites.
        cases: usize,
        /// The commit that was checked out where it ran, in hex; `None` outside of a git checkout.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        /// What the user calls it, such as `candidate`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// A suite begins; its generator is loaded.
    SuiteStarted {
        /// The suite's name.
        suite: String,
        /// The suite's file, as it was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
        /// Digest of the suite file's text.
        digest: Digest,
        /// What makes the images.
        generator: GeneratorInfo,
        /// The models it declares for plugins and host metrics: one digest over all files of each.
        #[serde(default, skip_serializing_if = "Vec::is_empty", with = "crate::pairs")]
        #[schemars(with = "BTreeMap<String, Digest>")]
        models: Vec<(String, Digest)>,
        /// The class of environments it runs in, such as `cpu-f32-onnxruntime-1.31.1`: images of different classes are never
        /// compared without saying so.
        #[serde(default)]
        environment: String,
        /// What its paired gates compare with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<BaselineInfo>,
        /// What a test whose scores prove nothing does to the exit code.
        #[serde(default)]
        inconclusive: OnInconclusive,
        /// Its tests.
        tests: Vec<TestInfo>,
        /// Its cases.
        cases: Vec<CaseInfo>,
    },
    /// The suite's generator or a metric it needs could not be loaded: none of its cases run.
    SuiteError {
        /// The suite's name.
        suite: String,
        /// Why.
        error: ErrorInfo,
    },
    /// Work on an image began.
    CaseStarted {
        /// Which.
        case: usize,
    },
    /// A denoising step was done.
    Step {
        /// Which.
        case: usize,
        /// Counted from 1.
        step: u32,
        /// How many there are.
        of: u32,
    },
    /// The image is there and stored.
    Generated {
        /// Which.
        case: usize,
        /// The image, or why there is none.
        outcome: Outcome<ImageRecord, GenerateError>,
        /// Time spent on it; for one that was there already, when it was made.
        seconds: f64,
        /// Whether it was made now.
        #[serde(default)]
        origin: Origin,
    },
    /// The image was compared with its baseline.
    Compared {
        /// Which.
        case: usize,
        /// What came of it, or why nothing did.
        outcome: Outcome<Comparison, ErrorInfo>,
        /// Time spent on it.
        seconds: f64,
    },
    /// A metric looked at it.
    Scored {
        /// Which.
        case: usize,
        /// Index into the test's metrics.
        metric: usize,
        /// The score, or why there is none.
        outcome: Outcome<Score, MetricError>,
        /// Time spent on it; for one that was there already, when it was computed.
        seconds: f64,
        /// Whether it was computed now.
        #[serde(default)]
        origin: Origin,
    },
    /// A metric looked at all images of a test. Comes after the last `CaseFinished` of the test, before its `TestFinished`.
    SetScored {
        /// Which.
        test: usize,
        /// Index into the test's metrics.
        metric: usize,
        /// The score, or why there is none.
        outcome: Outcome<Score, MetricError>,
        /// Time spent on it; for one that was there already, when it was computed.
        seconds: f64,
        /// Whether it was computed now.
        #[serde(default)]
        origin: Origin,
    },
    /// All of a case's work is done.
    CaseFinished {
        /// Which.
        case: usize,
    },
    /// A line a plugin logged: escaped and capped.
    Log {
        /// The case it worked on, where there is one.
        case: Option<usize>,
        /// Plugin name.
        plugin: String,
        /// `debug`, `info` or `warn`.
        level: String,
        /// One line.
        message: String,
    },
    /// A test was judged.
    TestFinished {
        /// Which.
        test: usize,
        /// The verdict.
        verdict: Verdict,
        /// Each gate with its value.
        gates: Vec<GateResult>,
        /// What kept it from a verdict, worst first; empty unless `verdict` is `error`.
        errors: Vec<ErrorInfo>,
    },
    /// All tests of the suite were judged.
    SuiteFinished {
        /// The suite's name.
        suite: String,
    },
    /// Last event.
    RunFinished {
        /// How it ended.
        conclusion: Conclusion,
        /// Wall time of the whole run.
        seconds: f64,
    },
}

/// A test as reports need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestInfo {
    /// Its name.
    pub name: String,
    /// The line of the suite's file that its name stands on, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The plugin that made its prompts, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<PromptOrigin>,
    /// Its metrics.
    pub metrics: Vec<MetricInfo>,
    /// The images that pair and set metrics compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<GeneratorInfo>,
    /// Config by metric name, for those that were given one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, Value>,
    /// Its settings with the model's own filled in, and what follows from them: scheduler, timesteps, ...
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generation: BTreeMap<String, Value>,
    /// How many cases it has.
    pub cases: usize,
    /// How many it has over all shards, where only some of them are in this run: then `difftest merge` judges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_of: Option<usize>,
}

/// The plugin that made a test's prompts, and what it was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromptOrigin {
    /// `plugin` or `plugin/generator`.
    pub generator: String,
    /// The plugin, pinned.
    pub plugin: PluginId,
    /// Its config.
    pub config: Value,
    /// The seed it got.
    pub seed: u64,
    /// At most this many prompts.
    pub limit: u32,
}

/// A case as reports need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseInfo {
    /// Its id.
    pub id: String,
    /// Index of its test.
    pub test: usize,
    /// Its prompt.
    pub prompt: Prompt,
    /// Its seed.
    pub seed: u64,
    /// Sampler settings as the suite gives them.
    pub settings: Settings,
    /// How much work it needed when the run began.
    #[serde(default)]
    pub action: Action,
    /// Why it needed any: the first input that is not what it was when the case was last judged. `None` for a case that was never
    /// judged, and for one that needs no work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Difference>,
    /// What the suite's baseline has for it. A visual regression test tells its own in [`Event::Compared`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineImage>,
}

/// Whether something was done in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It was.
    #[default]
    Made,
    /// It was found: an earlier run did it with the same inputs.
    Cached,
}

/// A value or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome<T, E> {
    /// There it is.
    Ok(T),
    /// There is none.
    Error(E),
}

/// A stored image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageRecord {
    /// The PNG (or, for a folder of images, the file itself).
    pub path: PathBuf,
    /// SHA-256 of size and pixels.
    pub digest: Digest,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What it was really made with, sorted by name.
    #[serde(with = "crate::pairs")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub attributes: Vec<(String, String)>,
    /// Things a person should know, such as a truncated prompt.
    pub warnings: Vec<String>,
}

/// What is said of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every gate holds.
    Pass,
    /// No gate is known to be broken, but the scores are too few or too noisy to say that each holds.
    Inconclusive,
    /// A gate does not hold, and everything could be computed.
    Fail,
    /// Something could not be computed. Never a pass, never a score of 0.
    Error,
    /// Interrupted or stopped by `-x` before all its cases were done; or the others of its cases are in other shards.
    NotRun,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Exit code 0.
    Passed,
    /// Exit code 1.
    Failed,
    /// Exit code 2.
    Error,
    /// Exit code 130.
    Interrupted,
}

impl Conclusion {
    /// What the process ends with, as the documentation of each conclusion says.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Error => 2,
            Self::Interrupted => 130,
        }
    }
}

/// An error as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInfo {
    /// A stable word for programs.
    pub kind: String,
    /// What, where and why.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The case, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<usize>,
}
