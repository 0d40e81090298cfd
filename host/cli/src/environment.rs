//! What the commands take from their surroundings: plugin folders and core counts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::CliError;

/// The plugin folders that were named, or `plugins` where that is a folder.
pub(crate) fn plugin_folders(named: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let default = Path::new("plugins");
    if let Some(missing) = named.iter().find(|path| !path.exists()) {
        return Err(CliError::new("usage", format!("--plugins {}: there is no such folder", missing.display()))
            .hint("name the folder that holds the plugins (`--plugins` or DIFFTEST_PLUGINS)"));
    }
    if let Some(other) = named.iter().find(|path| path.is_file() && path.extension().is_none_or(|e| e != "wasm")) {
        return Err(CliError::new(
            "usage",
            format!("--plugins {}: neither a folder nor a .wasm file", other.display()),
        )
        .hint("name the folder that holds the plugins"));
    }
    Ok(match named {
        [] if default.is_dir() => vec![default.to_owned()],
        named => named.to_vec(),
    })
}

/// The threads that were asked for, but no more than the cores this process may use: more would only cost memory.
pub(crate) fn threads(asked: Option<u16>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    asked.map_or(cores, |asked| usize::from(asked).min(cores))
}

/// Set by `difftest ci`.
static CI_ASKED: AtomicBool = AtomicBool::new(false);

/// From now on this is CI, whatever the environment says.
pub(crate) fn behave_as_ci() {
    CI_ASKED.store(true, Ordering::Relaxed);
}

/// Every CI service sets `CI`; people set it to `false` or `0` to switch such things off.
pub(crate) fn in_ci() -> bool {
    CI_ASKED.load(Ordering::Relaxed)
        || std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}
