//! Where reports may be written: known before the run, not after an hour of work.
//!
//! A slip of the keyboard must not cost a file: of what is there already, `--output` replaces only results of an earlier run and empty
//! files, `--html` only pages of one, and no report replaces a suite. Nothing is written into the folder of a model.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use difftest_core::suite::ModelSpec;
use difftest_store::atomic;
use serde::Deserialize;

use crate::commands::Planned;
use crate::error::CliError;

/// Finds out whether a report can be written to `output`, as `flag` says, and that this takes nothing away: what is there has to be
/// something that it `replaces`.
pub(super) fn check(
    flag: &str,
    output: &Path,
    plans: &[Planned],
    replaces: impl Fn(&Path) -> bool,
) -> Result<(), CliError> {
    let shown = output.display();
    let example = if flag == "--html" { "report.html" } else { "results.json" };
    let refuse = |what: String| CliError::new("write", what).hint(format!("name another file, such as {example}"));
    if let Some(model) = model_around(output, plans) {
        return Err(refuse(format!("{flag} {shown} lies in the model folder {}, which is read only", model.display())));
    }
    let Ok(metadata) = std::fs::metadata(output) else {
        atomic::write(output, b"")?;
        return std::fs::remove_file(output)
            .map_err(|e| CliError::new("write", format!("cannot replace {shown}: {e}")));
    };
    if metadata.is_dir() {
        return Err(CliError::new("write", format!("{flag} {shown} is a folder"))
            .hint(format!("name a file, such as {example}")));
    }
    // a pipe or a device is written into, and keeps what it is
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(());
    }
    let real = output.canonicalize().ok();
    let is_suite = |planned: &Planned| planned.suite.path.canonicalize().ok() == real;
    if plans.iter().any(is_suite) {
        return Err(refuse(format!("{flag} {shown} would replace the suite itself")));
    }
    if replaces(output) {
        return Ok(());
    }
    Err(refuse(format!("{flag} {shown} would replace a file that is not of an earlier run"))
        .hint(format!("name another file, such as {example}, or delete this one first")))
}

/// Whether a file was written by `--output`.
pub(super) fn holds_results(path: &Path) -> bool {
    /// What every version of [`Results`](difftest_report::json::Results) begins with.
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "being there is what counts")]
    struct Head {
        format: u32,
        difftest: String,
        run: String,
    }
    // What is not JSON is given up at its first wrong byte.
    File::open(path).is_ok_and(|file| serde_json::from_reader::<_, Head>(BufReader::new(file)).is_ok())
}

/// The folder of the model that `output` would lie in.
fn model_around(output: &Path, plans: &[Planned]) -> Option<PathBuf> {
    let output = real(&std::path::absolute(output).ok()?);
    let folder = |planned: &Planned| match &planned.plan.model {
        ModelSpec::Diffusion(name) if !name.starts_with("builtin:") => {
            planned.suite.path.parent().unwrap_or(Path::new("")).join(name).canonicalize().ok()
        }
        ModelSpec::Diffusion(_) | ModelSpec::Images { .. } => None,
    };
    plans.iter().filter_map(folder).find(|folder| folder.is_dir() && output.starts_with(folder))
}

/// `path` with the part of it that is there resolved.
fn real(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    known.map_or_else(
        || path.to_owned(),
        |(part, real)| match path.strip_prefix(part) {
            Ok(rest) if rest.as_os_str().is_empty() => real,
            Ok(rest) => real.join(rest),
            Err(_) => path.to_owned(),
        },
    )
}
