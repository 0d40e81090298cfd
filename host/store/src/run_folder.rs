//! One folder a run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::atomic::{self, WriteError};

/// Where runs go when `--artifacts` is not given, under the working directory.
pub const DEFAULT_ROOT: &str = ".difftest";

/// The folder of the run that is going on.
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
        fs::create_dir_all(root).map_err(|e| WriteError::new("make the folder", root, e))?;
        let ignore = root.join(".gitignore");
        if !ignore.exists() {
            atomic::write(&ignore, b"# Runs of difftest: images and recordings, safe to delete.\n*\n")?;
        }
        Self::create(&root.join("runs").join(run))
    }

    /// Makes the folder `path` and starts its recording. Images of an earlier run into the same folder are replaced one by one.
    ///
    /// # Errors
    /// [`WriteError`] when the folder cannot be made or written to.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        fs::create_dir_all(path).map_err(|e| WriteError::new("make the folder", path, e))?;
        let path = std::path::absolute(path).map_err(|e| WriteError::new("find", path, e))?;
        let recording = path.join("events.jsonl");
        let events = File::create(&recording).map_err(|e| WriteError::new("write", &recording, e))?;
        Ok(Self { path, events })
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
        let fail = |source| WriteError::new("write", &self.path.join("events.jsonl"), source);
        let mut line = serde_json::to_vec(event).map_err(|e| fail(io::Error::other(e)))?;
        line.push(b'\n');
        self.events.write_all(&line).map_err(fail)
    }
}

/// Where the image of a case goes: `ROOT/images/SUITE/NNNN-NAME.png`, with names reduced to letters, digits, `.`, `_`, `=` and `-`.
#[must_use]
pub fn image_path(root: &Path, suite: &str, case: usize, name: &str) -> PathBuf {
    root.join("images").join(file_name(suite, 60)).join(format!("{case:04}-{}.png", file_name(name, 100)))
}

/// A name that every file system takes: other characters become `-`, runs of them one, and it ends after `limit`.
fn file_name(text: &str, limit: usize) -> String {
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
        folder.record(&serde_json::json!({ "event": "c" })).unwrap();
        let text = fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 2);
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
