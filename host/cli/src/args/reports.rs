//! The files and lines that say how a run went, the same for every command that has results.

use std::path::PathBuf;

use clap::ValueEnum;

use super::html::HtmlArgs;

/// Which reports are written.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Reports {
    /// Write the results as JSON to this file; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write JUnit XML, for CI services: a suite each suite, a case each test, scores as properties, images attached.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write Markdown for a pull request, at most 60,000 bytes: what did not pass comes first.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write every event as a line of JSON, as it happened; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) jsonl: Option<PathBuf>,
    /// GitHub's annotations beside the suite's lines, and its step summary. `auto`: where GITHUB_ACTIONS is set.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Github::Auto)]
    pub(crate) github: Github,
    /// Leave out of every report but `--jsonl` what differs between two runs of the same work: times, names of runs, folders, and what
    /// was found instead of being made. A run and its merged shards then give the same bytes.
    #[arg(long)]
    pub(crate) stable: bool,
    #[command(flatten)]
    pub(crate) html: HtmlArgs,
}

/// Whether GitHub is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Github {
    #[default]
    Auto,
    Always,
    Never,
}
