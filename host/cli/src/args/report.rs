//! `difftest report` and `difftest ci`.

use super::RunArgs;
use super::reports::Reports;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  difftest report --open                          the page of the last run, in the browser
  difftest report --junit report.xml              the same run, for a CI service
  difftest report 20261121 --markdown report.md   the one run whose name begins so
  difftest report latest --jsonl - | jq .event")]
pub(crate) struct ReportArgs {
    /// The run: `latest`, its name or the beginning of it, or a folder that `--artifacts` named.
    #[arg(value_name = "RUN", default_value = "latest")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Open the page in the browser; without `--html` it is written into the folder of the run.
    #[arg(long)]
    pub(crate) open: bool,
    /// End with the exit code of the run, and not with 0 because the report was written.
    #[arg(long)]
    pub(crate) exit_code: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example, in a workflow:
  difftest ci --junit report.xml --markdown report.md

The same as `CI=true difftest run`, on any machine: plugins are kept to difftest.lock, nothing asks, no bar is drawn, baselines are
not written. On GitHub it also annotates the suites and writes the step summary.")]
pub(crate) struct CiArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
