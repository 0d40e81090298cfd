//! What can be wrong with the history.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::schema::VERSION;
use crate::runs::ResolveError;

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A later difftest wrote it.
    #[error("{} was written by a newer difftest: version {found}, and this one knows up to {VERSION}; it is left as it is", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// Another program's database.
    #[error("{} is a database of another program; it is left as it is", .0.display())]
    Foreign(PathBuf),
    /// Nothing can be written.
    #[error("cannot write {}: it can only be read", .0.display())]
    ReadOnly(PathBuf),
    /// SQLite's answer.
    #[error("cannot use the history {}: {}", path.display(), reason(source))]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A file could not be moved, read or deleted.
    #[error(transparent)]
    Files(#[from] crate::atomic::WriteError),
    /// A text names no run.
    #[error(transparent)]
    NoRun(#[from] ResolveError),
    /// No score was ever kept under this name.
    #[error("the history has no metric `{name}`")]
    NoMetric {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// What was read could not be handed on.
    #[error("cannot write the rows: {0}")]
    Output(std::io::Error),
}

/// SQLite's message in words of this program where it has better ones.
fn reason(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full".into(),
        Some(ErrorCode::ReadOnly) => "it can only be read".into(),
        Some(ErrorCode::CannotOpen) => "it cannot be opened or made there".into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another difftest has been writing for too long".into()
        }
        _ => error.to_string(),
    }
}

impl HistoryError {
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        Self::Database { path: path.to_owned(), source }
    }

    /// Whether the file is not, or no longer, what was written.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            // tables that are not there, although the version says so
            || matches!(source, rusqlite::Error::SqliteFailure(_, Some(text)) if text.starts_with("no such table") || text.starts_with("no such column"))
            || matches!(source, rusqlite::Error::SqlInputError { msg, .. } if msg.starts_with("no such table") || msg.starts_with("no such column"))
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Newer { .. } => "update difftest, or rename the file: a new one is made from the recordings".into(),
            Self::Foreign(_) => "rename the file: a new one is made from the recordings".into(),
            Self::ReadOnly(_) | Self::Database { .. } => {
                "check that the disk has room and the folder can be written; the recordings are untouched, and the history catches up from them".into()
            }
            Self::Files(error) => return error.hint(),
            Self::NoRun(error) => error.hint(),
            Self::NoMetric { name, known } => {
                difftest_core::nearest::did_you_mean(name, known.iter().map(String::as_str), "it has")
            }
            Self::Output(_) => return None,
        })
    }
}
