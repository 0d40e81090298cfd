//! The database: opened, migrated, or set aside.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{CacheError, Trouble, nothing_kept};
use crate::database::{Marks, write_ahead};

/// Version of the tables; an index of a later one is refused.
pub const VERSION: i64 = 1;

/// `dfTc`: says whose file it is.
const APPLICATION: i64 = 0x6466_5463;

const INDEX: &str = "index.db";

/// How long a run waits for another's write.
const PATIENCE: Duration = Duration::from_secs(20);

/// One migration from each version to the next, in order.
const MIGRATIONS: [&str; VERSION as usize] = [
    // 0 -> 1
    "CREATE TABLE generation (
         key BLOB PRIMARY KEY, image TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL,
         attributes TEXT NOT NULL, warnings TEXT NOT NULL, seconds REAL NOT NULL, run TEXT NOT NULL, used INTEGER NOT NULL
     ) WITHOUT ROWID;
     CREATE INDEX generation_image ON generation (image);
     CREATE TABLE score (
         key BLOB PRIMARY KEY, score TEXT NOT NULL, seconds REAL NOT NULL, run TEXT NOT NULL, used INTEGER NOT NULL
     ) WITHOUT ROWID;
     CREATE TABLE judged (
         case_id TEXT NOT NULL, environment TEXT NOT NULL, inputs_key BLOB NOT NULL, inputs TEXT NOT NULL,
         verdict TEXT NOT NULL, run TEXT NOT NULL, seconds REAL NOT NULL, used INTEGER NOT NULL,
         PRIMARY KEY (case_id, environment)
     ) WITHOUT ROWID;",
];

/// Opens the index in `root`, or makes it.
pub(super) fn open(root: &Path) -> Result<(Connection, Trouble), CacheError> {
    let path = root.join(INDEX);
    let mut trouble = Trouble::default();
    let made = std::fs::create_dir_all(root);
    if let Err(error) = &made
        && !path.exists()
    {
        // Nothing to find and nowhere to keep: an index in memory serves this run.
        trouble.read_only = true;
        trouble.untold.push(nothing_kept(&format!("cannot make the folder {}: {error}", root.display())));
        return Ok((in_memory(&path)?, trouble));
    }
    match open_to_write(&path) {
        Ok(connection) => Ok((connection, trouble)),
        Err(CacheError::Open { source, .. }) if is_broken(&source) => {
            let aside = set_aside(&path)
                .map_err(|error| CacheError::Files(crate::atomic::WriteError::new("set aside", &path, error)))?;
            trouble.untold.push(format!(
                "the index of what was computed before is broken ({source}): it is kept as {}, and a new one is begun",
                aside.display()
            ));
            Ok((open_to_write(&path)?, trouble))
        }
        Err(CacheError::Open { source, .. }) => {
            trouble.read_only = true;
            trouble.untold.push(nothing_kept(&format!("cannot write {}: {source}", path.display())));
            let connection =
                if path.exists() { open_to_read(root).or_else(|_| in_memory(&path)) } else { in_memory(&path) };
            Ok((connection?, trouble))
        }
        Err(error) => Err(error),
    }
}

pub(super) fn is_there(root: &Path) -> bool {
    root.join(INDEX).exists()
}

/// How large the index is, with what belongs to it.
pub(super) fn bytes(root: &Path) -> u64 {
    let parts = ["", "-wal", "-shm"].map(|end| root.join(format!("{INDEX}{end}")));
    parts.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum()
}

/// Opens an index that is there, for reading. Where even the files beside it cannot be written it is read as it stands.
pub(super) fn open_to_read(root: &Path) -> Result<Connection, CacheError> {
    let path = root.join(INDEX);
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let attempt = |name: PathBuf, flags: OpenFlags| -> Result<Connection, rusqlite::Error> {
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    let fail = |source| CacheError::Open { path: path.clone(), source };
    let connection = match attempt(path.clone(), flags | OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Ok(connection) => connection,
        Err(_) => {
            let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let name = PathBuf::from(format!("file:{name}?immutable=1"));
            attempt(name, flags | OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail)?
        }
    };
    let found = version(&connection, &path)?;
    if found == VERSION {
        Ok(connection)
    } else if found > VERSION {
        Err(CacheError::Newer { path, found })
    } else {
        // Older and not migrated: nothing in it can be read yet.
        in_memory(&path)
    }
}

pub(super) fn in_memory(path: &Path) -> Result<Connection, CacheError> {
    let fail = |source| CacheError::Open { path: path.to_owned(), source };
    let mut connection = Connection::open_in_memory().map_err(fail)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

fn open_to_write(path: &Path) -> Result<Connection, CacheError> {
    let fail = |source| CacheError::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    let found = version(&connection, path)?;
    if found > VERSION {
        return Err(CacheError::Newer { path: path.to_owned(), found });
    }
    write_ahead(&connection, PATIENCE).map_err(fail)?;
    let settings = "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;";
    connection.execute_batch(settings).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(32);
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Version of the tables; a file of another program counts as broken.
fn version(connection: &Connection, path: &Path) -> Result<i64, CacheError> {
    let fail = |source| CacheError::Open { path: path.to_owned(), source };
    let marks = Marks::read(connection).map_err(fail)?;
    if marks.application == APPLICATION || marks.is_new() {
        return Ok(marks.version);
    }
    let foreign = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
    Err(fail(rusqlite::Error::SqliteFailure(foreign, Some("it is a database of another program".into()))))
}

/// From the version that is there to [`VERSION`], all or nothing; another process may do the same at once.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), CacheError> {
    let fail = |source| CacheError::Open { path: path.to_owned(), source };
    if version(connection, path)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    // Asked again: whoever had the lock before may have done it.
    let from = usize::try_from(version(&transaction, path)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(migration).map_err(fail)?;
    }
    let marks = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
    transaction.execute_batch(&marks).map_err(fail)?;
    transaction.commit().map_err(fail)
}

/// Whether the file is no index, as far as the error tells.
pub(super) fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Gives the index and what belongs to it another name, and answers which.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let name = |n: u32, end: &str| path.with_file_name(format!("index.broken-{n}.db{end}"));
    let free = (1..).find(|&n| !name(n, "").exists()).unwrap_or(0);
    for end in ["-wal", "-shm", ""] {
        let mut old = path.as_os_str().to_owned();
        old.push(end);
        match std::fs::rename(&old, name(free, end)) {
            // Another run may have been faster.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(name(free, ""))
}
