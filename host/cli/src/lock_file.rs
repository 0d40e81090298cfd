//! `difftest.lock` of the working folder: read, written, and when a command keeps to it.

use std::path::Path;
use std::{env, fs, io};

use difftest_plugin::Registry;
use difftest_plugin::lock::{FILE, Lock};
use difftest_store::atomic;

use crate::args::plugin::Pinning;
use crate::error::CliError;

/// The lock; one that pins nothing where there is no file.
pub(crate) fn read() -> Result<Lock, CliError> {
    let path = Path::new(FILE);
    match fs::read_to_string(path) {
        Ok(text) => Lock::parse(path, &text).map_err(|errors| CliError::Suites(vec![errors])),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::missing(path)),
        Err(error) => Err(CliError::new("lock", format!("{FILE} cannot be read: {error}"))
            .hint("take back what changed it, or delete it and write it anew with `difftest plugin lock`")),
    }
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
    if asked.no_locked || !(asked.locked || in_ci()) {
        return Ok(registry);
    }
    Ok(registry.with_lock(read()?))
}

/// Every CI service sets `CI`; people set it to `false` or `0` to switch such things off.
fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}
