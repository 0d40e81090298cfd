//! Why shards cannot be merged.

use std::path::PathBuf;

/// Shards that are not one run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("there is no recording to merge")]
    Nothing,
    /// Recordings of different plans.
    #[error("{} and {} are shards of different plans: {why}", one.display(), other.display())]
    Foreign {
        /// A recording.
        one: PathBuf,
        /// Another.
        other: PathBuf,
        /// What differs.
        why: String,
    },
    /// Shards that no recording has.
    #[error("{} missing of {of}: {}", count(shards.len()), numbers(shards))]
    Missing {
        /// Their numbers.
        shards: Vec<u32>,
        /// How many there are.
        of: u32,
    },
    /// Shards that did not end: as good as missing.
    #[error("{}: run {} again", interrupted(shards), if shards.len() == 1 { "it" } else { "them" })]
    Interrupted {
        /// Their numbers, and where they were recorded, as far as that is known.
        shards: Vec<(u32, Option<PathBuf>)>,
        /// How many shards there are.
        of: u32,
    },
    /// Another number of shards than was expected.
    #[error("the plan was divided into {of} shards, and {expected} were expected")]
    Expected {
        /// Into how many it was divided.
        of: u32,
        /// What `--expect-shards` says.
        expected: u32,
    },
    /// The same shard twice, with other content.
    #[error("shard {shard} is there twice, with other results: in {} and {}", one.display(), other.display())]
    Duplicate {
        /// Its number.
        shard: u32,
        /// A recording.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// Two shards were made with other things.
    #[error("shards {one} and {other} do not go together: {what}")]
    Mixed {
        /// A shard.
        one: u32,
        /// Another.
        other: u32,
        /// What differs.
        what: String,
    },
    /// A stream that does not fit its plan, or does not come to what it says it came to.
    #[error("shard {shard} does not fit its plan: {what}")]
    Misfit {
        /// Which.
        shard: u32,
        /// What is wrong.
        what: String,
    },
}

impl MergeError {
    /// A stable word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "no-recordings",
            Self::Foreign { .. } => "shards-foreign",
            Self::Missing { .. } | Self::Expected { .. } => "shards-missing",
            Self::Interrupted { .. } => "shards-interrupted",
            Self::Duplicate { .. } => "shards-duplicate",
            Self::Mixed { .. } => "shards-mixed",
            Self::Misfit { .. } => "shards-misfit",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Nothing => "name recordings (*.difftest), or a folder that has some".into(),
            Self::Foreign { .. } => {
                "merge the recordings of one set of shards at a time: same suites, same options, same `--shard-by` or `--plan`"
                    .into()
            }
            Self::Missing { of, shards } => {
                let first = shards.first().copied().unwrap_or(1);
                format!("run what is missing (`difftest run --shard {first}/{of} ...`) and merge again; what is there stays good")
            }
            Self::Interrupted { of, shards } => {
                let first = shards.first().map_or(1, |(shard, _)| *shard);
                format!("`difftest run --shard {first}/{of} ...` goes on from what is finished; then merge again")
            }
            Self::Expected { of, expected } => {
                format!("run every shard with `--shard I/{expected}`, or merge with `--expect-shards {of}`")
            }
            Self::Duplicate { .. } => "a shard was run twice: leave one of the two out".into(),
            Self::Mixed { .. } => "run all shards with the same model, plugins, versions and kind of device".into(),
            Self::Misfit { .. } => "the recording was changed, or another version of difftest wrote it: run this shard again with this version of difftest".into(),
        }
    }
}

/// `shard 2 (2.difftest) was interrupted`.
fn interrupted(shards: &[(u32, Option<PathBuf>)]) -> String {
    let one = |(shard, path): &(u32, Option<PathBuf>)| match path {
        Some(path) => format!("shard {shard} ({}) was interrupted", path.display()),
        None => format!("shard {shard} was interrupted"),
    };
    shards.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn count(shards: usize) -> String {
    if shards == 1 { "1 shard is".into() } else { format!("{shards} shards are") }
}

/// `2, 5-7`.
fn numbers(shards: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &shard in shards {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == shard => *last = shard,
            _ => runs.push((shard, shard)),
        }
    }
    let one = |(first, last): (u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.into_iter().map(one).collect::<Vec<_>>().join(", ")
}
