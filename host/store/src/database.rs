//! What the SQLite files of this crate have in common.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

/// What a database says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Whose it is; 0 where nobody has said so.
    pub(crate) application: i64,
    /// Version of its tables; 0 in a new file.
    pub(crate) version: i64,
    /// Tables and indexes.
    pub(crate) tables: i64,
}

impl Marks {
    /// Reads them in one statement: between two, another process that opens the same new file may have made its tables, which would
    /// then be nobody's.
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let all = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) \
                   FROM pragma_application_id, pragma_user_version";
        connection
            .query_row(all, [], |row| Ok(Self { application: row.get(0)?, version: row.get(1)?, tables: row.get(2)? }))
    }

    /// Whether nothing has been written yet.
    pub(crate) fn is_new(self) -> bool {
        self == Self { application: 0, version: 0, tables: 0 }
    }
}

/// Readers go on while a run is written, and a kill leaves the last whole write. SQLite does not wait by itself for others that open a
/// new file at the same time.
pub(crate) fn write_ahead(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let until = Instant::now() + patience;
    loop {
        let set = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match set {
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
                    && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            // A file system that cannot share memory keeps another mode, which is slower and as safe.
            set => return set.map(drop),
        }
    }
}
