//! What a repository has at a commit.

use difftest_core::digest::Digest;
use serde::Deserialize;

use crate::content::Content;
use crate::error::Error;
use crate::id::{ModelId, is_commit};

/// Every file of a repository at one commit.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The model, as it was asked for.
    pub id: ModelId,
    /// The commit that its revision names now.
    pub commit: String,
    /// Its files, sorted by path. No path leads out of a folder that they are written into.
    pub files: Vec<RemoteFile>,
    /// Which of the hub's endpoints answered.
    pub(crate) endpoint: usize,
}

/// A file on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Path in the repository, with `/`.
    pub path: String,
    /// Length in bytes, where the listing says it.
    pub size: Option<u64>,
    /// What its content is named by, where the listing says it.
    pub content: Option<Content>,
}

/// The parts of `/api/models/ORG/NAME/revision/REVISION?blobs=true` that are used.
#[derive(Deserialize)]
struct Answer {
    sha: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    #[serde(alias = "oid")]
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    pub(crate) fn parse(id: &ModelId, host: &str, endpoint: usize, body: &[u8]) -> Result<Self, Error> {
        let protocol = |reason: String| Error::Protocol { host: host.to_owned(), reason };
        let answer: Answer =
            serde_json::from_slice(body).map_err(|error| protocol(format!("its list of files is broken: {error}")))?;
        let commit = answer.sha.filter(|sha| is_commit(sha)).ok_or_else(|| protocol("it names no commit".into()))?;
        let mut files = Vec::with_capacity(answer.siblings.len());
        for Sibling { rfilename: path, size, blob_id, lfs } in answer.siblings {
            if !is_safe(&path) {
                return Err(Error::UnsafePath { model: id.to_string(), path });
            }
            let large = lfs.as_ref().and_then(|lfs| lfs.sha256.as_deref()?.parse::<Digest>().ok()).map(Content::Sha256);
            // the id in git of a large file is that of a pointer to it
            let content = if lfs.is_some() { large } else { blob_id.as_deref().and_then(Content::parse) };
            files.push(RemoteFile { path, size: lfs.and_then(|lfs| lfs.size).or(size), content });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self { id: id.clone(), commit, files, endpoint })
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&RemoteFile> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|at| &self.files[at])
    }
}

/// Whether a path with `/` stays inside the folder that it is joined to, on every system.
fn is_safe(path: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']) && !has_controls(part);
    path.len() <= 1024 && path.split('/').all(plain) && (cfg!(unix) || !path.contains(':'))
}

fn has_controls(part: &str) -> bool {
    part.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const COMMIT: &str = "71153311d3dbb46851df1931d3ca6e939de83304";

    fn parse(siblings: &str) -> Result<Listing, Error> {
        let body = format!(r#"{{"id":"a/b","sha":"{COMMIT}","gated":"auto","siblings":{siblings}}}"#);
        Listing::parse(&"a/b".parse().unwrap(), "hub.example", 0, body.as_bytes())
    }

    #[test]
    fn small_and_large_files_bring_their_digests() {
        let listing = parse(
            r#"[
            {"rfilename":"unet/w.safetensors","size":134,"blobId":"1111111111111111111111111111111111111111",
             "lfs":{"sha256":"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03","size":6,"pointerSize":134}},
            {"rfilename":"a.json","size":2,"blobId":"ce013625030ba8dba906f756967f9e9ca394464a","lfs":null},
            {"rfilename":"bare"}]"#,
        )
        .unwrap();
        assert_eq!(listing.commit, COMMIT);
        let large = listing.file("unet/w.safetensors").unwrap();
        assert!(large.size == Some(6) && matches!(large.content, Some(Content::Sha256(_))));
        assert!(matches!(listing.file("a.json").unwrap().content, Some(Content::Git(_))));
        assert_eq!(listing.file("bare").unwrap(), &RemoteFile { path: "bare".into(), size: None, content: None });
        assert_eq!(listing.file("b"), None);
    }

    #[test]
    fn paths_that_lead_out_are_refused_with_everything_beside_them() {
        for path in ["../x", "a/../../x", "/etc/passwd", "a//b", ".", "a/./b", "a\\\\..\\\\b", "a\\u0000b", "a\\nb"] {
            let siblings = format!(r#"[{{"rfilename":"model_index.json"}},{{"rfilename":"{path}"}}]"#);
            assert!(matches!(parse(&siblings), Err(Error::UnsafePath { .. })), "{path}");
        }
        assert!(parse(r#"[{"rfilename":".gitattributes"},{"rfilename":"a..b/c...d"}]"#).is_ok());
    }

    #[test]
    fn what_is_no_listing_is_said_to_be_none() {
        let id = "a/b".parse().unwrap();
        for body in ["<html>", "{}", r#"{"sha":"main"}"#, r#"{"sha":"../../x"}"#, "[]"] {
            assert!(matches!(Listing::parse(&id, "h", 0, body.as_bytes()), Err(Error::Protocol { .. })), "{body}");
        }
    }
}
