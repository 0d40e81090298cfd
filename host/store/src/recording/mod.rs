//! Recordings: what a shard did, as one file that can be carried to another machine.
//!
//! A recording is a zip:
//!
//! ```text
//! manifest.json            Manifest: versions, the plan's digest, which shards are in it
//! plan.json                the frozen plan, the same in every shard of it
//! events/BLAKE3.jsonl      the event stream of one shard, one event a line, with paths of objects instead of files
//! objects/BLAKE3.png       an image, stored as it is
//! ```
//!
//! A shard's run writes one with its own stream; `difftest merge --record` writes one with the streams of all its inputs, so that
//! merging can go in steps.
//!
//! Invariants:
//! - It is there whole or not at all: written beside its place, flushed, renamed.
//! - It may come from anywhere. No entry's name ever becomes a path; entries of any other name, links, encrypted and overlapping
//!   entries and names that occur twice are refused; sizes are bounded before anything is unpacked; all contents are checked against
//!   the digest that names them.
//! - A newer format is refused with the version that wrote it; older event streams are read as what they meant.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the manifest, names of entries, limits |
//! | `write.rs` | from a run's folder to a recording; several recordings as one |
//! | `read.rs` | opening one, its events, its images |
//! | `error.rs` | what can be wrong with one |

mod error;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;

use difftest_core::event::Conclusion;
use difftest_core::visual::Comparison;
use serde::{Deserialize, Serialize};

pub use error::RecordingError;
pub use read::Recording;
pub use write::{Source, combine, write};

/// Version of the format: goes up whenever a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

/// What file names of recordings end with, after the dot.
pub const EXTENSION: &str = "difftest";

/// What a recording says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of difftest that wrote it.
    pub difftest: String,
    /// Digest of the plan.
    pub plan: String,
    /// Into how many shards the plan was divided.
    pub of: u32,
    /// The shards in it, by number; each once.
    pub parts: Vec<Part>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// Which, counted from 1.
    pub shard: u32,
    /// BLAKE3 of its event stream as it stands in the recording.
    pub events: String,
    /// The run's name.
    pub run: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// How many of its cases have an image.
    pub images: usize,
    /// How it ended: `passed`, `failed`, `error` or `interrupted`.
    pub conclusion: String,
    /// The commit it was made from, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

const MANIFEST: &str = "manifest.json";
const PLAN: &str = "plan.json";

/// An entry, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry<'n> {
    Manifest,
    Plan,
    /// The digest of its content.
    Events(&'n str),
    /// The digest of its content.
    Object(&'n str),
}

impl<'n> Entry<'n> {
    /// What the name means; `None` for one that no recording has.
    fn parse(name: &'n str) -> Option<Self> {
        let hex =
            |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match name {
            MANIFEST => return Some(Self::Manifest),
            PLAN => return Some(Self::Plan),
            _ => {}
        }
        let (folder, file) = name.split_once('/')?;
        let (digest, extension) = file.split_once('.')?;
        match folder {
            _ if !hex(digest) => None,
            "events" if extension == "jsonl" => Some(Self::Events(digest)),
            "objects" if is_extension(extension) => Some(Self::Object(digest)),
            _ => None,
        }
    }

    /// The largest that such an entry may be, unpacked.
    fn limit(self) -> u64 {
        match self {
            Self::Manifest => 4 << 20,
            Self::Plan => 1 << 30,
            Self::Events(_) => 4 << 30,
            Self::Object(_) => 1 << 30,
        }
    }
}

fn is_extension(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// The files that a comparison names.
fn paths_of(comparison: &mut Comparison) -> impl Iterator<Item = &mut PathBuf> {
    let Comparison { expected, diff, heatmap, .. } = comparison;
    expected.iter_mut().map(|expected| &mut expected.path).chain(diff).chain(heatmap)
}

fn events_name(digest: &str) -> String {
    format!("events/{digest}.jsonl")
}

fn conclusion_name(conclusion: Option<Conclusion>) -> &'static str {
    match conclusion {
        Some(Conclusion::Passed) => "passed",
        Some(Conclusion::Failed) => "failed",
        Some(Conclusion::Error) => "error",
        Some(Conclusion::Interrupted) | None => "interrupted",
    }
}
