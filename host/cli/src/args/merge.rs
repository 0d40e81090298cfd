//! `difftest merge`.

use std::path::PathBuf;

use super::reports::Reports;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  difftest merge .difftest/recordings --junit report.xml --html report.html
  difftest merge shard-*.difftest --expect-shards 4
  difftest merge part/a part/b --record all.difftest      one recording of all of them, to be merged later

Reports, the run's folder and the exit code are those of one run of everything. The order of recordings does not matter, nor whether one
is named twice. A shard that is missing, that was run twice with different results, or that is of another plan, model, plugin or
environment is named, and the exit code is 2. Neither models nor plugins are needed.")]
pub(crate) struct MergeArgs {
    /// Recordings (*.difftest), folders that have some, also deeper, or URLs of a remote.
    #[arg(value_name = "RECORDING", required = true)]
    pub(crate) recordings: Vec<String>,
    /// How many shards there have to be; without it, as many as the recordings say.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) expect_shards: Option<u32>,
    /// Write one recording of all shards that are there to this file, and judge nothing unless they are complete.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Keep the merged run here instead of `.difftest/runs/RUN`; an earlier run in that folder is replaced.
    #[arg(long, value_name = "DIR")]
    pub(crate) artifacts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reports: Reports,
}
