//! Every file of a snapshot against the digest that its blob is named by.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cache::Snapshot;
use crate::content::Content;
use crate::error::Error;
use crate::hub::Hub;
use crate::listing::Listing;

/// A file that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Path in the repository.
    pub path: String,
    /// Bytes that are there.
    pub size: u64,
    /// What is wrong with it.
    pub damage: Option<Damage>,
}

/// Why a file of the cache is not to be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Damage {
    #[error("its content is {found}, and should be {expected}")]
    Content { expected: Content, found: Content },
    #[error("it is a link to nothing")]
    Dangling,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// A copy, as caches without links have them, and nobody says what it should be.
    #[error("it is a copy, and no listing says what it should be")]
    Unnamed,
}

impl Hub {
    /// Reads every file of the snapshot again. Copies are compared with `listing`, where there is one; links name their digest
    /// themselves. `step` is told each file before it is read.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn check(
        &self,
        snapshot: &Snapshot,
        listing: Option<&Listing>,
        step: &mut dyn FnMut(&str, u64),
    ) -> Result<Vec<Checked>, Error> {
        let mut paths = Vec::new();
        names(&snapshot.folder, "", &mut paths).map_err(Error::io("read", &snapshot.folder))?;
        paths.sort();
        let check = |path: String| {
            let file = snapshot.file(&path);
            let size = fs::metadata(&file).map_or(0, |file| file.len());
            step(&path, size);
            let named = blob_of(&file).and_then(|blob| Content::parse(blob.file_name()?.to_str()?));
            let expected = named.or_else(|| listing.and_then(|listing| listing.file(&path)?.content.clone()));
            Checked { damage: damage(&file, size, expected), path, size }
        };
        Ok(paths.into_iter().map(check).collect())
    }

    /// Takes a damaged file and its blob out of the cache, so that it is fetched again.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn discard(&self, snapshot: &Snapshot, path: &str) -> Result<(), Error> {
        let file = snapshot.file(path);
        let blob = blob_of(&file).filter(|blob| blob.starts_with(self.cache.model(&snapshot.id)));
        for path in blob.into_iter().chain([file]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a name in a snapshot links to.
fn blob_of(file: &Path) -> Option<PathBuf> {
    let target = fs::read_link(file).ok()?;
    let mut path = file.parent()?.to_owned();
    for part in target.components() {
        match part {
            std::path::Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    Some(path)
}

fn damage(file: &Path, size: u64, expected: Option<Content>) -> Option<Damage> {
    if !file.exists() {
        return Some(Damage::Dangling);
    }
    // Opening a pipe would wait for whoever writes into it.
    if !file.is_file() {
        return Some(Damage::Unreadable("it is not a regular file".to_owned()));
    }
    let Some(expected) = expected else { return Some(Damage::Unnamed) };
    match digest(file, &expected, size) {
        Err(error) => Some(Damage::Unreadable(error.to_string())),
        Ok(found) if found != expected => Some(Damage::Content { expected, found }),
        Ok(_) => None,
    }
}

fn digest(file: &Path, as_in: &Content, size: u64) -> std::io::Result<Content> {
    let mut file = File::open(file)?;
    let mut digester = as_in.begin(size);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digester.finish()),
            came => digester.update(&buffer[..came]),
        }
    }
}

/// Names in a snapshot, links to nothing included.
fn names(folder: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            names(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}
