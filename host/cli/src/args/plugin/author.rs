//! What authors of plugins can say: new, build, check, test, bench.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::args::Format;

pub(crate) const NEW_HELP: &str = "\
Kinds:
  metric    a score for each image
  pair      a score for each image against its reference
  set       one score for all images of a test
  prompts   prompts from a config and a seed

Examples:
  difftest plugin new grain --lang rust
  difftest plugin new outfits --lang python --kind prompts --path plugins/outfits";

#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// What suites will call it: kebab-case, such as `film-grain`.
    pub(crate) name: String,
    /// Language of the sources.
    #[arg(long, value_enum, value_name = "LANG")]
    pub(crate) lang: Language,
    /// What it gives.
    #[arg(long, value_enum, default_value_t = Kind::Metric, value_name = "KIND")]
    pub(crate) kind: Kind,
    /// Folder to make; it must not be there. Default: one of the plugin's name, here.
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
    Python,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Metric,
    Pair,
    Set,
    Prompts,
}

pub(crate) const BUILD_HELP: &str = "\
A folder with a Cargo.toml is built with `cargo build --release --target wasm32-wasip2`, one with a pyproject.toml that has
[tool.difftest] with `python -m difftest_sdk build`, where Python is that of the active virtual environment or `python3`.
What is missing for that is named, with the command that installs it.";

#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// Folder of the plugin's sources.
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) path: PathBuf,
}

const WHICH: &str = "A component file, the folder of its sources, or the name of a plugin in the plugin folders";

/// Which plugin.
#[derive(Debug, clap::Args)]
pub(crate) struct WhichPlugin {
    #[arg(help = WHICH, default_value = ".", value_name = "PLUGIN")]
    pub(crate) plugin: String,
    /// Folders with plugins, for a name. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
}

pub(crate) const CHECK_HELP: &str = "\
Each step of loading is one line; the first that fails says why, and the rest is not looked at.

Exit codes: 0 the plugin may be used, 2 it is refused.";

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) which: WhichPlugin,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

/// What metrics and generators are given besides images.
#[derive(Debug, clap::Args)]
pub(crate) struct Givens {
    /// Folder with the author's cases. Default: `tests` beside the sources.
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: Option<PathBuf>,
    /// A model that the plugin may ask for: `builtin:shapes-clip`, a folder with a CLIP model, or an `.onnx` file; repeat for several.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) model: Vec<String>,
    /// Fuel a plugin may burn on one image: about one unit per WebAssembly instruction.
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<u64>,
}

pub(crate) const TEST_HELP: &str = "\
Checked of every metric and prompt generator, in any language:
  the same answer for the same fuel, in fresh instances and on several threads
  images of 1x1, odd and large sizes, black and white ones: a score or an honest error, never a trap
  the range it declares; configs with unknown keys or wrong types refused; pages of prompts that agree

And the author's own cases, in tests/*.toml beside the sources:
  [[case]]
  metric = \"sharpness\"           # or: generator = \"...\", seed = 7, limit = 3, prompts = [...]
  image = \"cat.png\"              # pairs: reference = \"...\"; sets: images = [...]
  config = { radius = 2 }
  score = 0.4375                 # or: error = \"unsupported-input\"
  tolerance = 1e-9               # without it, only the same bits pass
  fuel_at_most = 3_000_000

Exit codes: 0 all passed, 1 a check failed, 2 nothing could be checked.";

#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) which: WhichPlugin,
    #[command(flatten)]
    pub(crate) givens: Givens,
    /// Write the scores and prompts that are missing or have changed into the author's cases.
    #[arg(long)]
    pub(crate) update: bool,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

pub(crate) const BENCH_HELP: &str = "\
Fuel is equal on every machine, so CI can hold a plugin to it:
  difftest plugin bench --fuel-at-most 20000000

Time is that of this machine: the median of five calls, each in a fresh instance.

Exit codes: 0 measured, 1 more than --fuel-at-most, 2 something could not be measured.";

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) which: WhichPlugin,
    #[command(flatten)]
    pub(crate) givens: Givens,
    /// The most fuel that any metric may burn for a megapixel.
    #[arg(long, value_name = "N")]
    pub(crate) fuel_at_most: Option<u64>,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}
