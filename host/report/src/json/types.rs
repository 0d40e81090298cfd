//! The document's parts. Field names are the published format: adding one is fine, anything else raises [`FORMAT`].

use std::collections::BTreeMap;

use difftest_core::baseline::{BaselineImage, BaselineInfo};
use difftest_core::digest::Digest;
use difftest_core::event::{Conclusion, ErrorInfo, Origin, PromptOrigin, Verdict};
use difftest_core::gate::{GateResult, OnInconclusive};
use difftest_core::generate::{GenerateError, GeneratorInfo, Prompt, Settings};
use difftest_core::key::{Action, Difference};
use difftest_core::metric::{Detail, MetricError, MetricInfo};
use difftest_core::visual::Comparison;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the document; goes up whenever a reader of the old one would misread the new one.
///
/// 2: verdict `inconclusive`; what was found instead of being computed says so in `origin`.
pub const FORMAT: u32 = 2;

/// The results of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "difftest results")]
pub struct Results {
    /// Version of this document.
    pub format: u32,
    /// Version of difftest.
    pub difftest: String,
    /// The run's name: unique, sorts by time.
    pub run: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// The folder with its images.
    pub folder: String,
    /// The commit that was checked out where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What the user calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How it ended; `null` while it runs, or when it was killed.
    pub conclusion: Option<Conclusion>,
    /// What the process ends with: 0 passed, 1 failed, 2 error, 130 interrupted.
    pub exit_code: Option<u8>,
    /// Wall time of the whole run.
    pub seconds: Option<f64>,
    /// What ended the run early, such as a full disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInfo>,
    /// The remote that it was run with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteRecord>,
    /// How many tests came to which verdict.
    pub tests: Counts,
    /// The suites, in the order they ran.
    pub suites: Vec<SuiteResult>,
}

/// What a run had to do with its remote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteRecord {
    /// Its URL, without anything secret.
    pub url: String,
    /// How it served.
    pub state: RemoteState,
    /// Images that were found there.
    pub images: usize,
    /// Scores that were found there.
    pub scores: usize,
    /// Images and scores that were given to it.
    pub pushed: usize,
    /// What was wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a remote served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RemoteState {
    /// It was asked, and answered.
    Used,
    /// It could not be used, or not to the end; the run went on without.
    Degraded,
    /// It was not asked: `--offline`.
    Offline,
}

/// How many tests came to which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Every gate holds.
    pub pass: usize,
    /// The scores are too few or too noisy to say.
    #[serde(default)]
    pub inconclusive: usize,
    /// A gate does not hold.
    pub fail: usize,
    /// Something could not be computed.
    pub error: usize,
    /// Interrupted or stopped before the end.
    pub not_run: usize,
}

/// A suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuiteResult {
    /// Its name.
    pub name: String,
    /// Its file, as it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Digest of the suite file's text; `null` when the suite could not be started.
    pub digest: Option<Digest>,
    /// What made the images: model, digests of its files, device and versions.
    pub generator: Option<GeneratorInfo>,
    /// The models it declares for plugins and host metrics, each with one digest over all of its files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, Digest>,
    /// The class of environments it ran in.
    #[serde(default)]
    pub environment: String,
    /// What its paired gates compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineInfo>,
    /// What a test whose scores prove nothing does to the exit code; its verdict stays.
    #[serde(default)]
    pub inconclusive: OnInconclusive,
    /// Why none of its tests ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInfo>,
    /// Its tests.
    pub tests: Vec<TestResult>,
    /// Its cases, in the order of the tests.
    pub cases: Vec<CaseResult>,
    /// What plugins logged outside of a case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// The line of the suite's file that its name stands on, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The verdict.
    pub verdict: Verdict,
    /// The plugin that made its prompts, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<PromptOrigin>,
    /// Its metrics: exact variant, plugin digest, model digests.
    pub metrics: Vec<MetricInfo>,
    /// The images that pair and set metrics compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<GeneratorInfo>,
    /// What set metrics say of all images together, with the metric's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreResult>,
    /// Config by metric name, for those that were given one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, Value>,
    /// Its settings with the model's own filled in, and what follows from them: scheduler, timesteps, ...
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generation: BTreeMap<String, Value>,
    /// How many cases it has over all shards, where only some of them are in this run: `difftest merge` judges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_of: Option<usize>,
    /// Its gates with what was found.
    pub gates: Vec<GateRecord>,
    /// What kept it from a verdict, worst first.
    pub errors: Vec<ErrorRecord>,
}

/// A gate with what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRecord {
    /// The gate and the value.
    #[serde(flatten)]
    pub result: GateResult,
    /// How far inside the bound the value lies; negative is how much it is short by.
    pub margin: Option<f64>,
}

/// An error, with the case's id in place of its index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorRecord {
    /// A stable word for programs.
    pub kind: String,
    /// What, where and why.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Id of the case it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
}

/// A case: one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// Its id.
    pub id: String,
    /// Name of its test.
    pub test: String,
    /// How far it came.
    pub state: CaseState,
    /// Its prompt.
    pub prompt: Prompt,
    /// Its seed.
    pub seed: u64,
    /// Sampler settings as the suite gives them; what was really used is in the image's attributes.
    pub settings: Settings,
    /// How much work it needed when the run began.
    #[serde(default)]
    pub action: Action,
    /// The first input that was not what it had been when the case was last judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Difference>,
    /// Whether its image was made in this run; `null` where there is none.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// How it stands to its baseline, in a visual regression test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// What the suite's baseline has for it, where the suite is compared with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineImage>,
    /// The image.
    pub image: Option<ImageFile>,
    /// Why there is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<GenerateError>,
    /// Time spent on the image.
    pub seconds: Option<f64>,
    /// Its scores, in the order of the test's metrics.
    pub scores: Vec<ScoreResult>,
    /// What plugins logged about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
}

/// How far a case came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseState {
    /// Nothing was done.
    NotRun,
    /// Begun, and cut short.
    Unfinished,
    /// The image and every score are there.
    Finished,
    /// The image or a score could not be made.
    Error,
}

/// A stored image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageFile {
    /// Where it is.
    pub path: String,
    /// SHA-256 of size and pixels: equal for equal pixels, whatever the file.
    pub digest: Digest,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What it was really made with, sorted by name.
    pub attributes: BTreeMap<String, String>,
    /// Things a person should know, such as a truncated prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a metric says of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreResult {
    /// The metric's name.
    pub metric: String,
    /// The score; `null` when there is an error, never 0 for want of one.
    pub value: Option<f64>,
    /// Named parts of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// What the sandbox spent on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Why there is no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<MetricError>,
    /// Time spent on it; for one that was found, when it was computed.
    pub seconds: f64,
    /// Whether it was computed in this run.
    #[serde(default)]
    pub origin: Origin,
}

/// A line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// The plugin.
    pub plugin: String,
    /// `debug`, `info` or `warn`.
    pub level: String,
    /// The line, escaped and capped.
    pub message: String,
}

impl SuiteResult {
    /// The cases of a test.
    pub fn cases_of(&self, test: &TestResult) -> impl Iterator<Item = &CaseResult> {
        self.cases.iter().filter(|case| case.test == test.name)
    }
}
