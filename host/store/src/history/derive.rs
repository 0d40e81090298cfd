//! The history made of recordings: what is missing is read, what is damaged is set aside, what is old is forgotten.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Transaction, TransactionBehavior, params};

use super::record::RunRecord;
use super::{FILE, History, HistoryError, schema, write};
use crate::atomic::WriteError;
use crate::events::{self, ReadError};
use crate::run_folder::RECORDING;
use crate::runs;

/// What was read of recordings that the history did not have.
#[derive(Debug, Default)]
pub struct CaughtUp {
    /// Runs that were added.
    pub added: usize,
    /// Recordings that cannot be read.
    pub unreadable: Vec<ReadError>,
}

/// What making it again came to.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Runs that were read from their recordings.
    pub read: usize,
    /// Runs that were kept as they were: their recordings are gone.
    pub kept: usize,
    /// Recordings that cannot be read; a run that the history had of one stays.
    pub unreadable: Vec<ReadError>,
}

/// What was forgotten, or would be.
#[derive(Debug, Default, serde::Serialize)]
pub struct Pruned {
    /// Runs, the oldest first.
    pub runs: Vec<String>,
    /// Their folders.
    pub folders: Vec<PathBuf>,
    /// Bytes in those.
    pub bytes: u64,
    /// Folders that stay, for a run is writing to them.
    pub busy: Vec<PathBuf>,
}

impl History {
    /// Reads every recording under the root that the history does not have: of runs that were killed, or that it could not take.
    ///
    /// # Errors
    /// When the history cannot be written. A recording that cannot be read is told, and the others are read.
    pub fn catch_up(&mut self) -> Result<CaughtUp, HistoryError> {
        let mut caught = CaughtUp::default();
        let recorded = runs::names(&self.root);
        let known = self.names()?;
        for name in recorded.iter().filter(|name| known.binary_search(name).is_err()) {
            let folder = self.root.join("runs").join(name);
            if self.read_only || is_going_on(&folder) {
                continue;
            }
            match read(&folder) {
                Ok(run) => caught.added += usize::from(self.record(&run)?),
                Err(error) => caught.unreadable.push(error),
            }
        }
        Ok(caught)
    }

    /// Reads every recording again, and those in `folders`, and puts what they tell in place of what the history has of those runs.
    /// Runs whose recordings are gone stay as they are.
    ///
    /// # Errors
    /// When the history cannot be written; then it is as it was.
    pub fn rebuild(&mut self, folders: &[PathBuf]) -> Result<Rebuilt, HistoryError> {
        let mut rebuilt = Rebuilt::default();
        let before = self.names()?;
        let path = self.path();
        if self.read_only {
            return Err(HistoryError::ReadOnly(path));
        }
        let runs = runs::names(&self.root).into_iter().map(|name| self.root.join("runs").join(name));
        let folders: Vec<PathBuf> = runs.chain(folders.iter().cloned()).filter(|folder| !is_going_on(folder)).collect();
        let mut again = || -> rusqlite::Result<usize> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut replaced = 0;
            for folder in &folders {
                match read(folder) {
                    Ok(run) => {
                        replaced += usize::from(forget(&transaction, run.name())?);
                        rebuilt.read += usize::from(write::insert(&transaction, &run)?);
                    }
                    Err(error) => rebuilt.unreadable.push(error),
                }
            }
            sweep(&transaction)?;
            transaction.commit()?;
            Ok(replaced)
        };
        let replaced = again().map_err(|source| HistoryError::of(&path, source))?;
        rebuilt.kept = before.len().saturating_sub(replaced);
        Ok(rebuilt)
    }

    /// Forgets all runs but the last `keep`: deletes their folders with images and recordings and, unless `scores` are to stay, what the
    /// history has of them. A dry run only says what that would be.
    ///
    /// # Errors
    /// When a folder cannot be deleted or the history cannot be written.
    pub fn prune(&mut self, keep: usize, scores: bool, dry_run: bool) -> Result<Pruned, HistoryError> {
        let mut all = self.names()?;
        all.extend(runs::names(&self.root));
        all.sort_unstable();
        all.dedup();
        all.truncate(all.len().saturating_sub(keep));
        let mut pruned = Pruned::default();
        for name in all {
            let folder = self.root.join("runs").join(&name);
            let there = folder.join(RECORDING).is_file();
            if there && is_going_on(&folder) {
                pruned.busy.push(folder);
                continue;
            }
            if there {
                pruned.bytes += bytes(&folder);
                if !dry_run {
                    fs::remove_dir_all(&folder).map_err(|error| WriteError::new("delete", &folder, error))?;
                }
                pruned.folders.push(folder);
            }
            if there || !scores {
                pruned.runs.push(name);
            }
        }
        if dry_run || scores || pruned.runs.is_empty() {
            return Ok(pruned);
        }
        if self.read_only {
            return Err(HistoryError::ReadOnly(self.path()));
        }
        self.forget_all(&pruned.runs).map_err(|source| self.failed(source))?;
        Ok(pruned)
    }

    fn forget_all(&mut self, names: &[String]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for name in names {
            forget(&transaction, name)?;
        }
        sweep(&transaction)?;
        transaction.commit()?;
        self.connection.execute_batch("VACUUM")
    }

    /// Sets a damaged file aside and makes a new one of the recordings. Of several processes that find the damage, one does that.
    ///
    /// # Errors
    /// When the file cannot be renamed, or a new one cannot be written.
    pub fn heal(root: &Path, damage: &HistoryError) -> Result<Self, HistoryError> {
        let path = root.join(FILE);
        let lock = root.join("history.lock");
        let fail = |action, source| WriteError::new(action, &path, source);
        let held = File::create(&lock).and_then(|file| file.lock().map(|()| file)).map_err(|e| fail("lock", e))?;
        if let Ok((connection, read_only)) = schema::open(&path) {
            let check = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
            if read_only || check.is_ok_and(|answer| answer == "ok") && !matches!(damage, HistoryError::Newer { .. }) {
                return Ok(Self { root: root.to_owned(), connection, notes: Vec::new(), read_only });
            }
        }
        let aside = (1..).map(|n| root.join(format!("history.damaged-{n}.db"))).find(|aside| !aside.exists());
        let aside = aside.unwrap_or_else(|| root.join("history.damaged.db"));
        fs::rename(&path, &aside).map_err(|e| fail("set aside", e))?;
        for end in ["-wal", "-shm"] {
            let of = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
            // They belong to the damaged file; most often there are none.
            let _ = fs::rename(of(&path), of(&aside));
        }
        let (connection, read_only) = schema::open(&path)?;
        let mut history = Self { root: root.to_owned(), connection, notes: Vec::new(), read_only };
        let caught = history.catch_up()?;
        drop(held);
        history.notes.push(format!(
            "the history was damaged: {damage}. It is kept as {}, and a new one was made of {} recorded {}",
            aside.display(),
            caught.added,
            if caught.added == 1 { "run" } else { "runs" }
        ));
        Ok(history)
    }
}

/// The run in `folder`, from its recording.
fn read(folder: &Path) -> Result<RunRecord, ReadError> {
    let mut run = RunRecord::default();
    for event in events::read(folder)? {
        run.apply(&event?);
    }
    // One without any event has no name, and is none.
    if run.name().is_empty() { Err(ReadError::NotARecording(folder.join(RECORDING))) } else { Ok(run) }
}

/// Whether a run is writing to `folder`: it holds a lock as long as it lives.
fn is_going_on(folder: &Path) -> bool {
    let lock = File::open(folder.join(RECORDING)).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// Takes out what a run added; `false` where it is not there.
fn forget(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<bool> {
    for table in ["score", "execution", "gate", "run_test", "run_suite", "summary"] {
        let sql = format!("DELETE FROM {table} WHERE run = (SELECT id FROM run WHERE name = ?)");
        transaction.prepare_cached(&sql)?.execute(params![name])?;
    }
    Ok(transaction.prepare_cached("DELETE FROM run WHERE name = ?")?.execute(params![name])? > 0)
}

/// Takes out what no run refers to any more.
fn sweep(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "DELETE FROM sample WHERE id NOT IN (SELECT sample FROM execution);
         DELETE FROM prompt WHERE id NOT IN (SELECT prompt FROM sample);
         DELETE FROM image WHERE id NOT IN (SELECT image FROM execution WHERE image IS NOT NULL);
         DELETE FROM metric WHERE id NOT IN (SELECT metric FROM score) AND id NOT IN (SELECT metric FROM summary);
         DELETE FROM test WHERE id NOT IN (SELECT test FROM run_test);
         DELETE FROM setup WHERE id NOT IN (SELECT setup FROM run_test);
         DELETE FROM suite WHERE id NOT IN (SELECT suite FROM run_suite);
         DELETE FROM environment WHERE id NOT IN (SELECT environment FROM run_suite);
         DELETE FROM model WHERE id NOT IN (SELECT model FROM run_suite);",
    )
}

/// Bytes of all files in `folder`; links are not followed.
fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |file| file.len()),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}
