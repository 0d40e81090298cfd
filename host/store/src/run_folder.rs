//! One folder a run.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::atomic::{self, WriteError};

/// Where runs go when `--artifacts` is not given, under the working directory.
pub const DEFAULT_ROOT: &str = ".difftest";

/// The recording in the folder of a run.
pub const RECORDING: &str = "events.jsonl";
/// The results' name in a run's folder.
pub const RESULTS: &str = "results.json";
const IMAGES: &str = "images";

/// The folder of the run that is going on, locked as long as this lives (a kill unlocks it).
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    events: File,
}

impl RunFolder {
    /// Makes `ROOT/runs/RUN` under the working directory, with a `.gitignore` beside it so that nobody commits images by accident.
    ///
    /// # Errors
    /// [`WriteError`] when the folder cannot be made.
    pub fn create_default(run: &str) -> Result<Self, WriteError> {
        let root = Path::new(DEFAULT_ROOT);
        make_root(root)?;
        Self::create(&root.join("runs").join(run))
    }

    /// Makes the folder `path` and starts its recording. An earlier run in it is replaced as a whole; a folder with anything else
    /// in it is refused, and so is one that another run is writing to.
    ///
    /// # Errors
    /// [`WriteError`] when the folder cannot be made, written to, or is not free.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let fail = |action, source| WriteError::new(action, path, source);
        fs::create_dir_all(path).map_err(|e| fail("make the folder", e))?;
        let path = std::path::absolute(path).map_err(|e| fail("find", e))?;
        let recording = path.join(RECORDING);
        if !is_recording(&recording) && fs::read_dir(&path).map_err(|e| fail("read", e))?.next().is_some() {
            let reason = "it has files in it that are not of an earlier run: name another folder, or an empty one";
            return Err(fail("keep the run in", io::Error::new(io::ErrorKind::DirectoryNotEmpty, reason)));
        }
        let events = File::options().create(true).truncate(false).write(true).open(&recording);
        let events = events.map_err(|e| WriteError::new("write", &recording, e))?;
        events.try_lock().map_err(|locked| match locked {
            TryLockError::WouldBlock => {
                let reason = "another run is writing to it: name another folder, or wait for its end";
                fail("keep the run in", io::Error::new(io::ErrorKind::ResourceBusy, reason))
            }
            TryLockError::Error(error) => WriteError::new("lock", &recording, error),
        })?;
        for old in [path.join(RESULTS), path.join(IMAGES)] {
            let removed = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(WriteError::new("replace", &old, error));
                }
                _ => {}
            }
        }
        events.set_len(0).map_err(|e| WriteError::new("write", &recording, e))?;
        Ok(Self { path, events })
    }

    /// Where the results go when the run has ended.
    #[must_use]
    pub fn results_path(&self) -> PathBuf {
        self.path.join(RESULTS)
    }

    /// Where every event of the run is recorded.
    #[must_use]
    pub fn recording_path(&self) -> PathBuf {
        self.path.join(RECORDING)
    }

    /// The folder itself, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one event as a line of JSON. A line is written with one call, so a kill leaves whole lines and at most one torn at
    /// the end.
    ///
    /// # Errors
    /// [`WriteError`] when the disk does not take it.
    pub fn record(&mut self, event: &impl Serialize) -> Result<(), WriteError> {
        let fail = |source| WriteError::new("write", &self.path.join(RECORDING), source);
        let mut line = serde_json::to_vec(event).map_err(|e| fail(io::Error::other(e)))?;
        line.push(b'\n');
        self.events.write_all(&line).map_err(fail)
    }

    /// Appends events that are all there already, with few calls.
    ///
    /// # Errors
    /// As [`RunFolder::record`].
    pub fn record_all<'e, E: Serialize + 'e>(
        &mut self,
        events: impl IntoIterator<Item = &'e E>,
    ) -> Result<(), WriteError> {
        let fail = |source| WriteError::new("write", &self.path.join(RECORDING), source);
        let mut lines = io::BufWriter::with_capacity(1 << 20, &mut self.events);
        for event in events {
            serde_json::to_writer(&mut lines, event).map_err(|e| fail(e.into()))?;
            lines.write_all(b"\n").map_err(fail)?;
        }
        lines.flush().map_err(fail)
    }
}

/// Makes the folder of a project, with a `.gitignore` in it.
///
/// # Errors
/// [`WriteError`] when it cannot be made.
pub fn make_root(root: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(root).map_err(|e| WriteError::new("make the folder", root, e))?;
    let ignore = root.join(".gitignore");
    if ignore.exists() {
        return Ok(());
    }
    atomic::write(&ignore, b"# Runs of difftest: images, recordings and what is made of them.\n*\n")
}

/// Whether difftest wrote the file: it begins with an event, or the run was killed before its first.
fn is_recording(path: &Path) -> bool {
    const BEGIN: &[u8] = b"{\"event\":";
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGIN.len() as u64).read_to_end(&mut head));
    read.is_ok() && (head.is_empty() || head == BEGIN)
}

/// Where the image of a case goes: `ROOT/images/SUITE/NNNN-NAME.png`, with names reduced to letters, digits, `.`, `_`, `=` and `-`.
#[must_use]
pub fn image_path(root: &Path, suite: &str, case: usize, name: &str) -> PathBuf {
    root.join(IMAGES).join(file_name(suite, 60)).join(format!("{case:04}-{}.png", file_name(name, 100)))
}

/// A name that every file system takes: other characters become `-`, runs of them one, and it ends after `limit`.
pub(crate) fn file_name(text: &str, limit: usize) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '=') { c } else { '-' };
        if name.len() < limit && !(c == '-' && name.ends_with('-')) {
            name.push(c);
        }
    }
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "unnamed".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn file_names_are_tame() {
        assert_eq!(file_name("colours[color=red,seed=42]", 100), "colours-color=red-seed=42");
        assert_eq!(file_name("../../etc/passwd", 100), "etc-passwd");
        assert_eq!(file_name("💥", 100), "unnamed");
        assert_eq!(file_name(&"a".repeat(500), 100).len(), 100);
    }

    #[test]
    fn records_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = RunFolder::create(&dir.path().join("r")).unwrap();
        folder.record(&serde_json::json!({ "event": "a\nb" })).unwrap();
        folder.record_all(&[serde_json::json!({ "event": "c" })]).unwrap();
        let text = fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn an_earlier_run_is_replaced_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let first = RunFolder::create(&path).unwrap();
        atomic::write(&image_path(first.path(), "s", 0, "a"), b"png").unwrap();
        assert!(RunFolder::create(&path).unwrap_err().to_string().contains("another run"));
        drop(first);
        let second = RunFolder::create(&path).unwrap();
        assert!(!second.path().join(IMAGES).exists());

        let foreign = dir.path().join("mine");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("results.json"), "mine").unwrap();
        assert!(RunFolder::create(&foreign).unwrap_err().to_string().contains("not of an earlier run"));
        fs::write(foreign.join("events.jsonl"), "{\"time\": 1}\n").unwrap();
        assert!(RunFolder::create(&foreign).unwrap_err().to_string().contains("not of an earlier run"));
        assert_eq!(fs::read(foreign.join("results.json")).unwrap(), b"mine");
    }

    #[test]
    fn a_file_in_the_way_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("taken");
        fs::write(&file, "x").unwrap();
        let error = RunFolder::create(&file).unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
    }
}
