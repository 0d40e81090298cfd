//! `difftest runtime`: the ONNX Runtime library.

use difftest_diffusion::runtime::{self, InstallStep, Provider, RuntimeError};

use crate::args::RuntimeCommand;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn runtime(command: &RuntimeCommand, ui: &mut Ui) -> Result<Exit, CliError> {
    match command {
        RuntimeCommand::Install { provider } => install(provider, ui),
        RuntimeCommand::List => list(ui),
    }
}

fn install(provider: &str, ui: &mut Ui) -> Result<Exit, CliError> {
    let provider: Provider = provider.parse().map_err(|error| from_runtime(&error))?;
    let mut told = None;
    let path = runtime::install(provider, &mut |step| {
        let text = match step {
            InstallStep::AlreadyThere { .. } => "already installed".to_owned(),
            InstallStep::Waiting => "another process is installing it: waiting".to_owned(),
            InstallStep::Needs { size, peak, free } => {
                let free = free.map_or_else(String::new, |free| format!(", of {} free", megabytes(free)));
                format!(
                    "{} to download, {} installed; {} of disk while installing{free}",
                    megabytes(size.download),
                    megabytes(size.installed),
                    megabytes(peak)
                )
            }
            InstallStep::Kept { package } => format!("{package} is here from an install that did not finish"),
            InstallStep::Downloading { package, of, .. } => format!("downloading {package} ({})", megabytes(of)),
            InstallStep::Verifying => "checking its digest".to_owned(),
            InstallStep::Unpacking => "unpacking".to_owned(),
        };
        if told.as_ref() != Some(&text) {
            ui.note(&text);
            told = Some(text);
        }
    })
    .map_err(|error| from_runtime(&error))?;
    ui.data(&format!("{}\n", path.display()))?;
    Ok(Exit::Success)
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn list(ui: &mut Ui) -> Result<Exit, CliError> {
    let found = runtime::list();
    if found.is_empty() {
        ui.error("no ONNX Runtime library was found", Some("difftest runtime install cpu"));
        return Ok(Exit::Error);
    }
    let chosen = runtime::find().ok();
    for library in found {
        let version = library.version.map_or_else(|| "unknown version".to_owned(), |version| version.to_string());
        let mark = if chosen.as_ref() == Some(&library) { "*" } else { " " };
        let old = if library.is_too_old() { "  too old" } else { "" };
        ui.data(&format!("{mark} {version:<10} {:<20} {}{old}\n", library.source.to_string(), library.path.display()))?;
    }
    Ok(Exit::Success)
}

pub(crate) fn from_runtime(error: &RuntimeError) -> CliError {
    CliError::new("runtime", error.to_string()).hint(error.hint())
}
