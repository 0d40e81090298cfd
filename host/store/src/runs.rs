//! The runs of a project, found by name.
//!
//! Names sort by time, so the last one is the latest: whoever names a run gives it a name after all that are there.

use std::fs;
use std::path::{Path, PathBuf};

use difftest_core::nearest::nearest;

use crate::run_folder::RECORDING;

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
            Self::Ambiguous { .. } => "give more letters of its name".into(),
        }
    }
}

/// The names of the recorded runs under `root` (such as `.difftest`), the oldest first. None where there is no such folder.
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
    let names = names(root);
    if names.is_empty() {
        return Err(ResolveError::NoRuns(root.join("runs")));
    }
    Ok(root.join("runs").join(pick(&names, text)?))
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
