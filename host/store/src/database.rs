//! What the SQLite files of this crate have in common.

use rusqlite::Connection;

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
