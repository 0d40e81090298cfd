//! Blobs: bytes under their BLAKE3.

use std::fmt;

use difftest_core::digest::NotADigest;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::Progress;
use crate::error::Error;
use crate::store::{Put, Remote, TOGETHER};

/// The longest blob. Longer things are files, cut into blobs.
pub const LONGEST: u64 = 64 << 20;

/// The name of a blob: the BLAKE3 of its bytes, 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    pub(crate) fn finished(hasher: &blake3::Hasher) -> Self {
        Self(*hasher.finalize().as_bytes())
    }

    pub(crate) fn key(&self) -> String {
        let name = self.to_string();
        format!("cas/b3/{}/{name}", &name[..2])
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for BlobId {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let hash = blake3::Hash::from_hex(text).map_err(|_| NotADigest)?;
        if lower { Ok(Self(*hash.as_bytes())) } else { Err(NotADigest) }
    }
}

impl serde::Serialize for BlobId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for BlobId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Remote {
    /// Puts a blob. One of that name that is there already is success where it has the right length, and damage where not.
    pub(crate) async fn put_blob(&self, bytes: Vec<u8>) -> Result<(BlobId, Put), Error> {
        let id = BlobId::of(&bytes);
        let (key, length) = (id.key(), bytes.len() as u64);
        // asking first saves sending: most of what is pushed is there
        let there = match self.size(&key).await? {
            None => match self.put_new(&key, bytes).await? {
                Put::Made => return Ok((id, Put::Made)),
                Put::There => self.size(&key).await?.unwrap_or(length),
            },
            Some(there) => there,
        };
        if there == length {
            Ok((id, Put::There))
        } else {
            Err(self.corrupt(&key, format!("is {there} bytes long, and should be {length}")))
        }
    }

    /// The bytes of a blob, verified.
    pub(crate) async fn get_blob(&self, id: BlobId) -> Result<Vec<u8>, Error> {
        let key = id.key();
        let Some(bytes) = self.get(&key, LONGEST).await? else { return Err(self.missing(format!("blob {key}"))) };
        if BlobId::of(&bytes) == id { Ok(bytes) } else { Err(self.corrupt(&key, "is not what its name says")) }
    }

    /// Puts blobs, several at a time, in no order; how many were not there before. `read` gives the bytes of the n-th.
    ///
    /// # Errors
    /// The first of any, of `read` too.
    pub fn put_blobs(
        &self,
        count: usize,
        read: impl Fn(usize) -> Result<Vec<u8>, Error>,
        progress: Progress<'_>,
    ) -> Result<usize, Error> {
        self.runtime.block_on(async {
            let mut puts = futures_util::stream::iter(0..count)
                .map(|n| {
                    let bytes = read(n);
                    async move { self.put_blob(bytes?).await }
                })
                .buffer_unordered(TOGETHER);
            let (mut done, mut made) = (0, 0);
            while let Some((_, put)) = puts.try_next().await? {
                done += 1;
                made += usize::from(put == Put::Made);
                progress(done, count as u64);
            }
            Ok(made)
        })
    }

    /// Gets blobs, several at a time and verified, each given to `keep` with its place in `ids`.
    ///
    /// # Errors
    /// The first of any, of `keep` too.
    pub fn get_blobs(
        &self,
        ids: &[BlobId],
        mut keep: impl FnMut(usize, Vec<u8>) -> Result<(), Error>,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        self.runtime.block_on(async {
            let mut gets = futures_util::stream::iter(ids.iter().enumerate())
                .map(|(n, id)| async move { Ok::<_, Error>((n, self.get_blob(*id).await?)) })
                .buffer_unordered(TOGETHER);
            let mut done = 0;
            while let Some((n, bytes)) = gets.try_next().await? {
                keep(n, bytes)?;
                done += 1;
                progress(done, ids.len() as u64);
            }
            Ok(())
        })
    }
}
