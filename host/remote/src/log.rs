//! Pointer logs: the state of something that changes, where nothing may be overwritten.
//!
//! A *lane* is a folder of documents with ascending numbers. The one with the highest is the state; to change it is to put the next
//! number, which only one writer can. The others see who did, build upon that, and put the number after it.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::blob::BlobId;
use crate::document::{self, FORMAT, Unusable};
use crate::error::Error;
use crate::store::{Fresh, Put, Remote, SMALL};

/// How often a writer begins again because others were faster.
const TRIES: u32 = 50;

/// One entry of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The lane, so that an entry cannot pass for one of another.
    pub lane: String,
    /// Its number, from 1.
    pub number: u64,
    /// What it points to: a blob with a document in it.
    pub target: BlobId,
    /// What the lane pointed to before, which the target builds upon.
    pub parent: Option<BlobId>,
    /// Of this one attempt: by it a writer knows its own entry again, whose answer got lost.
    pub nonce: String,
    /// Who wrote it, as they say.
    pub by: String,
    /// When, as they say: RFC 3339.
    pub at: String,
}

/// Who writes, and when, for the record.
#[derive(Clone, Debug)]
pub struct Author {
    /// A name.
    pub by: String,
    /// RFC 3339.
    pub at: String,
}

fn folder(lane: &str) -> String {
    format!("ref/{lane}/")
}

fn key(lane: &str, number: u64) -> String {
    format!("ref/{lane}/{number:010}.json")
}

/// The lane and number of a key.
fn parsed(key: &str) -> Option<(&str, u64)> {
    let (lane, name) = key.strip_prefix("ref/")?.rsplit_once('/')?;
    Some((lane, name.strip_suffix(".json")?.parse().ok()?))
}

/// A document as it was read, with its ETag. What is not whole any more was never kept.
fn read_kept(path: &Path) -> Option<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let tag = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let document = bytes[end + 1..].to_vec();
    document::opened::<serde_json::Value>(&document).ok()?;
    Some((tag, document))
}

impl Remote {
    /// A document, verified; none where it is not there. One that was read before is asked for by its ETag.
    pub(crate) async fn document<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let kept = self.kept.as_ref().map(|folder| folder.join(&BlobId::of(key.as_bytes()).to_string()[..32]));
        let before = kept.as_deref().and_then(read_kept);
        let tag = before.as_ref().map(|(tag, _)| tag.clone());
        match (self.get_if_changed(key, tag, SMALL).await?, before) {
            (None, _) => Ok(None),
            (Some(Fresh::Same), Some((_, bytes))) => self.read_document(key, &bytes).map(Some),
            (Some(Fresh::Same), None) => Err(self.corrupt(key, "is said to be what it was, which was not asked")),
            (Some(Fresh::Changed(bytes, tag)), _) => {
                let document = self.read_document(key, &bytes)?;
                if let (Some(path), Some(tag)) = (kept, tag) {
                    // it only saves a transfer: where it cannot be kept, it is read again
                    let _ = difftest_store::atomic::write(&path, &[tag.as_bytes(), b"\n", &bytes].concat());
                }
                Ok(Some(document))
            }
        }
    }

    pub(crate) fn read_document<T: serde::de::DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T, Error> {
        document::opened(bytes).map_err(|unusable| match unusable {
            Unusable::Damaged(reason) => self.corrupt(key, reason),
            Unusable::Newer(found) => {
                Error::Newer { remote: self.url().to_owned(), key: key.to_owned(), found, known: FORMAT }
            }
        })
    }

    /// The names of the lanes below `prefix` with the number of the newest entry of each; of the lane itself where it is one.
    pub(crate) async fn lanes(&self, prefix: &str) -> Result<Vec<(String, u64)>, Error> {
        let mut lanes: Vec<(String, u64)> = Vec::new();
        // sorted by name, and numbers are padded: the last of a lane is its newest
        for key in self.list_async(&folder(prefix)).await? {
            let Some((lane, number)) = parsed(&key) else { continue };
            match lanes.last_mut() {
                Some((last, newest)) if last == lane => *newest = number.max(*newest),
                _ => lanes.push((lane.to_owned(), number)),
            }
        }
        Ok(lanes)
    }

    /// An entry that the listing named.
    pub(crate) async fn pointer(&self, lane: &str, number: u64) -> Result<Option<Pointer>, Error> {
        let key = key(lane, number);
        let Some(pointer) = self.document::<Pointer>(&key).await? else { return Ok(None) };
        if pointer.lane != lane || pointer.number != number {
            return Err(self.corrupt(&key, format!("says that it is {}", self::key(&pointer.lane, pointer.number))));
        }
        Ok(Some(pointer))
    }

    pub(crate) async fn newest(&self, lane: &str) -> Result<Option<Pointer>, Error> {
        let Some((_, number)) = self.lanes(lane).await?.into_iter().find(|(name, _)| name == lane) else {
            return Ok(None);
        };
        match self.pointer(lane, number).await? {
            Some(pointer) => Ok(Some(pointer)),
            None => Err(self.missing(key(lane, number))),
        }
    }

    /// Appends to a lane. `next` is given the newest entry and answers with what to point to, or with nothing where that is so
    /// already; it is asked again each time that someone else was faster. The entry that stands in the end, and whether it is new.
    pub(crate) async fn append(
        &self,
        lane: &str,
        author: &Author,
        mut next: impl AsyncFnMut(Option<&Pointer>) -> Result<Option<BlobId>, Error>,
    ) -> Result<(Pointer, Put), Error> {
        let nonce = uuid::Uuid::now_v7().to_string();
        for attempt in 0..TRIES {
            let newest = self.newest(lane).await?;
            let Some(target) = next(newest.as_ref()).await? else {
                return newest.map(|pointer| (pointer, Put::There)).ok_or_else(|| self.missing(folder(lane)));
            };
            let pointer = Pointer {
                lane: lane.to_owned(),
                number: newest.as_ref().map_or(1, |newest| newest.number + 1),
                target,
                parent: newest.map(|newest| newest.target),
                nonce: nonce.clone(),
                by: author.by.clone(),
                at: author.at.clone(),
            };
            let key = key(lane, pointer.number);
            let bytes = document::sealed(&pointer).map_err(|error| self.corrupt(&key, error.to_string()))?;
            if self.put_new(&key, bytes).await? == Put::Made {
                return Ok((pointer, Put::Made));
            }
            // ours, whose answer got lost?
            if let Some(there) = self.pointer(lane, pointer.number).await?
                && there.nonce == nonce
            {
                return Ok((there, Put::Made));
            }
            tokio::time::sleep(Duration::from_millis(u64::from(10 * attempt.min(20)))).await;
        }
        Err(Error::Conflict {
            remote: self.url().to_owned(),
            what: folder(lane),
            reason: format!("others were faster {TRIES} times"),
        })
    }
}
