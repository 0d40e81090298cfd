//! What is known of cases: the flags of `run`, `list` and `explain` that are about it.

use clap::ValueEnum;

use super::{Format, Selection, plugin};

/// What a run does with what earlier ones computed.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Evidence")]
pub(crate) struct Evidence {
    /// Leave alone what is proven: a test that passed with these very inputs is counted, and not told again.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Do work again although its outcome is known, and warn where the same inputs give something else.
    #[arg(long, value_name = "WORK", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "generate")]
    pub(crate) force: Option<Forced>,
    /// Look up nothing of earlier runs, and keep nothing for later ones.
    #[arg(long)]
    pub(crate) no_cache: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Forced {
    /// Images, and with them scores.
    Generate,
    /// Scores.
    Score,
}

/// The device that a plan is made for: images and scores of another are other images and scores.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Engine {
    /// Device that a run would use: see `difftest run --help`.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", env = "DIFFTEST_DEVICE")]
    pub(crate) device: String,
    /// Number format that a run would use.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) precision: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  difftest explain 'smoke::colours[p0,seed=42]'
  difftest explain 'colours[p0,seed=42]' --suite smoke --message-format json

`difftest list` prints every case id.")]
pub(crate) struct ExplainArgs {
    /// The case: its id, or enough of it that only one case has it.
    #[arg(value_name = "CASE-ID")]
    pub(crate) case: String,
    /// The suite that has it; all suites where none is named.
    #[arg(long = "suite", value_name = "SUITE")]
    pub(crate) of: Vec<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) selection: Unnamed,
    #[command(flatten)]
    pub(crate) pinning: plugin::Pinning,
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
    #[command(flatten)]
    pub(crate) compared: super::baseline::Compared,
}

/// A [`Selection`] without names of suites.
#[derive(Debug, clap::Args)]
pub(crate) struct Unnamed {
    /// Folder that suites are looked for in.
    #[arg(long, value_name = "DIR", default_value = super::DEFAULT_TEST_DIR, env = "DIFFTEST_TEST_DIR")]
    test_dir: std::path::PathBuf,
    /// Seeds instead of the suite's; repeat for several.
    #[arg(long, value_name = "N")]
    seed: Vec<u64>,
    /// Model instead of the suite's.
    #[arg(long, value_name = "MODEL", env = "DIFFTEST_MODEL")]
    model: Option<String>,
    /// LoRA file added to the model's weights, instead of the suite's `loras`; repeat for several.
    #[arg(long, value_name = "PATH[=WEIGHT]", value_parser = difftest_diffusion::lora::parse_argument)]
    lora: Vec<(std::path::PathBuf, f64)>,
    /// Folders with plugins: `.wasm` files or plugin crates. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    plugins: Vec<std::path::PathBuf>,
    /// Fuel a plugin may burn on one image.
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,
}

impl ExplainArgs {
    /// What is selected to find the case in.
    pub(crate) fn selection(&self) -> Selection {
        let Unnamed { test_dir, seed, model, lora, plugins, fuel } = &self.selection;
        Selection {
            suites: self.of.clone(),
            test_dir: test_dir.clone(),
            expression: None,
            seed: seed.clone(),
            model: model.clone(),
            lora: lora.clone(),
            offline: false,
            plugins: plugins.clone(),
            fuel: *fuel,
        }
    }
}
