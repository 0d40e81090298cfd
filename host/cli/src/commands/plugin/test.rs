//! `difftest plugin test`: the checks that every plugin gets, and its author's own.

use std::time::Instant;

use difftest_plugin::conformance::{self, CaseFile, Check, Conformance, Outcome};
use difftest_report::terminal::Verbosity;
use difftest_store::atomic;

use super::givens;
use super::lines::line;
use super::locate::locate;
use crate::args::Format;
use crate::args::plugin::TestArgs;
use crate::commands;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn test(args: &TestArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let began = Instant::now();
    let located = locate(&args.which)?;
    let mut cases = givens::cases(&args.givens, &located)?;
    let models = givens::models(&args.givens)?;
    let registry = commands::registry(std::slice::from_ref(&located.wasm), args.givens.fuel)?;
    ui.note(&format!("testing `{}` ({})", located.name, located.wasm.display()));
    let mut checks: Vec<Check> = Vec::new();
    let mut trouble = None;
    let verbosity = ui.verbosity();
    let human = args.message_format == Format::Human;
    Conformance { registry: &registry, plugin: &located.name, models, cases: &mut cases }.run(&mut |check| {
        let quiet = verbosity == Verbosity::Quiet && matches!(check.outcome, Outcome::Passed { .. });
        if human && !quiet {
            trouble = trouble.take().or(ui.data(&line(&check, true, ui.color_stdout())).err());
        }
        checks.push(check);
    })?;
    if let Some(error) = trouble {
        return Err(error);
    }
    if !human {
        ui.data(&format!("{:#}\n", serde_json::json!(checks)))?;
    }
    if located.sources.is_none() && args.givens.cases.is_none() {
        ui.note("no cases of the author's: name their folder with `--cases DIR`");
    }
    if args.update {
        update(&cases, ui)?;
    }
    let count = |wanted: fn(&Outcome) -> bool| checks.iter().filter(|check| wanted(&check.outcome)).count();
    let failed = count(Outcome::is_failed);
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped { .. }));
    let passed = checks.len() - failed - skipped;
    let seconds = began.elapsed().as_secs_f64();
    ui.note(&format!("{passed} passed, {failed} failed, {skipped} skipped in {seconds:.1} s"));
    if args.update && failed > 0 {
        ui.note("run it again to see what the new cases say");
    }
    Ok(match (failed, passed) {
        (0, 0) => {
            return Err(CliError::new("nothing-checked", "nothing was checked").hint("see what was skipped, and why"));
        }
        (0, _) => Exit::Success,
        _ => Exit::Failed,
    })
}

/// Writes what was seen into the author's files.
fn update(files: &[CaseFile], ui: &mut Ui) -> Result<(), CliError> {
    for file in files {
        let (text, changed) = conformance::update(file)
            .map_err(|error| CliError::new("cases", error.to_string()).hint("write each case as `[[case]]`"))?;
        if changed > 0 {
            atomic::write(&file.path, text.as_bytes())?;
            ui.note(&format!("wrote {changed} of {} cases in {}", file.len(), file.path.display()));
        }
    }
    Ok(())
}
