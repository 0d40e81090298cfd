//! Recordings of shards: pushed by the machines that ran them, pulled by the one that merges.
//!
//! Each shard of a *group* has a lane, `run/GROUP/shard-02-of-04`, whose newest entry counts: a job that is run again puts the next
//! number. A group is what is merged together: the digest of the plan where nothing else is named, or the CI's number of a run.
//! Recordings are told apart by their whole name and their digest, never by the file name alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Progress;
use crate::blob::BlobId;
use crate::document;
use crate::error::Error;
use crate::file::{FileEntry, described};
use crate::log::{Author, Pointer};
use crate::store::{Put, Remote};

/// Where recordings are, among the lanes.
const LANES: &str = "run";

/// The document that a recording's entry points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    file: FileEntry,
}

/// A recording in a remote, or pulled from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What it is merged with.
    pub group: String,
    /// Such as `shard-02-of-04`.
    pub shard: String,
    /// Its length.
    pub bytes: u64,
    /// Of its bytes.
    pub digest: BlobId,
    /// The entry that says so.
    pub pointer: Pointer,
    /// Where it was put on this machine.
    pub path: Option<PathBuf>,
}

/// Whether a name can be a part of a lane: 1 to 100 letters, digits, `.`, `_`, `-`, `=`, and not only dots.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let tame = |c: char| c.is_ascii_alphanumeric() || "._-=".contains(c);
    (1..=100).contains(&name.len()) && name.chars().all(tame) && !name.starts_with('.')
}

fn named(what: &str, name: &str) -> Result<(), Error> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::Usage {
        message: format!("`{name}` cannot be the name of a {what} in a remote"),
        hint: "use 1 to 100 letters, digits, `-`, `_`, `=` and `.`, not beginning with a dot".into(),
    })
}

/// The URL of a remote and the group in it, of `URL/run/GROUP`; the URL alone where it names no group.
#[must_use]
pub fn split_group(url: &str) -> (String, Option<String>) {
    let (place, options) = url.split_once('?').map_or((url, None), |(place, options)| (place, Some(options)));
    let with = |place: &str| options.map_or(place.to_owned(), |options| format!("{place}?{options}"));
    match place.trim_end_matches('/').rsplit_once("/run/") {
        Some((root, group)) if is_name(group) => (with(root), Some(group.to_owned())),
        _ => (url.to_owned(), None),
    }
}

impl Remote {
    /// Puts a recording, blobs first. The same one again changes nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn push_recording(
        &self,
        group: &str,
        shard: &str,
        path: &Path,
        author: &Author,
        progress: Progress<'_>,
    ) -> Result<(Recording, Put), Error> {
        named("group", group)?;
        named("shard", shard)?;
        let total = std::fs::metadata(path).map_or(0, |file| file.len());
        let lane = format!("{LANES}/{group}/{shard}");
        self.runtime.block_on(async {
            let mut done = 0;
            let mut sent = |bytes| {
                done += bytes;
                progress(done, total.max(done));
            };
            let name = format!("{shard}.difftest");
            let file = self.put_file(path, &name, &mut sent).await?;
            let (bytes, digest) = (file.size, file.digest);
            let manifest = self.sealed(&name, &Manifest { file })?;
            let (target, _) = self.put_blob(manifest).await?;
            let next = async |newest: Option<&Pointer>| {
                Ok((newest.map(|newest| newest.target) != Some(target)).then_some(target))
            };
            let (pointer, put) = self.append(&lane, author, next).await?;
            let (group, shard) = (group.to_owned(), shard.to_owned());
            Ok((Recording { group, shard, bytes, digest, pointer, path: None }, put))
        })
    }

    /// The newest recording of each shard, of one group or of all.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none.
    pub fn recordings(&self, group: Option<&str>) -> Result<Vec<Recording>, Error> {
        Ok(self.runtime.block_on(self.found(group))?.into_iter().map(|(recording, _)| recording).collect())
    }

    async fn found(&self, group: Option<&str>) -> Result<Vec<(Recording, FileEntry)>, Error> {
        let prefix = group.map_or(LANES.to_owned(), |group| format!("{LANES}/{group}"));
        let mut found = Vec::new();
        for (lane, number) in self.lanes(&prefix).await? {
            let mut parts = lane.split('/').skip(1);
            let (Some(of), Some(shard), None) = (parts.next(), parts.next(), parts.next()) else { continue };
            let Some(pointer) = self.pointer(&lane, number).await? else { return Err(self.missing(lane)) };
            let Manifest { file } = self.read_document(&lane, &self.get_blob(pointer.target).await?)?;
            let (group, shard) = (of.to_owned(), shard.to_owned());
            let recording = Recording { group, shard, bytes: file.size, digest: file.digest, pointer, path: None };
            found.push((recording, file));
        }
        if found.is_empty() {
            return Err(self.missing(match group {
                Some(group) => format!("recordings of a group `{group}`"),
                None => "recordings".to_owned(),
            }));
        }
        Ok(found)
    }

    /// Gets the newest recording of each shard into `folder`, as `GROUP/SHARD-DIGEST.difftest`. What is there already and whole is not
    /// fetched again.
    ///
    /// # Errors
    /// See [`Error`]; the first stops it, and what was fetched stays.
    pub fn pull_recordings(
        &self,
        group: Option<&str>,
        folder: &Path,
        progress: Progress<'_>,
    ) -> Result<Vec<Recording>, Error> {
        self.runtime.block_on(async {
            let found = self.found(group).await?;
            let total = found.iter().map(|(recording, _)| recording.bytes).sum();
            let mut done = 0;
            let mut pulled = Vec::new();
            for (mut recording, file) in found {
                named("group", &recording.group).and_then(|()| named("shard", &recording.shard))?;
                let digest = recording.digest.to_string();
                let name = format!("{}-{}.difftest", recording.shard, &digest[..12]);
                let path = folder.join(&recording.group).join(name);
                let whole = described(&path, &file.name).is_ok_and(|there| there == file);
                if whole {
                    done += recording.bytes;
                    progress(done, total);
                } else {
                    let mut came = |bytes| {
                        done += bytes;
                        progress(done, total);
                    };
                    self.get_file(&file, &path, &mut came).await?;
                }
                recording.path = Some(path);
                pulled.push(recording);
            }
            Ok(pulled)
        })
    }

    /// A document of ours as bytes.
    pub(crate) fn sealed(&self, name: &str, content: &impl Serialize) -> Result<Vec<u8>, Error> {
        document::sealed(content).map_err(|error| self.corrupt(name, error.to_string()))
    }
}
