//! `difftest list`: the plan, as data.

use std::sync::Arc;

use difftest_report::list;
use difftest_run::conduct::SuiteRun;

use crate::args::{Format, ListArgs};
use crate::commands::{self, evidence};
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::models::Finder;
use crate::ui::Ui;

pub(crate) fn list(args: &ListArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let registry = commands::registry(&args.selection.plugins, args.selection.fuel)?;
    let registry = lock_file::keep(registry, args.pinning)?;
    let engine = evidence::engine(&args.engine)?;
    let suites: Vec<SuiteRun> =
        commands::plans(&args.selection, &registry, &engine, &Arc::default(), &Finder::looking(ui), ui)?
            .into_iter()
            .map(evidence::suite_run)
            .collect();
    let cache = evidence::look(ui)?;
    let known = evidence::examine(&suites, &registry, &engine, cache.as_ref(), args.compared.baselines());
    for (suite, error) in suites.iter().zip(&known).filter_map(|(suite, known)| Some((suite, known.as_ref().err()?))) {
        ui.note(&format!("{}: what work is needed cannot be told: {}", suite.plan.suite, error.message));
    }
    let work: Vec<_> = suites.iter().zip(&known).map(|(suite, known)| evidence::suite_work(suite, known)).collect();
    let plans: Vec<_> = suites.into_iter().map(|suite| suite.plan).collect();
    let text = match args.message_format {
        Format::Human => list::human(&plans, &work, ui.color_stdout()),
        Format::Json => list::json(&plans, &work),
    };
    ui.data(&text)?;
    let mut refused: Vec<_> = plans.iter().flat_map(|plan| &plan.tests).flat_map(|test| &test.refused).collect();
    refused.dedup();
    for error in &refused {
        ui.error(&error.message, error.hint.as_deref());
    }
    Ok(if refused.is_empty() { Exit::Success } else { Exit::Error })
}
