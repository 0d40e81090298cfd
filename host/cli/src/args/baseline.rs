//! What can be said after `difftest baseline`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use difftest_run::baselines::Baselines;

use super::{DEFAULT_TEST_DIR, Format};

#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Keep the images and scores of a run as a baseline.
    #[command(after_help = SAVE_HELP)]
    Save(SaveArgs),
    /// List baselines with their environments, or the cases that no suite has any more.
    List(ListArgs),
    /// Show what a baseline has: cases, digests, scores, who accepted them.
    Show(ShowArgs),
    /// Compare two baselines: cases that came, went, have another image or other scores.
    Diff(DiffArgs),
    /// Read every image again and compare it with the digest that was accepted.
    Verify(VerifyArgs),
    /// Delete cases that no suite has any more, and files that belong to nothing.
    Prune(PruneArgs),
    /// Withdraw cases: what was accepted of them is no baseline any more.
    #[command(after_help = REMOVE_HELP)]
    Remove(RemoveArgs),
    /// Take images that another program made into a baseline.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
}

/// Where baselines are.
#[derive(Debug, clap::Args)]
pub(crate) struct Root {
    /// Folder of the baselines.
    #[arg(long, value_name = "DIR", default_value = difftest_store::baseline::DEFAULT_ROOT, env = "DIFFTEST_BASELINES")]
    pub(crate) baselines: PathBuf,
}

/// What may be said on CI only with a word more.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct OnCi {
    /// Let a person's decision be made on CI, where nobody looks at the images.
    #[arg(long)]
    pub(crate) allow_ci: bool,
}

/// Which baselines a run is compared with: what is judged depends on it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Baseline")]
pub(crate) struct Compared {
    /// Baseline to compare with, instead of the suite's.
    #[arg(long, value_name = "NAME")]
    pub(crate) baseline: Option<String>,
    #[command(flatten)]
    pub(crate) root: Root,
}

impl Compared {
    /// As a run takes it.
    pub(crate) fn baselines(&self) -> Baselines {
        Baselines { root: self.root.baselines.clone(), named: self.baseline.clone() }
    }
}

/// What a run is compared with.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Baseline")]
pub(crate) struct Against {
    #[command(flatten)]
    pub(crate) compared: Compared,
    /// Accept images of visual regression tests that have no baseline yet, and make baselines that gates compare with and that are not
    /// there; with `all`, accept changed images too. Not on CI.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "new")]
    pub(crate) update: Option<Update>,
    #[command(flatten)]
    pub(crate) ci: OnCi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Update {
    New,
    All,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SaveArgs {
    /// Name of the baseline, such as the version of the model.
    #[arg(value_name = "NAME", required_unless_present = "model", conflicts_with = "model")]
    pub(crate) name: Option<String>,
    /// The same: `baseline save --model v1.0`.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The run: its name, the beginning of it, `latest`, or its folder.
    #[arg(long, value_name = "RUN", default_value = "latest")]
    pub(crate) run: String,
    /// Also of tests that did not pass: you have looked at their images, and they are as they should be.
    #[arg(long)]
    pub(crate) accept_failing: bool,
    #[command(flatten)]
    pub(crate) ci: OnCi,
    #[command(flatten)]
    pub(crate) root: Root,
    /// Show what would be saved, and save nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const SAVE_HELP: &str = "\
A baseline lies in baselines/NAME/ENVIRONMENT/: PNG files, a manifest with digests and scores, and an audit of who accepted what. Put
it under version control. Cases that the run has are taken over; what the baseline has besides stays.

Only tests that passed are taken, and tests that failed for want of a baseline alone.

Examples:
  difftest run quickstart && difftest baseline save --model v1.0
  difftest baseline save v1.1 --run 20261121-093000-4f1c2a
  difftest run quickstart --baseline v1.0        compares with it
  difftest run gated --update                    makes the baseline that its gates compare with, where it is not there";

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) root: Root,
    /// Cases that no suite has any more, in place of the list.
    #[arg(long)]
    pub(crate) unreferenced: bool,
    #[command(flatten)]
    pub(crate) suites: Suites,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

/// Suites that say which cases there are.
#[derive(Debug, clap::Args)]
pub(crate) struct Suites {
    /// Folder of the suites that say which cases there are.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_TEST_DIR, env = "DIFFTEST_TEST_DIR")]
    pub(crate) test_dir: PathBuf,
    /// Folders with plugins. Default: `plugins`, if it is there.
    #[arg(long, value_name = "DIR", env = "DIFFTEST_PLUGINS", value_delimiter = if cfg!(windows) { ';' } else { ':' })]
    pub(crate) plugins: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The baseline: a name, or its folder.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Cases whose id has this in it: with all that was accepted, and every decision about them.
    #[arg(value_name = "CASE")]
    pub(crate) case: Option<String>,
    /// This environment only.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) root: Root,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// A baseline: a name, or its folder.
    #[arg(value_name = "A")]
    pub(crate) a: String,
    /// Another one.
    #[arg(value_name = "B")]
    pub(crate) b: String,
    /// This environment only. Default: each that both have.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) root: Root,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Baselines: names, or their folders. None: all.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) root: Root,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    /// Baselines: names, or their folders. None: all.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) root: Root,
    #[command(flatten)]
    pub(crate) suites: Suites,
    /// Show what would be deleted, and delete nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    /// The baseline: a name, or its folder.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Cases: their ids.
    #[arg(value_name = "CASE", required = true)]
    pub(crate) cases: Vec<String>,
    /// In this environment only. Default: each that has them.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) ci: OnCi,
    #[command(flatten)]
    pub(crate) root: Root,
    /// Show what would be withdrawn, and withdraw nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const REMOVE_HELP: &str = "\
The next run finds the images of these cases new. The image that was there before the last one was accepted is in version control.

Example:
  difftest baseline remove v1.0 'logos::header[p0,seed=42]'";

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Folder with images and a `manifest.jsonl` that lists them by prompt and seed.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Name of the baseline.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// The environment that the images count for, as `baseline list` and results name it.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// Suites whose cases they are of. None: all in the test folder.
    #[arg(long = "suite", value_name = "SUITE")]
    pub(crate) named: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) suites: Suites,
    #[command(flatten)]
    pub(crate) ci: OnCi,
    #[command(flatten)]
    pub(crate) root: Root,
    /// Show what would be taken in, and take in nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const IMPORT_HELP: &str = "\
Each line of manifest.jsonl is like {\"file\": \"a.png\", \"prompt\": \"a red circle\", \"seed\": 42}. An image becomes the baseline of every case with
its prompt and seed. It has no scores: a run that needs them measures the image.

Example:
  difftest baseline import diffusers-out/ --name diffusers --environment cpu-f32-onnxruntime-1.31.1 --suite quickstart";
