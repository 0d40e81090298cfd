//! Images by their pixels, embeddings of prompts and latents by key.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::generate::{Intermediate, Intermediates};

use super::Cache;
use crate::atomic::{self, WriteError};

/// Bytes of the checksum that what is kept by key begins with.
const CHECKSUM: usize = blake3::OUT_LEN;

/// What is kept by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// What a text encoder makes of a text.
    Embeddings,
    /// What a decoder makes an image of.
    Latents,
}

impl Sort {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Embeddings, Self::Latents];

    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Latents => "latents",
        }
    }

    fn of(what: &Intermediate) -> (Self, String) {
        match what {
            Intermediate::Embedding(key) => (Self::Embeddings, key.to_string()),
            Intermediate::Latents(key) => (Self::Latents, key.to_string()),
        }
    }
}

pub(super) const IMAGES: &str = "images";

/// Takes a share of the folder's lock.
pub(super) fn lock(root: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(root.join("lock"))?;
    file.lock_shared()?;
    Ok(file)
}

/// Takes the folder's lock alone; `None` while anybody else has a share.
pub(super) fn lock_alone(root: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(root.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

impl Cache {
    /// Where the image with this digest lies, if it does.
    #[must_use]
    pub fn image_path(&self, image: &Digest) -> PathBuf {
        let name = image.to_string();
        self.folder().join(IMAGES).join(&name[..2]).join(format!("{name}.png"))
    }

    /// Whether the image is there in its full length. What is in it is only known when it is read.
    #[must_use]
    pub fn has_image(&self, image: &Digest, bytes: u64) -> bool {
        fs::metadata(self.image_path(image)).is_ok_and(|file| file.is_file() && file.len() == bytes)
    }

    /// Keeps an image, whatever lay in its place before; answers where. `None` where nothing can be kept.
    pub fn keep_image(&self, image: &Digest, png: &[u8]) -> Option<PathBuf> {
        if !self.is_writable() {
            return None;
        }
        let path = self.image_path(image);
        match atomic::write(&path, png) {
            Ok(()) => {
                protect(&path);
                Some(path)
            }
            Err(error) => {
                self.give_up(&error.to_string());
                None
            }
        }
    }

    /// Lets `path` be the image too: another name of the same file, or a copy where that cannot be.
    ///
    /// # Errors
    /// When the image is not there, or nothing can be written.
    pub fn link_image(&self, image: &Digest, path: &Path) -> Result<(), WriteError> {
        let from = self.image_path(image);
        if let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            fs::create_dir_all(folder).map_err(|error| WriteError::new("make the folder", folder, error))?;
        }
        if fs::hard_link(&from, path).is_ok() {
            return Ok(());
        }
        let content = fs::read(&from).map_err(|error| WriteError::new("read", &from, error))?;
        atomic::write(path, &content)
    }

    /// What was kept under `key`, if it is as it was.
    #[must_use]
    pub fn blob(&self, sort: Sort, key: &str) -> Option<Vec<u8>> {
        let mut content = fs::read(self.blob_path(sort, key)).ok()?;
        is_whole(&content).then(|| content.split_off(CHECKSUM))
    }

    /// Keeps `content` under `key`.
    pub fn keep_blob(&self, sort: Sort, key: &str, content: &[u8]) {
        if !self.is_writable() {
            return;
        }
        let mut bytes = blake3::hash(content).as_bytes().to_vec();
        bytes.extend_from_slice(content);
        if let Err(error) = atomic::write(&self.blob_path(sort, key), &bytes) {
            self.give_up(&error.to_string());
        }
    }

    /// Where a generator may keep what it computes on the way; it finds those of earlier runs where `look` says so.
    #[must_use]
    pub fn intermediates(self: &Arc<Self>, look: bool) -> Arc<dyn Intermediates> {
        Arc::new(Shared { cache: Arc::clone(self), look })
    }

    fn blob_path(&self, sort: Sort, key: &str) -> PathBuf {
        let shard = key.get(..2).unwrap_or("00");
        self.folder().join(sort.folder()).join(shard).join(format!("{key}.bin"))
    }
}

/// The cache as a generator sees it.
struct Shared {
    cache: Arc<Cache>,
    look: bool,
}

impl Intermediates for Shared {
    fn find(&self, what: &Intermediate) -> Option<Vec<u8>> {
        let (sort, key) = Sort::of(what);
        self.look.then(|| self.cache.blob(sort, &key)).flatten()
    }

    fn keep(&self, what: &Intermediate, content: &[u8]) {
        let (sort, key) = Sort::of(what);
        self.cache.keep_blob(sort, &key, content);
    }
}

/// Whether a kept file is what its checksum says.
pub(super) fn is_whole(content: &[u8]) -> bool {
    content.split_at_checked(CHECKSUM).is_some_and(|(sum, rest)| blake3::hash(rest).as_bytes() == sum)
}

/// The same file has other names, in the folders of runs: whoever writes through one of those would change it everywhere.
#[cfg(unix)]
fn protect(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    // It can only cost work when that fails: images are checked when they are read.
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o444));
}

#[cfg(not(unix))]
fn protect(_: &Path) {}
