//! `difftest plugin check`: may this component be used?

use difftest_plugin::conformance::{self, Outcome};
use difftest_plugin::{Limits, Registry};

use super::lines::line;
use super::locate::{Located, locate};
use crate::args::Format;
use crate::args::plugin::CheckArgs;
use crate::commands;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn check(args: &CheckArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let located = locate(&args.which)?;
    report(&located, args.message_format, ui)
}

/// The lines of all steps, and whether the component may be used.
pub(super) fn report(located: &Located, format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let registry: Registry = commands::registry(std::slice::from_ref(&located.wasm), None)?;
    let (checks, _) = conformance::check(&located.wasm, &registry, &Limits::default());
    if format == Format::Json {
        ui.data(&format!("{:#}\n", serde_json::json!(checks)))?;
    } else {
        for check in &checks {
            ui.data(&line(check, false, ui.color_stdout()))?;
        }
    }
    let refused = checks.iter().any(|check| matches!(check.outcome, Outcome::Failed { .. }));
    Ok(if refused { Exit::Error } else { Exit::Success })
}
