//! What can be said on the command line. Types and help only; nothing here does anything.

pub(crate) mod baseline;
pub(crate) mod cache;
pub(crate) mod calibrate;
pub(crate) mod compare;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod merge;
pub(crate) mod model;
pub(crate) mod plugin;
pub(crate) mod remote;
pub(crate) mod report;
pub(crate) mod reports;
pub(crate) mod review;
pub(crate) mod shard;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Test image-generation models: prompts x seeds x metrics x thresholds, pass or fail.
#[derive(Debug, Parser)]
#[command(name = "difftest", version, propagate_version = true, after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Start with `difftest init`, then `difftest run`.

Exit codes:
  0    every test passed
  1    a test failed: its scores are there, and too bad
  2    an error: usage, suite, model, plugin, file; something could not be computed
  130  interrupted; what was finished is kept and reported";

/// Options of every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Say less: failures, errors and the summary.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: every case, plugin logs.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate, score and judge: run suites.
    #[command(visible_alias = "r", after_help = RUN_HELP)]
    Run(Box<RunArgs>),
    /// Run suites as CI does: nothing asks, plugins are pinned, baselines stay.
    Ci(Box<report::CiArgs>),
    /// What earlier runs came to: a metric over runs, a run, what is not the same every time.
    History(Box<history::HistoryArgs>),
    /// Compare two runs, two models or two labels, paired by prompt and seed.
    Compare(compare::CompareArgs),
    /// Repeat a suite on this machine: how much its scores vary by themselves, and tolerances to paste.
    Calibrate(Box<calibrate::CalibrateArgs>),
    /// Write reports of a run that is over, from its recording; without any, tell it again.
    Report(Box<report::ReportArgs>),
    /// Print what `run` would do, without doing it.
    List(Box<ListArgs>),
    /// Write the plan of a run to a file, for shards to agree on.
    Plan(Box<shard::PlanArgs>),
    /// Make one run of the recordings of its shards: its reports, its folder, its exit code.
    Merge(Box<merge::MergeArgs>),
    /// Tell everything about one case: what it depends on, what is known of it, and why it would be done again.
    Explain(Box<explain::ExplainArgs>),
    /// Look at, limit and check what earlier runs computed.
    #[command(subcommand)]
    Cache(cache::CacheCommand),
    /// Write a commented first suite and a CI workflow.
    Init(InitArgs),
    /// Check everything a run needs, and say what to do where something is missing.
    Doctor(DoctorArgs),
    /// Look at images that are new or changed, one by one: accept, reject or skip.
    #[command(after_help = review::REVIEW_HELP)]
    Review(review::ReviewArgs),
    /// Accept images that are new or changed: they are the baseline from now on.
    #[command(after_help = review::ACCEPT_HELP)]
    Accept(review::DecideArgs),
    /// Reject images that are new or changed: the baseline stays, and `review` shows them no more.
    Reject(review::DecideArgs),
    /// Keep images and scores that are good, for later runs to be compared with.
    #[command(subcommand)]
    Baseline(baseline::BaselineCommand),
    /// List, inspect and write plugins.
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Fetch, inspect and check models of the Hugging Face hub.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Give this project's evidence to others: images and scores, baselines, recordings of shards.
    Push(remote::PushArgs),
    /// Take what others gave: images and scores, baselines, recordings of shards.
    Pull(remote::PullArgs),
    /// Find and install the ONNX Runtime library.
    #[command(subcommand)]
    Runtime(RuntimeCommand),
}

const RUN_HELP: &str = "\
Examples:
  difftest run                                  every suite in suites/ that is not marked `manual`
  difftest run quickstart                       suites/quickstart.toml
  difftest run my.toml --model ./my-model       another model
  difftest run my.toml --model stabilityai/sd-turbo
  difftest run quickstart -k 'colours and not blue' -x
  difftest run quickstart --output results.json --artifacts out/
  difftest run --diff                           tell only what is not proven already
  difftest run suite.toml --plugins . --watch   again after each `difftest plugin build`";

/// Where suites are looked for.
pub(crate) const DEFAULT_TEST_DIR: &str = "suites";

/// Which suites and which of their cases.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Selection {
    /// Suites: files, or names of files in the test folder. None: all that are not marked `manual = true`.
    #[arg(value_name = "SUITE")]
    pub(crate) suites: Vec<PathBuf>,
    /// Folder that suites are looked for in.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_TEST_DIR, env = "DIFFTEST_TEST_DIR")]
    pub(crate) test_dir: PathBuf,
    /// Only cases whose id matches: substrings with `and`, `or`, `not` and parentheses.
    #[arg(short = 'k', value_name = "EXPR")]
    pub(crate) expression: Option<String>,
    /// Seeds instead of the suite's; repeat for several.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Vec<u64>,
    /// Model instead of the suite's: `builtin:shapes`, a folder in diffusers layout, or `ORG/NAME[@REVISION]` on the Hugging Face hub,
    /// which is fetched where it is not in the cache.
    #[arg(long, value_name = "MODEL", env = "DIFFTEST_MODEL")]
    pub(crate) model: Option<String>,
    /// LoRA file added to the model's weights, instead of the suite's `loras`; repeat for several. WEIGHT is 1 where not given.
    #[arg(long, value_name = "PATH[=WEIGHT]", value_parser = difftest_diffusion::lora::parse_argument)]
    pub(crate) lora: Vec<(PathBuf, f64)>,
    /// Fetch no model: take what is in the cache of the hub's models. Also: HF_HUB_OFFLINE=1.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Folders with plugins: `.wasm` files or plugin crates. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
    /// Fuel a plugin may burn on one image: about one unit per WebAssembly instruction.
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten, next_help_heading = "Selection")]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) pinning: plugin::Pinning,
    /// Device for generation and CLIP: `cpu`, `cuda`, `cuda:N`, `coreml`, `openvino`. Nothing falls back to the CPU.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", env = "DIFFTEST_DEVICE", help_heading = "Runner")]
    pub(crate) device: String,
    /// Number format that models run in: `f32`, `f16`, `bf16`. Default: `f16` on CUDA, `f32` elsewhere; CLIP has `f32` always.
    #[arg(long, value_name = "FORMAT", help_heading = "Runner")]
    pub(crate) precision: Option<String>,
    /// Threads, at most one for each core, which is the default. Results do not depend on it.
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Runner")]
    pub(crate) jobs: Option<u16>,
    /// Images made in one go. On a GPU they go through the model together, and the results name the number, which may change
    /// their last bits there; on a CPU nothing depends on it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Runner")]
    pub(crate) batch: u16,
    /// Begin nothing new after the first test that does not pass.
    #[arg(short = 'x', long, help_heading = "Runner")]
    pub(crate) fail_fast: bool,
    #[command(flatten)]
    pub(crate) against: baseline::Against,
    /// Run again whenever a suite or a plugin changes, until Ctrl-C; models stay loaded.
    #[arg(long, help_heading = "Runner")]
    pub(crate) watch: bool,
    /// Name this run, for `difftest history` and `difftest compare`: `main`, `candidate`, ...
    #[arg(long, value_name = "NAME", value_parser = label, help_heading = "Output")]
    pub(crate) label: Option<String>,
    #[command(flatten)]
    pub(crate) sharding: shard::Sharding,
    #[command(flatten)]
    pub(crate) evidence: explain::Evidence,
    #[command(flatten)]
    pub(crate) remote: remote::RunRemote,
    #[command(flatten)]
    pub(crate) reports: reports::Reports,
    /// Keep images and the recording here instead of `.difftest/runs/RUN`; an earlier run in that folder is replaced.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) artifacts: Option<PathBuf>,
}

/// A label stands in one line of a terminal and of a table.
fn label(text: &str) -> Result<String, &'static str> {
    let fits = !text.trim().is_empty() && text.chars().count() <= 80 && !text.chars().any(char::is_control);
    if fits { Ok(text.trim().to_owned()) } else { Err("a label is 1 to 80 characters of one line") }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) pinning: plugin::Pinning,
    #[command(flatten)]
    pub(crate) engine: explain::Engine,
    /// For people, or the whole plan as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
    #[command(flatten)]
    pub(crate) compared: baseline::Compared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Project folder.
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Model the first suite tests.
    #[arg(long, value_name = "MODEL", default_value = "builtin:shapes")]
    pub(crate) model: String,
    /// Replace files that are already there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Device that is tried: images are made on it and compared byte by byte.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", env = "DIFFTEST_DEVICE")]
    pub(crate) device: String,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuntimeCommand {
    /// Install ONNX Runtime into difftest's data folder, through the Python package client, pinned by digest.
    ///
    /// `cpu` is the library alone. `cuda` also brings the CUDA 13 and cuDNN 9 libraries it needs (1.6 GB to download, 2.5 GB
    /// installed): of the system only the NVIDIA driver is used, 580 or newer. `openvino` brings the library, OpenVINO and the
    /// plugin between them, for Intel processors.
    Install {
        /// `cpu`, `cuda` or `openvino`.
        #[arg(default_value = "cpu", value_name = "PROVIDER")]
        provider: String,
    },
    /// List the ONNX Runtime libraries that are found, in the order they are looked for.
    List,
}
