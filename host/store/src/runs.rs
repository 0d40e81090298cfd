//! The runs of a project, found by name.
//!
//! Names sort by time, so the last one is the latest: whoever names a run gives it a name after all that are there. A run that is kept
//! in another folder (`--artifacts`) leaves a note, `runs/RUN.elsewhere`, so that it is not passed over for an older one.

use std::fs;
use std::path::{Path, PathBuf};

use difftest_core::event::Event;
use difftest_core::nearest::nearest;

use crate::atomic::{self, WriteError};
use crate::events;
use crate::run_folder::{RECORDING, make_root};

/// Ending of the note that says where a run is kept.
const ELSEWHERE: &str = ".elsewhere";

/// Why a text names no run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// There is no run at all.
    #[error("there is no recorded run in {}", .0.display())]
    NoRuns(PathBuf),
    /// No run is called so.
    #[error("no run is called `{text}`")]
    Unknown {
        /// What was asked for.
        text: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// It was kept elsewhere, and is not there any more.
    #[error("the run {run} was kept in {}, and that folder {}", .folder.display(), if *.replaced { "holds another run now" } else { "is gone" })]
    Gone {
        /// Its name.
        run: String,
        /// Where it was.
        folder: PathBuf,
        /// Whether another run is there.
        replaced: bool,
    },
    /// Several are.
    #[error("`{text}` is the beginning of {count} runs: {}", shown(.examples, *.count))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The latest of them.
        examples: Vec<String>,
        /// How many they are.
        count: usize,
    },
}

fn shown(examples: &[String], count: usize) -> String {
    let more = if count > examples.len() { ", ..." } else { "" };
    format!("{}{more}", examples.join(", "))
}

impl ResolveError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoRuns(_) => "begin with `difftest run`; other folders are named by their path".into(),
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::Unknown { .. } => "`difftest history list` shows the runs; `latest` and `latest~1` work too".into(),
            Self::Gone { .. } => "name another run: `difftest history list` shows them".into(),
            Self::Ambiguous { .. } => "give more letters of its name".into(),
        }
    }
}

/// Notes that the run `run` of the project with this `root` is kept in `folder`. What an earlier run has noted of the same folder is
/// forgotten: it has been replaced.
///
/// # Errors
/// [`WriteError`] when that cannot be written.
pub fn note_elsewhere(root: &Path, run: &str, folder: &Path) -> Result<(), WriteError> {
    make_root(root)?;
    let runs = root.join("runs");
    if folder.parent().is_some_and(|parent| fs::canonicalize(parent).ok() == fs::canonicalize(&runs).ok()) {
        return Ok(());
    }
    for earlier in noted(root) {
        let note = note_of(root, &earlier);
        if fs::read_to_string(&note).is_ok_and(|at| Path::new(&at) == folder) {
            fs::remove_file(&note).map_err(|error| WriteError::new("delete", &note, error))?;
        }
    }
    atomic::write(&note_of(root, run), folder.to_string_lossy().as_bytes())
}

fn note_of(root: &Path, run: &str) -> PathBuf {
    root.join("runs").join(format!("{run}{ELSEWHERE}"))
}

fn noted(root: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(root.join("runs")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(ELSEWHERE).map(str::to_owned))
}

/// [`names`], with those of runs that are kept elsewhere.
#[must_use]
pub fn all_names(root: &Path) -> Vec<String> {
    let mut names = names(root);
    names.extend(noted(root));
    names.sort_unstable();
    names.dedup();
    names
}

/// Where the run is kept that is called `run`.
fn folder_of(root: &Path, run: &str) -> Result<PathBuf, ResolveError> {
    let own = root.join("runs").join(run);
    let Some(folder) = fs::read_to_string(note_of(root, run)).ok().filter(|_| !own.join(RECORDING).is_file()) else {
        return Ok(own);
    };
    let folder = PathBuf::from(folder);
    let first = events::read(&folder).ok().and_then(|mut events| events.next()?.ok());
    match first {
        Some(Event::RunStarted { run: there, .. }) if there == run => Ok(folder),
        first => Err(ResolveError::Gone { run: run.to_owned(), folder, replaced: first.is_some() }),
    }
}

/// The names of the recorded runs in `root` (such as `.difftest`), the oldest first. None where there is no such folder.
#[must_use]
pub fn names(root: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.join("runs")) else { return Vec::new() };
    let recorded = entries.flatten().filter(|entry| entry.path().join(RECORDING).is_file());
    let mut names: Vec<_> = recorded.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// The folder of the run that `text` names: a name or the beginning of one, also of its last part (`4f1c` of `20261121-093000-4f1c2a`),
/// `latest`, `latest~N` for the Nth before it, or the path of a folder with a recording.
///
/// # Errors
/// [`ResolveError`] where that is none, or more than one.
pub fn resolve(root: &Path, text: &str) -> Result<PathBuf, ResolveError> {
    let path = Path::new(text);
    if path.join(RECORDING).is_file() {
        return Ok(path.to_owned());
    }
    let names = all_names(root);
    if names.is_empty() {
        return Err(ResolveError::NoRuns(root.join("runs")));
    }
    folder_of(root, pick(&names, text)?)
}

/// The one of `names`, which are sorted and not empty, that `text` names.
///
/// # Errors
/// [`ResolveError::Unknown`] and [`ResolveError::Ambiguous`].
pub fn pick<'a>(names: &'a [String], text: &str) -> Result<&'a str, ResolveError> {
    let unknown = |nearest| ResolveError::Unknown { text: text.to_owned(), nearest };
    if let Some(back) = back(text) {
        let index = back.and_then(|back| names.len().checked_sub(back.checked_add(1)?));
        return index.map(|index| names[index].as_str()).ok_or_else(|| unknown(None));
    }
    if let Some(name) = names.iter().find(|name| *name == text) {
        return Ok(name);
    }
    let last_part = |name: &str| name.rsplit('-').next().is_some_and(|part| part.starts_with(text));
    let found: Vec<&String> = names.iter().filter(|name| name.starts_with(text) || last_part(name)).collect();
    match found[..] {
        [] => Err(unknown(nearest(text, names.iter().map(String::as_str)).map(ToOwned::to_owned))),
        [name] => Ok(name),
        _ => {
            let examples = found.iter().rev().take(5).map(ToString::to_string).collect();
            Err(ResolveError::Ambiguous { text: text.to_owned(), examples, count: found.len() })
        }
    }
}

/// `latest` is 0 back, `latest~2` is 2; the inner `None` is a number that is none. The outer one is another kind of name.
fn back(text: &str) -> Option<Option<usize>> {
    match text.strip_prefix("latest")? {
        "" => Some(Some(0)),
        rest => Some(rest.strip_prefix('~')?.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_run_that_is_kept_elsewhere_is_the_latest_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (root, art) = (dir.path().join("store"), dir.path().join("art"));
        let record = |folder: &Path, run: &str| {
            fs::create_dir_all(folder).unwrap();
            let event = Event::RunStarted {
                version: difftest_core::event::VERSION,
                difftest: "0".into(),
                run: run.into(),
                started: "2026-01-01T00:00:00Z".into(),
                folder: folder.to_owned(),
                suites: 0,
                cases: 0,
                commit: None,
                label: None,
            };
            fs::write(folder.join(RECORDING), serde_json::to_string(&event).unwrap() + "\n").unwrap();
        };
        record(&root.join("runs/a"), "a");
        record(&art, "b");
        note_elsewhere(&root, "b", &art).unwrap();
        assert_eq!(resolve(&root, "latest").unwrap(), art);
        assert_eq!(resolve(&root, "latest~1").unwrap(), root.join("runs/a"));
        assert_eq!(names(&root), ["a"], "its recording is not here");
        // The same folder for the next run.
        record(&art, "c");
        note_elsewhere(&root, "c", &art).unwrap();
        assert_eq!(all_names(&root), ["a", "c"]);
        assert_eq!(resolve(&root, "c").unwrap(), art);
        // And for one of another project.
        record(&art, "d");
        assert!(matches!(resolve(&root, "latest"), Err(ResolveError::Gone { replaced: true, .. })));
        fs::remove_dir_all(&art).unwrap();
        let gone = resolve(&root, "latest").unwrap_err();
        assert!(gone.to_string().contains("is gone"), "never an older one instead: {gone}");
    }

    #[test]
    fn runs_are_found_by_name_beginning_age_and_path() {
        let dir = tempfile::tempdir().unwrap();
        let runs = ["20260101-000000-aaaaaa", "20260102-000000-abbbbb", "20260102-000001-cccccc"];
        assert!(matches!(resolve(dir.path(), "latest"), Err(ResolveError::NoRuns(_))));
        for run in runs {
            let folder = dir.path().join("runs").join(run);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(RECORDING), "").unwrap();
        }
        fs::create_dir(dir.path().join("runs/20270101-000000-dddddd")).unwrap();
        let found =
            |text: &str| resolve(dir.path(), text).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(found("latest").unwrap(), runs[2]);
        assert_eq!(found("latest~0").unwrap(), runs[2]);
        assert_eq!(found("latest~2").unwrap(), runs[0]);
        assert_eq!(found("20260101").unwrap(), runs[0]);
        assert_eq!(found("ab").unwrap(), runs[1]);
        assert_eq!(found("cccccc").unwrap(), runs[2]);
        assert!(matches!(found("a"), Err(ResolveError::Ambiguous { count: 2, .. })));
        assert!(matches!(found("20260102"), Err(ResolveError::Ambiguous { count: 2, .. })));
        for unknown in ["latest~3", "latest~x", "latest~18446744073709551615", "../runs", "zzz"] {
            assert!(matches!(found(unknown), Err(ResolveError::Unknown { .. })), "{unknown}");
        }
        let typo = found("20260101-000000-aaaaab").unwrap_err();
        assert_eq!(typo.hint(), "did you mean `20260101-000000-aaaaaa`?");
        let path = dir.path().join("runs").join(runs[0]);
        assert_eq!(resolve(Path::new("elsewhere"), path.to_str().unwrap()).unwrap(), path);
    }
}
