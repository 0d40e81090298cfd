//! The suite file: parsed once, with spans, so every later error can point back into it.
//!
//! [`parse()`] takes the text of one TOML file and gives a [`Suite`] or [`SuiteErrors`]: every problem of the file at once.
//! A [`Suite`] is complete (`[defaults]` filled in) and valid by itself: names are unique, numbers are in range, thresholds name
//! metrics of their test. What needs the outside world (does the metric exist, which way is it better) is asked by
//! [`crate::plan::expand`].
//!
//! The keys, all optional unless said otherwise:
//!
//! ```toml
//! model = "builtin:shapes"          # or a folder, or "ORG/NAME[@REVISION]" on the hub, or { images = "out/", manifest = "out/list.jsonl" }
//! loras = ["style.safetensors", { path = "b.safetensors", weight = 0.7 }]    # added to the model's weights; weight 1 where
//!                                   # none is given; relative to the suite's folder, like a model's folder
//! manual = false                    # true: runs only when the suite is named
//! inconclusive = "fail"             # "pass": a test whose scores prove nothing does not fail the run; it stays inconclusive
//!
//! [models]
//! clip = "models/clip"              # the CLIP model that clip_score uses, and plugins that ask for "clip"
//! aesthetic = "models/head.onnx"    # any other name: an ONNX graph, or one more CLIP model, for plugins that ask for it
//!
//! baseline = "v1.0"                 # what gates on a baseline compare with: of those in baselines/, or where --baselines says
//!
//! [defaults]                        # any key of a test but name and prompts
//!
//! [[test]]                          # at least one
//! name = "colours"                  # required, unique: letters, digits, `_`, `-`, `.`
//! prompts = ["a red circle"]        # or { generator = "plugin/name", config = {}, seed = 0, limit = 10000 };
//!                                   # left out only with an images model: every image of the manifest
//! seeds = [42, 123, 456]            # these where none are given
//! metrics = ["clip_score", { name = "plugin/metric", config = {} }]    # required here or in [defaults]
//! reference = "originals/"          # or { images = "originals/", manifest = "list.jsonl" }: what pair metrics compare with, by
//!                                   # prompt and seed, and set metrics as a whole
//! threshold = { clip_score = 0.25, "plugin/metric" = { min = 0.1, max = 0.9, of = "p10" } }
//!                                   # or a gate, which asks what the scores can prove (or a list of these):
//!                                   # { gate = "floor", min = 0.25 }
//!                                   # { gate = "no_worse_than_baseline", margin = 0.01 }
//!                                   # { gate = "improved", margin = 0.0 }
//!                                   # { gate = "rate", min = 0.2, share = 0.9 }
//!                                   # { gate = "similar", min = 0.9, at_least = 8 }, also at_least = "90%"
//! under_test = ["steps"]            # settings that may be others than the baseline's: what is compared. Cases with any other
//!                                   # setting, prompt or seed than when the baseline was saved are not
//! controls = true                   # false where not given: a gate is an error where its metric cannot tell black, noise or the
//!                                   # prompts of other images from the real ones
//! scheduler = "ddim"                # the model's own where not given; so are the rest
//! steps = 25
//! guidance = 5.0
//! size = 512                        # a square; [768, 512] is width, height
//! negative_prompt = "blurry"         # "" is an empty text, also in place of that of [defaults]
//! clip_skip = 1                     # layers left out at the end of the text encoder, as in diffusers
//! long_prompt = "error"             # "cut" where not given: the end of a prompt beyond 75 tokens is left out, with a warning
//! kind = "visual_regression"        # "scores" where not given. Metrics may then be left out, and images are compared:
//! baseline_dir = "../baselines/v1"  # with those accepted in this baseline; where it is left out, in `baseline`
//! tiers = ["pixel", "ssim"]         # bit, pixel, ssim, phash, semantic: all of them have to hold. Where not given, those with a tolerance
//! ssim_threshold = 0.95             # least similarity
//! pixel_tolerance = 0.1             # colours differ above this distance, a share of the largest
//! max_diff_pixels = 0               # so many pixels may differ; or max_diff_ratio = 0.001
//! phash_distance = 6                # of 64 bits
//! semantic_distance = 0.05          # cosine distance of CLIP's embeddings
//! ignore = [[0, 0, 64, 16]]         # x, y, width, height of what is not compared
//! noise = "torch-cpu-f16"           # "torch-cpu-f32" where not given: the stream that noise is drawn from
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the types |
//! | `parse.rs` | the top level of the file, `[defaults]` |
//! | `test.rs` | one `[[test]]` |
//! | `visual.rs` | the keys of visual regression tests |
//! | `loras.rs` | `loras` |
//! | `settings.rs`, `prompts.rs`, `threshold.rs`, `gates.rs` | its keys that have a structure |
//! | `fields.rs` | reading typed values out of TOML while collecting problems |
//! | `error.rs` | a problem, and all problems of a file |

mod error;
mod fields;
mod gates;
mod loras;
mod parse;
mod prompts;
mod settings;
mod test;
#[cfg(test)]
mod tests;
mod threshold;
mod visual;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::gate::{Bound, Check, OnInconclusive, Statistic};
use crate::generate::Settings;
use crate::visual::Tolerances;

pub use error::{SuiteError, SuiteErrors, line_column};
pub use loras::MAX_LORA_WEIGHT;
pub use parse::parse;
pub use prompts::DEFAULT_LIMIT;
pub use settings::{DEFAULT_SEEDS, MAX_SIDE, MAX_STEPS};

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
    /// Where it stands.
    pub model_span: Option<Span>,
    /// `loras`; `--lora` replaces them. None where the images are there already.
    pub loras: Vec<LoraUse>,
    /// `[models]`, sorted by name. `clip` is the one that `clip_score` uses.
    pub models: Vec<DeclaredModel>,
    /// `manual = true`: only runs when it is named.
    pub manual: bool,
    /// `inconclusive`: what a test whose scores prove nothing does to the exit code.
    pub inconclusive: OnInconclusive,
    /// The tests, in the order of the file, `[defaults]` filled in.
    pub tests: Vec<Test>,
}

/// A LoRA file that is added to the model's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraUse {
    /// The file, or a folder that holds one under its usual name; relative to the suite file's folder.
    pub path: PathBuf,
    /// What it is multiplied by; finite.
    pub weight: f64,
    /// Where it stands.
    pub span: Span,
}

/// One entry of `[models]`: what plugins may ask for by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredModel {
    /// What plugins call it.
    pub name: String,
    /// `builtin:NAME`, a folder with a CLIP model, or an `.onnx` file; relative to the suite file's folder. Or `ORG/NAME[@REVISION]`
    /// on the hub.
    pub reference: String,
    /// Where it stands.
    pub span: Span,
}

impl DeclaredModel {
    /// Whether it is a graph of tensors, and not a CLIP model.
    #[must_use]
    pub fn is_graph(&self) -> bool {
        self.reference.ends_with(".onnx")
    }
}

/// Images to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The folder; relative to the suite file's folder.
    pub images: PathBuf,
    /// The JSON Lines manifest; `manifest.jsonl` in the folder where none is named.
    pub manifest: Option<PathBuf>,
    /// Where it stands.
    pub span: Span,
}

/// What makes the images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSpec {
    /// `builtin:NAME`, a folder, or `ORG/NAME[@REVISION]` on the hub.
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
    /// Where `prompts` stands; the name where the key is left out.
    pub prompts_span: Span,
    /// Where its prompts come from.
    pub prompts: PromptSource,
    /// At least one.
    pub seeds: Vec<u64>,
    /// At least one.
    pub metrics: Vec<MetricUse>,
    /// What the scores must satisfy; each names a metric of this test. A metric without one is reported, not judged.
    pub thresholds: Vec<Threshold>,
    /// What pair and set metrics compare with.
    pub reference: Option<Reference>,
    /// Name of the baseline that it is compared with, of those that lie beside the suites; `--baseline` replaces it.
    pub baseline: Option<String>,
    /// `under_test`: keys of settings that may be others than when the baseline was saved.
    pub under_test: Vec<String>,
    /// `controls`: whether its gates are refused where their metric cannot tell images that are no good.
    pub controls: bool,
    /// How its images are compared with the baseline's, where it is a visual regression test.
    pub visual: Option<Visual>,
    /// Sampler settings.
    pub settings: Settings,
    /// Where the values of those that the suite gives stand, by key: in the test or in `[defaults]`.
    pub setting_spans: BTreeMap<&'static str, Span>,
}

/// What a test of `kind = "visual_regression"` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Visual {
    /// How closely images are compared.
    pub tolerances: Tolerances,
    /// `baseline_dir`: the folder of the baseline, relative to the suite file's folder. `None`: that of the test's `baseline`.
    pub folder: Option<PathBuf>,
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
    /// `{ gate = "..", .. }`: the bound as written, empty for a gate on a baseline.
    Gate(Check, Bound),
}
