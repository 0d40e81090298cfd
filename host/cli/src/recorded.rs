//! Recorded runs of this project, as commands read them: found by name, folded into results.

use std::path::{Path, PathBuf};

use difftest_core::event::ErrorInfo;
use difftest_report::json::{RemoteRecord, Results};
use difftest_store::events::{self, ReadError};
use difftest_store::run_folder::{DEFAULT_ROOT, RESULTS};
use difftest_store::runs::{self, ResolveError};
use serde::Deserialize;

use crate::error::CliError;

/// The folder of the run that `text` names: a name or the beginning of one, `latest`, `latest~2`, or a folder.
pub(crate) fn folder(text: &str) -> Result<PathBuf, CliError> {
    Ok(runs::resolve(Path::new(DEFAULT_ROOT), text)?)
}

/// What the run in `folder` came to, as its recording tells it: the same document that the run wrote, or as much of it as there is of a run
/// that was killed. What has no event is taken from the results that the run wrote beside it, if they are of that run.
pub(crate) fn load_results(folder: &Path) -> Result<Results, CliError> {
    let mut results = Results::default();
    for event in events::read(folder)? {
        results.apply(&event?);
    }
    let beside =
        std::fs::read(folder.join(RESULTS)).ok().and_then(|bytes| serde_json::from_slice::<Beside>(&bytes).ok());
    if let Some(beside) = beside.filter(|beside| beside.run == results.run) {
        (results.error, results.remote) = (beside.error, beside.remote);
        results.exit_code = beside.exit_code.or(results.exit_code);
    }
    Ok(results)
}

/// What a run noted in its results alone: there is no event of it, since the recording may be what failed.
#[derive(Deserialize)]
struct Beside {
    run: String,
    error: Option<ErrorInfo>,
    remote: Option<RemoteRecord>,
    exit_code: Option<u8>,
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
