//! Many shards, one run: the event streams of recordings become the stream that one run of the whole plan would have told.
//!
//! ```text
//! recordings -> claims: is it one plan, is every shard there once? -> gather: every event at its place in the plan
//!            -> replay: one stream in the order of the plan, every test judged over all of its scores
//!            -> verify: is that what the shards say that had a test whole?
//! ```
//!
//! But for the run's name, the result depends on the set of shards alone: not on the order in which they are named, not on how often one
//! is, and not on whether some were combined before. Nothing is generated or scored, so neither a model nor a plugin is needed. Judging is what a run does:
//! [`difftest_core::gate::judge_suite`] over the gates of the frozen plan. Of a shard's own verdicts only those
//! of gates on a baseline are needed; all others have to be what follows from its scores.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | what goes in and what comes out |
//! | `claims.rs` | whether recordings belong together, as far as their manifests tell |
//! | `gather.rs` | the events of all shards by suite, test and case of the plan |
//! | `heads.rs` | what shards say of the same suite: where it may differ, and where not |
//! | `told.rs` | a test as the shards together tell of it |
//! | `replay.rs` | the merged stream |
//! | `verify.rs` | what shards say of their tests, held against their images and scores |
//! | `error.rs` | why shards cannot be merged |

mod claims;
mod error;
mod gather;
mod heads;
mod replay;
#[cfg(test)]
mod tests;
mod told;
mod verify;

use std::path::{Path, PathBuf};

use difftest_core::digest::Digest;
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
    /// Digest of its pixels, where the events say what they are.
    pub digest: Option<Digest>,
    /// The case it is of; for messages.
    pub case: String,
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

/// When the run of all of `streams` began: as the first of its shards did.
#[must_use]
pub fn started(streams: &[Stream]) -> String {
    streams.iter().map(|stream| &stream.part.started).min().cloned().unwrap_or_default()
}

/// Merges the streams of all shards of `plan`, divided into `of`, to a run called `name`. Images are to lie in `folder`, where a run would
/// keep them.
///
/// # Errors
/// [`MergeError`] when a stream is not of this plan, did not end, or does not come to what it says; or two were made with other models,
/// metrics or in other environments.
pub fn merge(plan: &Frozen, of: u32, streams: &[Stream], name: &str, folder: &Path) -> Result<Merged, MergeError> {
    let mut ordered: Vec<&Stream> = streams.iter().collect();
    ordered.sort_by(|a, b| a.part.cmp(&b.part));
    ordered.dedup_by(|a, b| a.part == b.part);
    let gathered = gather::gather(plan, of, &ordered)?;
    replay::replay(plan, gathered, (name.to_owned(), started(streams)), folder)
}
