//! `difftest list`: the plan, as data.

use std::sync::Arc;

use difftest_diffusion::pipeline::Options;
use difftest_report::list;

use crate::args::{Format, ListArgs};
use crate::commands;
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::models::Finder;
use crate::ui::Ui;

pub(crate) fn list(args: &ListArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let registry = commands::registry(&args.selection.plugins, args.selection.fuel)?;
    let registry = lock_file::keep(registry, args.pinning)?;
    let plans: Vec<_> =
        commands::plans(&args.selection, &registry, &Options::default(), &Arc::default(), &Finder::looking(ui), ui)?
            .into_iter()
            .map(|planned| planned.plan)
            .collect();
    let text = match args.message_format {
        Format::Human => list::human(&plans, ui.color_stdout()),
        Format::Json => list::json(&plans),
    };
    ui.data(&text)?;
    let mut refused: Vec<_> = plans.iter().flat_map(|plan| &plan.tests).flat_map(|test| &test.refused).collect();
    refused.dedup();
    for error in &refused {
        ui.error(&error.message, error.hint.as_deref());
    }
    Ok(if refused.is_empty() { Exit::Success } else { Exit::Error })
}
