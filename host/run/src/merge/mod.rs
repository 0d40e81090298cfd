//! Many shards, one run: the event streams of recordings become the stream that one run of the whole plan would have told.
//!
//! ```text
//! recordings -> claims: is it one plan, is every shard there once? -> gather: every event at its place in the plan
//!            -> replay: one stream in the order of the plan, every split test judged over all of its scores
//! ```
//!
//! The result depends on the set of shards alone: not on the order in which they are named, not on how often one is, and not on
//! whether some were combined before. Nothing is generated or scored, so neither a model nor a plugin is needed. Judging is what a run does:
//! [`difftest_core::gate::judge_suite`] over the gates of the frozen plan. A test that one shard had whole was judged there.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | what goes in and what comes out |
//! | `claims.rs` | whether recordings belong together, as far as their manifests tell |
//! | `gather.rs` | the events of all shards by suite, test and case of the plan |
//! | `heads.rs` | what shards say of the same suite: where it may differ, and where not |
//! | `replay.rs` | the merged stream |
//! | `error.rs` | why shards cannot be merged |

mod claims;
mod error;
mod gather;
mod heads;
mod replay;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use difftest_core::event::{Conclusion, Event};
use difftest_core::shard::Frozen;
use difftest_store::recording::Part;

pub use claims::{Claim, check};
pub use error::MergeError;

/// What one shard told.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Which shard.
    pub part: Part,
    /// Its events. Paths of images are names of objects of its recording.
    pub events: Vec<Event>,
}

/// An image to be taken out of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The shard whose recording has it.
    pub shard: u32,
    /// Its name there.
    pub object: PathBuf,
    /// The file that the merged events name.
    pub to: PathBuf,
}

/// The run that the shards are together.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// Its events.
    pub events: Vec<Event>,
    /// How it ended.
    pub conclusion: Conclusion,
    /// The images that its events name.
    pub images: Vec<Image>,
}

/// The name of the merged run, and when it began: as the first of its shards did, and named after all of them, so that the same
/// shards give the same name and others another.
#[must_use]
pub fn name(streams: &[Stream]) -> (String, String) {
    let mut parts: Vec<&Part> = streams.iter().map(|stream| &stream.part).collect();
    parts.sort();
    parts.dedup();
    let first = parts.iter().min_by_key(|part| (&part.started, &part.run));
    let (run, started) = first.map(|part| (part.run.clone(), part.started.clone())).unwrap_or_default();
    let mut hasher = blake3::Hasher::new_derive_key("difftest 1 merge");
    for part in &parts {
        hasher.update(part.events.as_bytes());
    }
    // `20261121-093000-4f1c2a`: the time stays, the rest tells runs apart.
    let time = run.rsplit_once('-').map_or(run.as_str(), |(time, _)| time);
    let safe: String = time.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    (format!("{safe}-{}", &hasher.finalize().to_hex()[..6]), started)
}

/// Merges the streams of all shards of `plan`, divided into `of`. Images are to lie in `folder`, where a run would keep them.
///
/// # Errors
/// [`MergeError`] when a stream is not of this plan, or two were made with other models, metrics or in other environments.
pub fn merge(plan: &Frozen, of: u32, streams: &[Stream], folder: &Path) -> Result<Merged, MergeError> {
    let mut ordered: Vec<&Stream> = streams.iter().collect();
    ordered.sort_by(|a, b| a.part.cmp(&b.part));
    ordered.dedup_by(|a, b| a.part == b.part);
    let gathered = gather::gather(plan, of, &ordered)?;
    replay::replay(plan, gathered, name(streams), folder)
}
