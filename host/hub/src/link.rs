//! Files by name: links to blobs, or the contents themselves where there are no links.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, Snapshot, beside};
use crate::error::Error;

impl Snapshot {
    /// Where the file at `path` lies, or would.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        path.split('/').fold(self.folder.clone(), |folder, part| folder.join(part))
    }
}

impl Cache {
    /// Gives the blob its name in the snapshot. `new`: nobody else uses the blob, so it may be moved where links do not work, as the
    /// Python client does it (Windows without developer mode).
    pub(crate) fn link(&self, snapshot: &Snapshot, path: &str, blob: &Path, new: bool) -> Result<(), Error> {
        let pointer = snapshot.file(path);
        if let Some(folder) = pointer.parent() {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        }
        let temporary = beside(&pointer);
        if !self.copies {
            let name = blob.file_name().unwrap_or_default();
            let up = "../".repeat(path.split('/').count() + 1);
            let target = Path::new(&up).join("blobs").join(name);
            if symlink(&target, &temporary).is_ok() {
                return fs::rename(&temporary, &pointer).map_err(Error::io("link", &pointer));
            }
        }
        let whole = if new { fs::rename(blob, &temporary) } else { fs::copy(blob, &temporary).map(drop) };
        whole.and_then(|()| fs::rename(&temporary, &pointer)).map_err(|source| {
            let _ = fs::remove_file(&temporary);
            Error::Io { action: "write", path: pointer, source }
        })
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
