//! What can be said after `difftest review`, `accept` and `reject`.

use std::path::PathBuf;

use super::baseline::OnCi;

/// The run whose images are decided on.
#[derive(Debug, clap::Args)]
pub(crate) struct OfRun {
    /// The run: its name, the beginning of it, `latest`, or its folder.
    #[arg(long, value_name = "RUN", default_value = "latest")]
    pub(crate) run: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReviewArgs {
    #[command(flatten)]
    pub(crate) run: OfRun,
    #[command(flatten)]
    pub(crate) ci: OnCi,
    /// List what is pending, and ask nothing.
    #[arg(long)]
    pub(crate) list: bool,
    /// For people, or as JSON: with `--list`.
    #[arg(long, value_enum, default_value_t = super::Format::Human, value_name = "FORMAT", requires = "list")]
    pub(crate) message_format: super::Format,
}

pub(crate) const REVIEW_HELP: &str = "\
Each image that a visual regression test found new or changed is shown with what the tiers say of it.
  a  accept: it is the baseline from now on        A  this one and all that follow
  r  reject: it is not what it should be           R  this one and all that follow
  s  skip: decide later                            S  this one and all that follow
  o  open the image, its baseline and the diff     q  stop; what was decided counts";

#[derive(Debug, clap::Args)]
pub(crate) struct DecideArgs {
    /// Cases: ids, or beginnings that only one pending case has.
    #[arg(value_name = "ID", required_unless_present_any = ["from", "all", "new", "changed"])]
    pub(crate) ids: Vec<String>,
    /// Marks that the HTML report exported: `accept` carries all of them out, `reject` those that reject.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ids", "all", "new", "changed"])]
    pub(crate) from: Option<PathBuf>,
    /// Everything that is pending.
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Everything that has no baseline yet.
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    pub(crate) new: bool,
    /// Everything that is not as its baseline.
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    pub(crate) changed: bool,
    #[command(flatten)]
    pub(crate) run: OfRun,
    #[command(flatten)]
    pub(crate) ci: OnCi,
    /// Show what would be decided, and decide nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

pub(crate) const ACCEPT_HELP: &str = "\
Examples:
  difftest accept --new                          images that have no baseline yet
  difftest accept 'logos::header[p0,seed=42]'
  difftest accept --from approvals.json          marks made in the HTML report";
