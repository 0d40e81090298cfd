//! What was computed before: content-addressed images, and an index from keys to images, scores and judgements.
//!
//! ```text
//! .difftest/cache/
//!     images/aa/DIGEST.png       by the digest of size and pixels: equal images are one file
//!     embeddings/aa/KEY.bin      what text encoders made of prompts, by key, with a checksum
//!     latents/aa/KEY.bin         what decoders make images of, likewise
//!     index.db                   generation key -> image, scoring key -> score, case and environment -> last judgement
//!     lock                       shared by runs, held alone while files are deleted
//! ```
//!
//! Invariants:
//! - A row is written after the file that it names, and a file appears whole or not at all: whatever kills the program, what is
//!   found is true.
//! - What is not found is done again. So a file that is gone, cut short or changed, a row that cannot be read and a folder that
//!   cannot be written cost time, and never a wrong result: images are checked against their digest when they are read, other
//!   files and rows of the index against their checksum.
//! - Errors and scores that are not finite are never kept.
//! - No time of any file decides anything. The times in the index are told to people, and say what was not used for long.
//! - Several runs may use one folder at once: the index is in WAL mode, and files that appear twice are the same file.
//!
//! | file | holds |
//! |---|---|
//! | `index` | the database: opening, migrating, setting aside what is broken |
//! | `rows` | what is in its tables, read and written |
//! | `files` | images, embeddings, latents |
//! | `sweep` | deleting: limits on size and age |
//! | `check` | every file read again |

mod check;
mod files;
mod index;
mod rows;
mod sweep;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub use self::check::{Bad, Checked};
pub use self::files::Sort;
pub use self::index::VERSION;
pub use self::rows::{Judged, Look, Made, Scored};
pub use self::sweep::{Contents, Limits, Swept, sweep_runs};
use crate::atomic::WriteError;

/// Name of the folder inside of the store's.
pub const FOLDER: &str = "cache";

/// What was computed before, open for reading and, where the folder allows it, for writing.
pub struct Cache {
    root: PathBuf,
    index: Mutex<Connection>,
    trouble: Mutex<Trouble>,
    /// Held as long as this lives; `None` where nothing can be written.
    _lock: Option<File>,
}

/// What keeps the cache from being used.
#[derive(Default)]
struct Trouble {
    /// Nothing is written any more.
    read_only: bool,
    /// Not told yet.
    untold: Vec<String>,
}

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It was written by a later difftest, which may have changed what things mean.
    #[error("{} has format {found}, and this difftest knows formats up to {VERSION}", path.display())]
    Newer {
        /// The index.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The index cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The index.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A folder or file cannot be made or read.
    #[error(transparent)]
    Files(#[from] WriteError),
    /// Somebody else uses it.
    #[error("a run is using {}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The index cannot be asked.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The index.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl CacheError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Newer { .. } => Some(
                "use that difftest, or run with `--no-cache`, or move the folder away: all of it can be computed again"
                    .into(),
            ),
            Self::InUse { .. } => Some("wait for its end".into()),
            Self::Files(error) => error.hint(),
            Self::Open { .. } | Self::Read { .. } => {
                Some("check that the folder can be read and written, or run with `--no-cache`".into())
            }
        }
    }
}

impl Cache {
    /// The cache in `store`, the folder `.difftest` of a project, made where there is none. A folder that cannot be written is
    /// read only, and an index that is broken is set aside under another name: [`Cache::troubles`] says so.
    ///
    /// # Errors
    /// [`CacheError::Newer`], and when nothing can be opened at all.
    pub fn open(store: &Path) -> Result<Self, CacheError> {
        let root = store.join(FOLDER);
        let root = std::path::absolute(&root).unwrap_or(root);
        let (connection, mut trouble) = index::open(&root)?;
        let lock = match files::lock(&root) {
            Ok(lock) => Some(lock),
            Err(error) => {
                if !trouble.read_only {
                    trouble.read_only = true;
                    trouble.untold.push(nothing_kept(&error.to_string()));
                }
                None
            }
        };
        Ok(Self { root, index: Mutex::new(connection), trouble: Mutex::new(trouble), _lock: lock })
    }

    /// The cache in `store` for whoever only looks; `None` where there is none.
    ///
    /// # Errors
    /// [`CacheError::Newer`], and when it cannot be opened.
    pub fn look_at(store: &Path) -> Result<Option<Self>, CacheError> {
        let root = store.join(FOLDER);
        if !index::is_there(&root) {
            return Ok(None);
        }
        let root = std::path::absolute(&root).unwrap_or(root);
        let connection = index::open_to_read(&root)?;
        let trouble = Trouble { read_only: true, ..Trouble::default() };
        Ok(Some(Self { root, index: Mutex::new(connection), trouble: Mutex::new(trouble), _lock: None }))
    }

    /// A cache in which nothing is found, for whoever only wants to know what would be looked for in `store`.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn nothing(store: &Path) -> Result<Self, CacheError> {
        let root = store.join(FOLDER);
        let connection = index::in_memory(&root)?;
        let trouble = Trouble { read_only: true, ..Trouble::default() };
        Ok(Self { root, index: Mutex::new(connection), trouble: Mutex::new(trouble), _lock: None })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// What a person should be told about it, each once: nothing can be kept, the index was broken.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        std::mem::take(&mut self.trouble().untold)
    }

    /// Whether what is computed now can be kept.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !self.trouble().read_only
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Connection> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is kept; told once.
    fn give_up(&self, why: &str) {
        let mut trouble = self.trouble();
        if !trouble.read_only {
            trouble.read_only = true;
            trouble.untold.push(nothing_kept(why));
        }
    }
}

fn nothing_kept(why: &str) -> String {
    format!("nothing more is kept for later runs: {why}")
}

/// Seconds since 1970; 0 on a clock that is before it.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
