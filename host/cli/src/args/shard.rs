//! Dividing a run over machines: options of `run`, and `difftest plan`.

use std::path::PathBuf;

use clap::ValueEnum;
use difftest_core::shard::{Shard, Strategy};

use super::{Selection, plugin};

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Shards")]
pub(crate) struct Sharding {
    /// Run the I-th of N parts of the plan, counted from 1, and record it: `difftest merge` makes one run of all of them.
    #[arg(long, value_name = "I/N", value_parser = str::parse::<Shard>, conflicts_with = "watch")]
    pub(crate) shard: Option<Shard>,
    /// How cases are divided. `slice`: in the order of the plan. `time`: so that all shards take equally long, by the seconds in
    /// `--plan`, without one by steps and pixels. `hash`: so that a case stays in its shard when others come and go.
    /// Default: what the plan says, otherwise `slice`.
    #[arg(long, value_enum, value_name = "HOW", requires = "shard", conflicts_with = "plan")]
    pub(crate) shard_by: Option<ShardBy>,
    /// Divide as this plan says, which `difftest plan` wrote: it must be of the same suites and options.
    #[arg(long, value_name = "FILE", requires = "shard")]
    pub(crate) plan: Option<PathBuf>,
    /// Record the run to this file, to be merged elsewhere. With `--shard` it goes to `.difftest/recordings/` where none is named.
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShardBy {
    Time,
    Slice,
    Hash,
}

impl From<ShardBy> for Strategy {
    fn from(by: ShardBy) -> Self {
        match by {
            ShardBy::Time => Self::Time,
            ShardBy::Slice => Self::Slice,
            ShardBy::Hash => Self::Hash,
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example, in a workflow: one job plans, four run, one merges.
  difftest plan --output plan.json --shards 4
  difftest run --plan plan.json --shard 1/4 --record shard-1.difftest
  difftest merge *.difftest --junit report.xml

Without a plan every shard works out the division by itself, from the suites alone. A plan brings what only one machine knows: how long
each case took in the runs under .difftest/.")]
pub(crate) struct PlanArgs {
    #[command(flatten, next_help_heading = "Selection")]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) pinning: plugin::Pinning,
    /// How cases are divided. Default: `time` where a recorded run knows how long a case takes, otherwise `slice`.
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) shard_by: Option<ShardBy>,
    /// Say how the plan comes out when it is divided into so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) shards: Option<u32>,
    /// Write the plan to this file; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}
