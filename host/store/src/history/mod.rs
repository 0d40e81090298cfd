//! What every run of a project came to, in one SQLite file: `.difftest/history.db`.
//!
//! ```text
//! events --RunRecord::apply--> RunRecord --History::record--> history.db --> list, show, series, flaky, compare, export
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `record` | a run as the history keeps it: a fold over its events |
//! | `schema` | the tables, their migrations, opening |
//! | `write` | a record into the tables |
//! | `derive` | making it again from the recordings, setting a damaged file aside, forgetting runs |
//! | `read` | runs and what each came to |
//! | `series` | a metric over runs |
//! | `flaky` | same inputs, another outcome |
//! | `compare` | two runs, paired by prompt and seed |
//! | `past` | what led to a run |
//! | `export` | every score, a row each |
//!
//! # Invariants
//! 1. *Derived.* All of it comes from recordings (`runs/*/events.jsonl`) and can be made again from them. A run that could not be
//!    written into it (a full disk, a kill) is read from its recording by the next command that reads the history.
//! 2. *A union.* Rows are never changed. A run's name is unique; recording it again changes nothing, and recording runs in any order
//!    gives the same history: what [`History::export`] writes is byte-equal. Row numbers are local; "latest" is a question, not a row.
//! 3. *Never deleted.* An older file is migrated, version by version, in one transaction. A newer one is refused and left as it is. A
//!    damaged one is renamed, and a new one made of the recordings.
//! 4. *Never mixed.* Scores of different metric keys (variant, plugin, models, config, reference), of different environments, or over
//!    different images never share a line.
//! 5. *Ordered by name.* Runs sort by name; names are given so that a run comes after all that were there when it began, whatever the
//!    clock said. When it began by the clock is kept beside it.

mod compare;
mod derive;
mod error;
mod export;
mod flaky;
mod past;
mod read;
mod record;
mod schema;
mod series;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use compare::{Change, ChangedVerdict, Compared, Lost, MetricChange, NotCompared};
pub use derive::{CaughtUp, Pruned, Rebuilt};
pub use error::HistoryError;
pub use export::Format;
pub use flaky::{Flakes, FlakyImage, FlakyScore, FlakyTest};
pub use past::{Past, PastOf, PastPoint};
pub use read::{CaseRow, GateRow, MetricRow, RunDetail, RunRow, ScoreRow, SuiteRow, TestRow};
pub use record::RunRecord;
pub use schema::VERSION;
pub use series::{Filter, Known, Point, Series};

/// The file's name under the root.
pub const FILE: &str = "history.db";

/// The history of the project whose runs are kept under `root`.
#[derive(Debug)]
pub struct History {
    root: PathBuf,
    connection: Connection,
    /// What a person should know about how it was opened.
    notes: Vec<String>,
    /// Whether nothing can be written.
    read_only: bool,
}

impl History {
    /// Opens the history under `root` (such as `.difftest`) and makes it where there is none. A damaged one is set aside and made again from
    /// the recordings; [`History::notes`] says so. Where nothing can be written, one that is there is opened for reading.
    ///
    /// # Errors
    /// [`HistoryError`]: a newer version, a foreign file, no access.
    pub fn open(root: &Path) -> Result<Self, HistoryError> {
        match schema::open(&root.join(FILE)) {
            Ok((connection, read_only)) => Ok(Self { root: root.to_owned(), connection, notes: Vec::new(), read_only }),
            Err(error) if error.is_damage() => Self::heal(root, &error),
            Err(error) => Err(error),
        }
    }

    /// Whether there is a history under `root`, or runs it could be made of.
    #[must_use]
    pub fn is_there(root: &Path) -> bool {
        root.join(FILE).exists() || !crate::runs::names(root).is_empty()
    }

    /// What a person should know about how it was opened: a damaged file that was set aside.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether it can only be read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.root.join(FILE)
    }

    /// Keeps a run. `false`: it was there already, and nothing changed.
    ///
    /// # Errors
    /// When it cannot be written; then nothing of it is.
    pub fn record(&mut self, run: &RunRecord) -> Result<bool, HistoryError> {
        if self.read_only {
            return Err(HistoryError::ReadOnly(self.path()));
        }
        write::record(&mut self.connection, run).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::of(&self.path(), source)
    }
}
