//! The layout of the cache, which is the Python client's:
//!
//! ```text
//! CACHEDIR.TAG                                   backups leave the folder out
//! .locks/models--ORG--NAME/DIGEST.lock           who writes a blob holds this
//! models--ORG--NAME/
//!   blobs/DIGEST                                 contents; may itself be a link into a store that Python shares among models
//!   blobs/DIGEST.incomplete                      what an interrupted download left
//!   snapshots/COMMIT/PATH -> ../../blobs/DIGEST  files by name; copies where there are no links
//!   refs/REVISION                                the commit that a branch or tag named when it was last asked
//!   .no_exist/COMMIT/PATH                        empty: the commit has no such file
//! ```

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::Error;
use crate::id::{ModelId, is_commit};

/// As the Python client writes it: the first line is what programs look for.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by difftest.\n\
    # For information about cache directory tags, see https://bford.info/cachedir/\n";

/// The cache.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    pub(crate) root: PathBuf,
    /// Copies instead of links.
    pub(crate) copies: bool,
}

/// A folder with files of a model at one commit. It may hold some of the commit's files only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The model, as it was asked for.
    pub id: ModelId,
    /// The commit.
    pub commit: String,
    /// The folder: `models--ORG--NAME/snapshots/COMMIT`.
    pub folder: PathBuf,
}

impl Snapshot {
    /// The files that are there, with their lengths; paths with `/`, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn files(&self) -> Result<Vec<(String, u64)>, Error> {
        let mut found = Vec::new();
        walk(&self.folder, "", &mut found).map_err(Error::io("read", &self.folder))?;
        found.sort();
        Ok(found)
    }
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<(String, u64)>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), found)?;
        } else if let Ok(file) = fs::metadata(entry.path()) {
            // a link to nothing is not there
            found.push((name, file.len()));
        }
    }
    Ok(())
}

impl Cache {
    pub(crate) fn model(&self, id: &ModelId) -> PathBuf {
        self.root.join(id.folder())
    }

    pub(crate) fn blob(&self, id: &ModelId, name: &str) -> PathBuf {
        self.model(id).join("blobs").join(name)
    }

    pub(crate) fn lock(&self, id: &ModelId, name: &str) -> PathBuf {
        self.root.join(".locks").join(id.folder()).join(format!("{name}.lock"))
    }

    pub(crate) fn snapshot(&self, id: &ModelId, commit: &str) -> Snapshot {
        let folder = self.model(id).join("snapshots").join(commit);
        Snapshot { id: id.clone(), commit: commit.to_owned(), folder }
    }

    /// The snapshot that the revision named when it was last asked, where its folder is there.
    pub(crate) fn find(&self, id: &ModelId) -> Option<Snapshot> {
        let commit = match id.commit() {
            Some(commit) => commit.to_owned(),
            None => fs::read_to_string(self.reference(id)).ok()?.trim().to_owned(),
        };
        Some(self.snapshot(id, &commit)).filter(|snapshot| is_commit(&snapshot.commit) && snapshot.folder.is_dir())
    }

    /// Remembers which commit the revision names, where it is not a commit itself.
    pub(crate) fn remember(&self, id: &ModelId, commit: &str) -> Result<(), Error> {
        let path = self.reference(id);
        if id.commit().is_some() || fs::read_to_string(&path).is_ok_and(|known| known == commit) {
            return Ok(());
        }
        replace(&path, commit.as_bytes())
    }

    fn reference(&self, id: &ModelId) -> PathBuf {
        id.revision().split('/').fold(self.model(id).join("refs"), |path, part| path.join(part))
    }

    /// Remembers that the commit has no such file: the Python client then does not ask for it.
    pub(crate) fn remember_absence(&self, id: &ModelId, commit: &str, path: &str) {
        let marker = path.split('/').fold(self.model(id).join(".no_exist").join(commit), |path, part| path.join(part));
        // a note for others: nothing here depends on it
        let _ = marker.parent().map(fs::create_dir_all);
        let _ = fs::OpenOptions::new().create(true).append(true).open(marker);
    }

    /// Makes the folders of a model's blobs, and the tag that keeps the cache out of backups.
    pub(crate) fn prepare(&self, id: &ModelId) -> Result<(), Error> {
        let blobs = self.model(id).join("blobs");
        fs::create_dir_all(&blobs).map_err(Error::io("make the folder", &blobs))?;
        let tag = self.root.join("CACHEDIR.TAG");
        if !tag.exists() {
            // good for backups only
            let _ = fs::write(tag, TAG);
        }
        Ok(())
    }
}

/// Writes a small file whole or not at all.
fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = beside(path);
    let write = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::File::create(&temporary)?.write_all(content)?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&temporary);
        Error::Io { action: "write", path: path.to_owned(), source }
    })
}

/// A name of its own in the same folder.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", &Uuid::now_v7().simple().to_string()[20..]));
    path.with_file_name(name)
}
