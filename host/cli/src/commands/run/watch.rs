//! `difftest run --watch`: run again whenever a suite, a plugin or the lock file changes.
//!
//! What is watched is a few dozen files, so they are asked for length and time a few times a second. That costs less than a
//! millisecond, works on every file system, finds files that editors and cargo replace, and plugins that appear. A file whose bytes
//! are the same as before has not changed. Models stay open between runs; plugins are loaded anew, from compiled code where
//! their bytes are known.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use difftest_core::digest::Digest;
use difftest_plugin::discovery::{self, Source};
use difftest_plugin::lock;

use super::{CANCEL, Open, once, stop_on_ctrl_c};
use crate::args::{RunArgs, Selection};
use crate::environment;
use crate::error::{CliError, Exit};
use crate::suites;
use crate::ui::Ui;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(250);

/// How long nothing must change before a run begins: a compiler writes for a while, an editor several files.
const QUIET: Duration = Duration::from_millis(500);

/// Files larger than this are compared by length and time alone.
const HASHED: u64 = 128 << 20;

/// Runs until Ctrl-C. A run that cannot begin is told, and the next change tries again.
pub(super) fn watch(args: &RunArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    stop_on_ctrl_c()?;
    let open = Open::default();
    // A selection that names nothing at all will not get better by waiting.
    suites::files(&args.selection.suites, &args.selection.test_dir)?;
    loop {
        // What changes while a run is on its way begins the next one.
        let before = Files::look(&args.selection);
        let outcome = once(args, &open, ui);
        if CANCEL.interrupted() {
            return Ok(Exit::Interrupted);
        }
        if let Err(error) = outcome {
            error.report(ui);
        }
        ui.note(&format!("\nwatching {}; Ctrl-C ends", count(before.0.len())));
        let Some(changed) = next_change(&before, &args.selection) else { return Ok(Exit::Interrupted) };
        ui.note(&separator(&changed));
        CANCEL.begin_again();
    }
}

/// Waits until something changes and then nothing for a while. `None` is Ctrl-C.
fn next_change(before: &Files, selection: &Selection) -> Option<Vec<PathBuf>> {
    loop {
        let mut now = Files::look(selection);
        if now != *before {
            let mut quiet = Duration::ZERO;
            while quiet < QUIET {
                thread::sleep(EVERY);
                if CANCEL.interrupted() {
                    return None;
                }
                let later = Files::look_again(selection, &now);
                quiet = if later == now { quiet + EVERY } else { Duration::ZERO };
                now = later;
            }
            let changed = now.differences(before);
            if !changed.is_empty() {
                return Some(changed);
            }
        }
        thread::sleep(EVERY);
        if CANCEL.interrupted() {
            return None;
        }
    }
}

/// The files that a run depends on, as far as they are watched.
#[derive(Clone, Debug, Default)]
struct Files(BTreeMap<PathBuf, Stamp>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Of its bytes; `None` where it is not there or too large.
    digest: Option<Digest>,
}

/// Stamps are looked at quickly: the digests follow from them.
impl PartialEq for Files {
    fn eq(&self, other: &Self) -> bool {
        let quick = |files: &Self| -> Vec<_> {
            files.0.iter().map(|(path, stamp)| (path.clone(), stamp.length, stamp.modified)).collect()
        };
        quick(self) == quick(other)
    }
}

impl Files {
    fn look(selection: &Selection) -> Self {
        Self::look_again(selection, &Self::default())
    }

    /// As [`Files::look`]; bytes are only read where length or time differ from `known`.
    fn look_again(selection: &Selection, known: &Self) -> Self {
        Self(
            paths(selection)
                .into_iter()
                .map(|path| {
                    let stamp = Stamp::of(&path, known.0.get(&path));
                    (path, stamp)
                })
                .collect(),
        )
    }

    /// Files that came, went or have other bytes.
    fn differences(&self, before: &Self) -> Vec<PathBuf> {
        let all = self.0.keys().chain(before.0.keys().filter(|path| !self.0.contains_key(*path)));
        all.filter(|path| match (self.0.get(*path), before.0.get(*path)) {
            (Some(now), Some(then)) => match (now.digest, then.digest) {
                (Some(now), Some(then)) => now != then,
                _ => now != then,
            },
            _ => true,
        })
        .cloned()
        .collect()
    }
}

impl Stamp {
    fn of(path: &Path, known: Option<&Self>) -> Self {
        let metadata = fs::metadata(path).ok();
        let length = metadata.as_ref().map_or(0, fs::Metadata::len);
        let modified = metadata.and_then(|metadata| metadata.modified().ok());
        if let Some(known) = known.filter(|known| known.length == length && known.modified == modified) {
            return known.clone();
        }
        // A pipe would be waited for.
        let small = length <= HASHED && path.is_file();
        let digest = small.then(|| fs::read(path).ok()).flatten().map(|bytes| Digest::of(&bytes));
        Self { length, modified, digest }
    }
}

/// Suites, components and the lock file. What cannot be listed now may be there the next time.
fn paths(selection: &Selection) -> Vec<PathBuf> {
    let mut paths = suites::files(&selection.suites, &selection.test_dir).unwrap_or_else(|_| selection.suites.clone());
    let folders = environment::plugin_folders(&selection.plugins).unwrap_or_default();
    let found = discovery::discover(&folders).unwrap_or_default();
    for source in found.into_values().flatten() {
        match source {
            Source::File(path) | Source::Broken { manifest: path, .. } => paths.push(path),
            Source::Crate { built, .. } | Source::Python { built, .. } => paths.extend(built),
        }
    }
    paths.push(PathBuf::from(lock::FILE));
    paths
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// A line between two runs that says what changed.
fn separator(changed: &[PathBuf]) -> String {
    const SHOWN: usize = 3;
    let here = std::env::current_dir().unwrap_or_default();
    let shown = |path: &PathBuf| path.strip_prefix(&here).unwrap_or(path).display().to_string();
    let mut names = changed.iter().take(SHOWN).map(shown).collect::<Vec<_>>().join(", ");
    if changed.len() > SHOWN {
        let _ = write!(names, " and {} more", changed.len() - SHOWN);
    }
    let line = format!("---- changed: {names} ");
    format!("\n{line:-<80}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_with_the_same_bytes_has_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        let look = || Files([(path.clone(), Stamp::of(&path, None))].into());
        let absent = look();
        fs::write(&path, "one").unwrap();
        let first = look();
        assert_eq!(first.differences(&absent), [path.as_path()]);
        let later = SystemTime::now() + Duration::from_secs(5);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_ne!(look(), first);
        assert!(look().differences(&first).is_empty(), "only its time is another");
        fs::write(&path, "two").unwrap();
        assert_eq!(look().differences(&first), [path.as_path()]);
        fs::remove_file(&path).unwrap();
        assert_eq!(look().differences(&first), [path.as_path()]);
    }
}
