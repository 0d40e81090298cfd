//! The `difftest` command: parses arguments, calls one command, turns its outcome into an exit code.
//!
//! One command per file in [`commands`]; every error becomes an exit code in [`error`] and nowhere else.

mod args;
mod commands;
mod environment;
mod error;
mod lock_file;
mod models;
mod recorded;
mod run_name;
mod suites;
mod ui;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::ui::Ui;

fn main() -> ExitCode {
    // started by another difftest to compile a plugin
    if let Some(code) = difftest_plugin::compile::as_child() {
        return code;
    }
    difftest_metrics::memory::keep_freed();
    let args = Args::parse();
    let mut ui = Ui::new(&args.global);
    let outcome = match args.command {
        Command::Run(args) => commands::run::run(&args, &mut ui),
        Command::Ci(args) => commands::report::ci(&args, &mut ui),
        Command::History(args) => commands::history::history(&args, &mut ui),
        Command::Compare(args) => commands::compare::compare(&args, &mut ui),
        Command::Calibrate(args) => commands::calibrate::calibrate(&args, &mut ui),
        Command::Report(args) => commands::report::report(&args, &mut ui),
        Command::List(args) => commands::list::list(&args, &mut ui),
        Command::Plan(args) => commands::plan::plan(&args, &mut ui),
        Command::Merge(args) => commands::merge::merge(&args, &mut ui),
        Command::Explain(args) => commands::explain::explain(&args, &mut ui),
        Command::Cache(command) => commands::cache::cache(&command, &mut ui),
        Command::Init(args) => commands::init::init(&args, &mut ui),
        Command::Doctor(args) => commands::doctor::doctor(&args, &mut ui),
        Command::Review(args) => commands::review::review(&args, &mut ui),
        Command::Accept(args) => commands::review::accept(&args, &mut ui),
        Command::Reject(args) => commands::review::reject(&args, &mut ui),
        Command::Baseline(command) => commands::baseline::baseline(&command, &mut ui),
        Command::Plugin(command) => commands::plugin::plugin(&command, &mut ui),
        Command::Model(command) => commands::model::model(&command, &mut ui),
        Command::Push(args) => commands::remote::push(&args, &mut ui),
        Command::Pull(args) => commands::remote::pull(&args, &mut ui),
        Command::Runtime(command) => commands::runtime::runtime(&command, &mut ui),
    };
    match outcome {
        Ok(code) => code.into(),
        Err(error) => error.report(&mut ui).into(),
    }
}
