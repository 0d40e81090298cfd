//! The tables, and how a file comes to have them.
//!
//! What occurs again and again (a case, a prompt, an image, a metric) is a row with a small number, and what a run adds refers to those
//! numbers: a score is about 20 bytes. Tables of a run have the run first in their key, so that a new run is appended and an old one
//! is read in one go. `summary` has the mean of each test beside the scores it is the mean of, the metric first: a metric over all
//! runs is one short range of it, however many images there are.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::HistoryError;
use crate::database::{Marks, write_ahead};
use crate::run_folder::make_root;

/// Version of the tables: how many migrations have been applied.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// `dfTh`: says whose file it is.
const APPLICATION: i64 = 0x6466_5468;

/// How long a command waits for another's write.
const PATIENCE: Duration = Duration::from_secs(20);

/// From each version to the next, in order. What is here once is never changed; what changes is added.
const MIGRATIONS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Opens `path` to write, and makes it where it is not there; for reading alone (`true`) where it is there and cannot be written.
pub(super) fn open(path: &Path) -> Result<(Connection, bool), HistoryError> {
    let fail = |source| HistoryError::of(path, source);
    let to_write = || -> Result<Connection, HistoryError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            make_root(folder)?;
        }
        let mut connection =
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).map_err(fail)?;
        migrate(&mut connection, path, &MIGRATIONS)?;
        Ok(connection)
    };
    match to_write() {
        Err(error) if refused(&error) && path.exists() => {
            let connection = open_to_read(path).map_err(|_| error)?;
            match version(&connection, path, VERSION)? {
                VERSION => Ok((connection, true)),
                _ => Err(HistoryError::ReadOnly(path.to_owned())),
            }
        }
        opened => opened.map(|connection| (connection, false)),
    }
}

/// Whether an error says that nothing can be written there.
fn refused(error: &HistoryError) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    match error {
        HistoryError::Database { source, .. } => {
            matches!(source.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
        }
        HistoryError::Files(_) => true,
        _ => false,
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// As it stands, where even the files that SQLite keeps beside it cannot be made.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let plain = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if plain.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).is_ok() {
        return Ok(plain);
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    connect(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

/// The version of a file, which is not above `newest`; 0 for one that is empty. Changes nothing.
fn version(connection: &Connection, path: &Path, newest: i64) -> Result<i64, HistoryError> {
    let marks = Marks::read(connection).map_err(|source| HistoryError::of(path, source))?;
    if marks.application != APPLICATION {
        return if marks.is_new() { Ok(0) } else { Err(HistoryError::Foreign(path.to_owned())) };
    }
    let found = marks.version;
    if found > newest {
        return Err(HistoryError::Newer { path: path.to_owned(), found });
    }
    Ok(found)
}

/// Applies the migrations that the file does not have yet: all of them or none.
fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), HistoryError> {
    let fail = |source| HistoryError::of(path, source);
    let newest = migrations.len() as i64;
    let found = version(connection, path, newest)?;
    write_ahead(connection, PATIENCE).map_err(fail)?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
    if found == newest {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    // Another process may have been first.
    let found = version(&transaction, path, newest)?;
    for migration in &migrations[found.max(0) as usize..] {
        transaction.execute_batch(migration).map_err(fail)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(fail)?;
    transaction.pragma_update(None, "user_version", newest).map_err(fail)?;
    transaction.commit().map_err(fail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    /// What a later version could add.
    const LATER: &str = "ALTER TABLE run ADD COLUMN note TEXT; CREATE TABLE more (id INTEGER PRIMARY KEY);";

    fn open_as(path: &Path, migrations: &[&str]) -> Result<Connection, HistoryError> {
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).unwrap();
        migrate(&mut connection, path, migrations)?;
        Ok(connection)
    }

    #[test]
    fn an_older_file_is_migrated_with_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        let old = open_as(&path, &MIGRATIONS[..1]).unwrap();
        old.execute("INSERT INTO run (name, started, difftest, folder) VALUES ('r', 's', 'd', 'f')", []).unwrap();
        drop(old);
        let new = open_as(&path, &[MIGRATIONS[0], MIGRATIONS[1], LATER, "DELETE FROM more"]).unwrap();
        let row = new.query_row("SELECT name, note FROM run", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        });
        assert_eq!(row.unwrap(), ("r".to_owned(), None));
        assert_eq!(version(&new, &path, 4).unwrap(), 4);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_older_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        drop(open_as(&path, &MIGRATIONS).unwrap());
        assert!(open_as(&path, &[MIGRATIONS[0], MIGRATIONS[1], LATER, "CREATE TABLE run (id)"]).is_err());
        let (connection, _) = open(&path).unwrap();
        let added = connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'more'", [], |row| row.get::<_, i64>(0));
        assert_eq!(added.unwrap(), 0, "not half of it");
    }

    #[test]
    fn a_newer_file_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        drop(open_as(&path, &[MIGRATIONS[0], MIGRATIONS[1], LATER]).unwrap());
        let before = fs::read(&path).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, HistoryError::Newer { found: 3, .. }), "{error}");
        assert!(error.hint().unwrap().contains("update difftest"));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn the_database_of_another_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(open(&path).unwrap_err(), HistoryError::Foreign(_)));
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
