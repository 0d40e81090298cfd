//! Folders with a history: baselines.
//!
//! A folder is pushed as a manifest of its files, and the lane's log is its history. What is pushed must build upon what is there, or
//! decisions of another person would vanish from sight: the folder's journal (`audit.jsonl`, which only ever grows) has to have every
//! line of the remote's. Where each side has lines that the other has not, the two have gone apart, and a person decides.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Progress;
use crate::error::Error;
use crate::file::{FileEntry, described};
use crate::log::{Author, Pointer};
use crate::store::{Put, Remote};

/// The file that tells what builds upon what.
const JOURNAL: &str = "audit.jsonl";

/// The most files a folder may have.
const MOST: usize = 200_000;

/// All of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    lane: String,
    /// By name.
    files: Vec<FileEntry>,
}

/// What a pull or a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// How many files there are.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Whether anything was changed: in the remote by a push, here by a pull.
    pub changed: bool,
    /// The entry that says so.
    pub pointer: Pointer,
}

/// How the two sides of a folder stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Same,
    /// This side has more.
    Ahead,
    /// The other side has more.
    Behind,
    /// Each has what the other has not.
    Apart,
}

/// Compares by files, then by the lines of the journals.
fn standing(same: bool, here: &[u8], there: &[u8]) -> Standing {
    let lines = |text: &[u8]| -> BTreeSet<Vec<u8>> {
        text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let (here, there) = (lines(here), lines(there));
    match (same, here.is_superset(&there), there.is_superset(&here)) {
        (true, ..) => Standing::Same,
        // different files under one history: changed by hand, on one side or the other
        (false, true, true) => Standing::Apart,
        (false, true, false) => Standing::Ahead,
        (false, false, true) => Standing::Behind,
        (false, false, false) => Standing::Apart,
    }
}

/// Every file below a folder but hidden ones, with `/`, in order.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = open.pop() {
        let fail = |source| Error::Local { action: "read", path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().into_string().map_err(|name| Error::Local {
                action: "push",
                path: folder.join(name),
                source: std::io::Error::other("its name is not UTF-8"),
            })?;
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type().map_err(fail)?;
            let (name, path) = (format!("{prefix}{name}"), entry.path());
            if kind.is_dir() {
                open.push((name + "/", path));
            } else if kind.is_file() {
                found.push((name, path));
            } else {
                let source = std::io::Error::other("it is neither a file nor a folder");
                return Err(Error::Local { action: "push", path, source });
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a path out of a manifest stays in its folder, on every system.
fn stays_inside(name: &str) -> bool {
    let tame =
        |part: Component<'_>| matches!(part, Component::Normal(part) if !part.to_string_lossy().starts_with('.'));
    !name.is_empty()
        && name.len() <= 1000
        && !name.contains(['\\', ':'])
        && !name.chars().any(char::is_control)
        && !name.split('/').any(str::is_empty)
        && Path::new(name).components().all(tame)
}

impl Remote {
    /// Puts a folder as the newest of its lane.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the remote has decisions that this folder does not have.
    pub fn push_folder(
        &self,
        lane: &str,
        folder: &Path,
        author: &Author,
        progress: Progress<'_>,
    ) -> Result<Synced, Error> {
        let found = files(folder)?;
        let total = found.iter().map(|(_, path)| std::fs::metadata(path).map_or(0, |file| file.len())).sum();
        self.runtime.block_on(async {
            let mut entries = Vec::new();
            for (name, path) in &found {
                entries.push(described(path, name)?);
            }
            let mine = Manifest { lane: lane.to_owned(), files: entries };
            // refused before anything is sent
            self.compared(lane, &mine, folder).await?;
            let mut done = 0;
            for ((name, path), entry) in found.iter().zip(&mine.files) {
                let mut sent = |bytes| {
                    done += bytes;
                    progress(done, total);
                };
                if self.put_file(path, name, &mut sent).await? != *entry {
                    let source = std::io::Error::other("it changed while it was pushed");
                    return Err(Error::Local { action: "push", path: path.clone(), source });
                }
            }
            let sealed = self.sealed(lane, &mine)?;
            let (target, _) = self.put_blob(sealed).await?;
            let next = async |newest: Option<&Pointer>| {
                let there = newest.map(|newest| newest.target);
                if there != Some(target) {
                    self.compared(lane, &mine, folder).await?;
                }
                Ok((there != Some(target)).then_some(target))
            };
            let (pointer, put) = self.append(lane, author, next).await?;
            let bytes = mine.files.iter().map(|file| file.size).sum();
            Ok(Synced { files: mine.files.len(), bytes, changed: put == Put::Made, pointer })
        })
    }

    /// Refuses to push where the remote is not behind.
    async fn compared(&self, lane: &str, mine: &Manifest, folder: &Path) -> Result<(), Error> {
        let Some((_, theirs)) = self.manifest(lane).await? else { return Ok(()) };
        let reason = match self.standing(mine, &theirs, folder).await? {
            Standing::Same | Standing::Ahead => return Ok(()),
            Standing::Behind => "it has decisions that are not here yet",
            Standing::Apart => "decisions were made there and here that the other side does not have",
        };
        Err(Error::Conflict { remote: self.url().to_owned(), what: lane.to_owned(), reason: reason.to_owned() })
    }

    async fn standing(&self, mine: &Manifest, theirs: &Manifest, folder: &Path) -> Result<Standing, Error> {
        let here = match std::fs::read(folder.join(JOURNAL)) {
            Ok(here) => here,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Error::Local { action: "read", path: folder.join(JOURNAL), source }),
        };
        let mut there = Vec::new();
        if let Some(journal) = theirs.files.iter().find(|file| file.name == JOURNAL) {
            for piece in &journal.pieces {
                there.extend(self.get_blob(*piece).await?);
            }
        }
        Ok(standing(mine.files == theirs.files, &here, &there))
    }

    /// The newest manifest of a lane.
    async fn manifest(&self, lane: &str) -> Result<Option<(Pointer, Manifest)>, Error> {
        let Some(pointer) = self.newest(lane).await? else { return Ok(None) };
        let manifest: Manifest = self.read_document(lane, &self.get_blob(pointer.target).await?)?;
        if manifest.lane != lane {
            return Err(self.corrupt(lane, format!("points to a manifest of {}", manifest.lane)));
        }
        if manifest.files.len() > MOST {
            return Err(self.corrupt(lane, format!("has more than {MOST} files")));
        }
        match manifest.files.iter().find(|file| !stays_inside(&file.name)) {
            Some(file) => Err(self.corrupt(lane, format!("has a file {:?}, which leads out of its folder", file.name))),
            None => Ok(Some((pointer, manifest))),
        }
    }

    /// The lanes of folders below `prefix`, such as `baseline/v1.0`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.runtime.block_on(self.lanes(prefix))?.into_iter().map(|(lane, _)| lane).collect())
    }

    /// Makes `folder` what its lane's newest entry says: a new folder is filled beside it, verified, and takes its place.
    ///
    /// # Errors
    /// [`Error::Missing`] where the remote has none, [`Error::Conflict`] where this folder has decisions that the remote does not have.
    pub fn pull_folder(&self, lane: &str, folder: &Path, progress: Progress<'_>) -> Result<Synced, Error> {
        self.runtime.block_on(async {
            let Some((pointer, theirs)) = self.manifest(lane).await? else { return Err(self.missing(lane)) };
            let bytes = theirs.files.iter().map(|file| file.size).sum();
            let mut synced = Synced { files: theirs.files.len(), bytes, changed: true, pointer };
            let mut mine = Manifest { lane: lane.to_owned(), files: Vec::new() };
            if folder.is_dir() {
                for (name, path) in files(folder)? {
                    mine.files.push(described(&path, &name)?);
                }
                let conflict = |reason: &str| {
                    let (remote, what) = (self.url().to_owned(), folder.display().to_string());
                    Err(Error::Conflict { remote, what, reason: reason.to_owned() })
                };
                match self.standing(&mine, &theirs, folder).await? {
                    Standing::Behind => {}
                    Standing::Same | Standing::Ahead => {
                        synced.changed = false;
                        return Ok(synced);
                    }
                    Standing::Apart if mine.files.is_empty() => {}
                    Standing::Apart => {
                        return conflict("this folder and the remote each have decisions that the other does not have");
                    }
                }
            }
            self.fill(&mine, &theirs, folder, bytes, progress).await?;
            Ok(synced)
        })
    }

    /// Fills a new folder beside `folder` and puts it in its place. What is here already is copied, not fetched.
    async fn fill(
        &self,
        mine: &Manifest,
        theirs: &Manifest,
        folder: &Path,
        total: u64,
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |source| Error::Local { action, path, source }
        };
        std::fs::create_dir_all(parent).map_err(fail("make the folder", parent))?;
        let fresh = tempfile::Builder::new().prefix(".difftest-pull-").tempdir_in(parent);
        let fresh = fresh.map_err(fail("make a folder in", parent))?;
        let new = fresh.path().join("new");
        std::fs::create_dir(&new).map_err(fail("make the folder", &new))?;
        let mut done = 0;
        for file in &theirs.files {
            let path = new.join(&file.name);
            if mine.files.contains(file) {
                let to = path.parent().unwrap_or(&new);
                std::fs::create_dir_all(to).map_err(fail("make the folder", to))?;
                std::fs::copy(folder.join(&file.name), &path).map_err(fail("write", &path))?;
                done += file.size;
                progress(done, total);
            } else {
                let mut came = |bytes| {
                    done += bytes;
                    progress(done, total);
                };
                self.get_file(file, &path, &mut came).await?;
            }
        }
        let old = fresh.path().join("old");
        if folder.exists() {
            std::fs::rename(folder, &old).map_err(fail("move aside", folder))?;
        }
        if let Err(source) = std::fs::rename(&new, folder) {
            // what was there comes back
            let _ = std::fs::rename(&old, folder);
            return Err(Error::Local { action: "put in place", path: folder.to_owned(), source });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere() {
        for bad in ["", "../a", "/a", "a/../b", "a//b", "C:/a", "a\\b", "./a", ".git/config", "a\nb"] {
            assert!(!stays_inside(bad), "{bad:?}");
        }
        for good in ["manifest.json", "suite/a-red circle-seed42.png", "ä/b=1.png"] {
            assert!(stays_inside(good), "{good:?}");
        }
    }

    #[test]
    fn the_journal_tells_who_is_ahead() {
        assert_eq!(standing(true, b"a\n", b"a\n"), Standing::Same);
        assert_eq!(standing(false, b"a\nb\n", b"a\n"), Standing::Ahead);
        assert_eq!(standing(false, b"a\n", b"b\na\n"), Standing::Behind);
        assert_eq!(standing(false, b"a\nb\n", b"a\nc\n"), Standing::Apart);
        assert_eq!(standing(false, b"a\n", b"a\n"), Standing::Apart);
    }
}
