//! `difftest.lock` of the working folder: read, written, and when a command keeps to it.

use std::io::Read as _;
use std::path::Path;
use std::{fs, io};

use difftest_plugin::Registry;
use difftest_plugin::lock::{FILE, Lock};
use difftest_store::atomic;

use crate::args::plugin::Pinning;
use crate::environment;
use crate::error::CliError;

/// The largest lock that is read: some thousand plugins.
const MOST: u64 = 1 << 20;

/// The lock; one that pins nothing where there is no file.
pub(crate) fn read() -> Result<Lock, CliError> {
    let path = Path::new(FILE);
    match text(path) {
        Ok(text) => Lock::parse(path, &text).map_err(|errors| CliError::Suites(vec![errors])),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(Lock::missing(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(CliError::new("lock", format!("{FILE} is a symbolic link to a file that is not there"))
                .hint("remove the link, or put the file where it points"))
        }
        Err(error) => Err(CliError::new("lock", format!("{FILE} cannot be read: {error}"))
            .hint("take back what changed it, or delete it and write it anew with `difftest plugin lock`")),
    }
}

fn text(path: &Path) -> io::Result<String> {
    let too_large = || io::Error::other(format!("it is larger than {MOST} bytes"));
    let file = fs::File::open(path)?;
    if file.metadata()?.len() > MOST {
        return Err(too_large());
    }
    let mut text = String::new();
    // One byte more than is allowed: what is no regular file has no length.
    if file.take(MOST + 1).read_to_string(&mut text)? as u64 > MOST { Err(too_large()) } else { Ok(text) }
}

/// Writes it whole; a file that says the same already is left alone.
pub(crate) fn write(lock: &Lock) -> Result<(), CliError> {
    let text = lock.render();
    if fs::read_to_string(FILE).is_ok_and(|there| there == text) {
        return Ok(());
    }
    Ok(atomic::write(Path::new(FILE), text.as_bytes())?)
}

/// `registry`, kept to the lock where that was asked for, or where this is CI and nothing was asked for.
pub(crate) fn keep(registry: Registry, asked: Pinning) -> Result<Registry, CliError> {
    if asked.no_locked || !(asked.locked || environment::in_ci()) {
        return Ok(registry);
    }
    Ok(registry.with_lock(read()?))
}
