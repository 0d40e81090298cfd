//! `difftest history`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::Format;

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  difftest history                                     the last runs
  difftest history --metric clip_score                 a line for each test: its mean over runs
  difftest history --metric clip_score --suite quickstart -k 'circle' --last 10
  difftest history show latest                         what a run came to
  difftest history flaky                               same inputs, another image, score or verdict
  difftest history export --format csv > scores.csv

Kept in .difftest/history.db, made of the recordings in .difftest/runs. Runs are in the order in which they were made: a run is named
after all that were there, also where the clock was set back."
)]
pub(crate) struct HistoryArgs {
    #[command(subcommand)]
    pub(crate) command: Option<HistoryCommand>,
    /// Show this metric over runs. Metrics of another variant, environment, model or set of images have lines of their own.
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    #[command(flatten)]
    pub(crate) filter: SeriesFilter,
}

/// Which series.
#[derive(Debug, clap::Args)]
pub(crate) struct SeriesFilter {
    /// Only this suite.
    #[arg(long, value_name = "NAME")]
    pub(crate) suite: Option<String>,
    /// Only this test.
    #[arg(long, value_name = "NAME")]
    pub(crate) test: Option<String>,
    /// Only cases whose id matches, as for `run`: means are over those.
    #[arg(short = 'k', value_name = "EXPR")]
    pub(crate) expression: Option<String>,
    /// Only models with this in their name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) model: Option<String>,
    /// Only environments with this in their name, such as `cuda`.
    #[arg(long, value_name = "TEXT")]
    pub(crate) environment: Option<String>,
    /// The last N runs of each line, or of the list.
    #[arg(long, value_name = "N", default_value = "30")]
    pub(crate) last: NonZeroUsize,
    /// For people, or as JSON.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub(crate) message_format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// The runs, the latest first.
    List {
        /// The last N.
        #[arg(long, value_name = "N", default_value = "30")]
        last: NonZeroUsize,
        /// For people, or as JSON.
        #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
        message_format: Format,
    },
    /// What a run came to: verdicts, gates, means; with `-v` every image.
    Show {
        /// The run: its name or the beginning of it, `latest`, `latest~N` for the Nth before that, or a label.
        #[arg(value_name = "RUN", default_value = "latest")]
        run: String,
        /// For people, or as JSON.
        #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
        message_format: Format,
    },
    /// A metric run by run: each test's mean with commit, label and verdict.
    Trend {
        /// The metric.
        #[arg(value_name = "METRIC")]
        metric: String,
        #[command(flatten)]
        filter: SeriesFilter,
    },
    /// What should be the same every time and was not: images and scores of the same inputs, verdicts without a change.
    Flaky {
        /// For people, or as JSON.
        #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
        message_format: Format,
    },
    /// Write every score to standard output, a row each.
    Export {
        /// How rows are written.
        #[arg(long, value_enum, default_value_t = Rows::Jsonl, value_name = "FORMAT")]
        format: Rows,
    },
    /// Forget all runs but the last N: their scores, and their folders with images and recordings.
    Prune {
        /// How many runs stay.
        #[arg(long, value_name = "N")]
        keep: usize,
        /// Delete the folders alone; the scores stay in the history.
        #[arg(long)]
        keep_scores: bool,
        /// Only say what would be forgotten.
        #[arg(long)]
        dry_run: bool,
        /// For people, or as JSON.
        #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
        message_format: Format,
    },
    /// Make the history again from the recordings. Runs whose recordings are gone stay.
    Rebuild {
        /// Folders of runs outside of .difftest/runs, that `--artifacts` named.
        #[arg(value_name = "DIR")]
        folders: Vec<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rows {
    /// A JSON object in each line.
    Jsonl,
    /// With a line of names first.
    Csv,
}
