//! `difftest ci`: a run with CI's defaults. `difftest report`: the reports of a run that is over, made from its recording.

use std::io;

use difftest_core::event::Conclusion;
use difftest_report::findings;
use difftest_report::html::HtmlOptions;
use difftest_report::terminal::{Terminal, TerminalOptions};
use difftest_store::events;
use difftest_store::run_folder::RECORDING;

use crate::args::report::{CiArgs, ReportArgs};
use crate::commands::{open, run};
use crate::environment;
use crate::error::{CliError, Exit};
use crate::recorded;
use crate::ui::Ui;

/// The page in the folder of a run, where no other place was named.
const PAGE: &str = "report.html";

pub(crate) fn ci(args: &CiArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    environment::behave_as_ci();
    if args.run.watch {
        return Err(CliError::new("usage", "--watch never ends, so CI would not either").hint("leave out `--watch`"));
    }
    run::run(&args.run, ui)
}

pub(crate) fn report(args: &ReportArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    args.reports.of(ui, |ui| attempt(args, ui))
}

fn attempt(args: &ReportArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let folder = recorded::folder(&args.run)?;
    let mut reports = args.reports.clone();
    if args.open && reports.html.html.is_none() {
        reports.html.html = Some(folder.join(PAGE));
    }
    reports.check(&[])?;
    let results = recorded::load_results(&folder)?;
    if !reports.any() {
        // What the run told, told again.
        let mut terminal = Terminal::new(
            io::stderr(),
            TerminalOptions {
                color: ui.color_stderr(),
                progress: false,
                verbosity: ui.verbosity(),
                width: run::terminal_width(),
                rerun: String::new(),
                diff: false,
            },
        );
        for event in events::read(&folder)? {
            terminal.event(&event?);
        }
    }
    let page = HtmlOptions { folder: Some(folder.clone()), ..HtmlOptions::default() };
    reports.write_with(&results, &folder.join(RECORDING), page, ui)?;
    if let Some(said) = findings::remote(&results) {
        ui.note(&format!("warning: {said}"));
    }
    if results.conclusion.is_none() {
        ui.note("the run was cut short: its recording has no end");
    }
    if let Some(page) = reports.html.html.as_deref().filter(|_| args.open) {
        open::page(page, ui);
    }
    Ok(match results.conclusion {
        _ if !args.exit_code => Exit::Success,
        // An upload that failed is an error of a run that passed.
        _ if results.exit_code == Some(Exit::Error as u8) => Exit::Error,
        Some(conclusion) => conclusion.into(),
        None => Exit::from(Conclusion::Interrupted),
    })
}
