//! Recorded runs of this project, as commands read them: found by name, folded into results.

use std::path::{Path, PathBuf};

use difftest_report::json::Results;
use difftest_store::events::{self, ReadError};
use difftest_store::run_folder::DEFAULT_ROOT;
use difftest_store::runs::{self, ResolveError};

use crate::error::CliError;

/// The folder of the run that `text` names: a name or the beginning of one, `latest`, `latest~2`, or a folder.
pub(crate) fn folder(text: &str) -> Result<PathBuf, CliError> {
    Ok(runs::resolve(Path::new(DEFAULT_ROOT), text)?)
}

/// What the run in `folder` came to, as its recording tells it: the same document that the run wrote, or as much of it as there is of a run
/// that was killed.
pub(crate) fn load_results(folder: &Path) -> Result<Results, CliError> {
    let mut results = Results::default();
    for event in events::read(folder)? {
        results.apply(&event?);
    }
    Ok(results)
}

impl From<ResolveError> for CliError {
    fn from(error: ResolveError) -> Self {
        Self::new("no-run", error.to_string()).hint(error.hint())
    }
}

impl From<ReadError> for CliError {
    fn from(error: ReadError) -> Self {
        Self::new("recording", error.to_string()).hint(error.hint())
    }
}
