//! `difftest ci`: a run with CI's defaults. `difftest report`: the reports of a run that is over, made from its recording.

use std::io;

use difftest_core::event::Conclusion;
use difftest_report::terminal::{Terminal, TerminalOptions};
use difftest_store::events;
use difftest_store::run_folder::RECORDING;

use crate::args::report::{CiArgs, ReportArgs};
use crate::commands::run;
use crate::environment;
use crate::error::{CliError, Exit};
use crate::recorded;
use crate::ui::Ui;

pub(crate) fn ci(args: &CiArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    environment::behave_as_ci();
    if args.run.watch {
        return Err(CliError::new("usage", "--watch never ends, so CI would not either").hint("leave out `--watch`"));
    }
    run::run(&args.run, ui)
}

pub(crate) fn report(args: &ReportArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let folder = recorded::folder(&args.run)?;
    args.reports.check(&[])?;
    let results = recorded::load_results(&folder)?;
    if !args.reports.any() {
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
    args.reports.write(&results, &folder.join(RECORDING), ui)?;
    if results.conclusion.is_none() {
        ui.note("the run was cut short: its recording has no end");
    }
    Ok(match results.conclusion {
        _ if !args.exit_code => Exit::Success,
        Some(conclusion) => conclusion.into(),
        None => Exit::from(Conclusion::Interrupted),
    })
}
