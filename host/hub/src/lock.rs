//! One writer for each blob, whatever program it is: `flock` on the file that the Python client locks too.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;

/// A lock that is held until it is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct Lock(Option<File>);

impl Lock {
    /// Takes the lock; `waiting` is called once where somebody else holds it.
    pub(crate) fn take(path: &Path, waiting: impl FnOnce()) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        }
        let mut options = OpenOptions::new();
        // the file stays where it is: removing it would split those who wait among two files
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // as Python does it: caches are shared among the users of a group
            options.mode(0o664);
        }
        let file = options.open(path).map_err(Error::io("open", path))?;
        let unsupported = |error: &std::io::Error| error.kind() == ErrorKind::Unsupported;
        match file.try_lock() {
            Ok(()) => return Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => waiting(),
            Err(TryLockError::Error(error)) if unsupported(&error) => return Ok(Self(None)),
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        }
        file.lock().map_err(Error::io("lock", path))?;
        Ok(Self(Some(file)))
    }

    /// Whether the file system has locks at all. Where it has none, each process writes to a file of its own.
    pub(crate) fn holds(&self) -> bool {
        self.0.is_some()
    }
}
