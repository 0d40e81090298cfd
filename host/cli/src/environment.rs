//! What the commands take from their surroundings: plugin folders, core counts, times and names of runs.

use std::path::{Path, PathBuf};

/// The plugin folders that were named, or `plugins` where that is a folder.
pub(crate) fn plugin_folders(named: &[PathBuf]) -> Vec<PathBuf> {
    let default = Path::new("plugins");
    match named {
        [] if default.is_dir() => vec![default.to_owned()],
        named => named.to_vec(),
    }
}

/// One thread for each core that this process may use.
pub(crate) fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// When a run began and what it is called: `20261121-093000-4f1c2a`, which sorts by time.
pub(crate) fn run_name() -> (String, String) {
    let now = jiff::Timestamp::now();
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let name = format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &unique[unique.len() - 6..]);
    (name, now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
