//! `difftest plugin`: what plugins there are, what each is, and what authors do with theirs. One subcommand per file.

mod add;
mod bench;
mod build;
mod check;
mod givens;
mod inspect;
mod lines;
mod list;
mod locate;
mod lock;
mod new;
mod publish;
mod remote;
mod test;
mod verify;

use std::fmt::Write as _;

use difftest_core::metric::MetricError;
use difftest_plugin::RegistryError;

use crate::args::plugin::PluginCommand;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn plugin(command: &PluginCommand, ui: &mut Ui) -> Result<Exit, CliError> {
    match command {
        PluginCommand::List(args) => list::list(args, ui),
        PluginCommand::Inspect(args) => inspect::inspect(args, ui),
        PluginCommand::New(args) => new::new(args, ui),
        PluginCommand::Build(args) => build::build(args, ui),
        PluginCommand::Check(args) => check::check(args, ui),
        PluginCommand::Test(args) => test::test(args, ui),
        PluginCommand::Bench(args) => bench::bench(args, ui),
        PluginCommand::Add(args) => add::add(args, ui),
        PluginCommand::Publish(args) => publish::publish(args, ui),
        PluginCommand::Lock(args) => lock::lock(args, ui),
        PluginCommand::Verify(args) => verify::verify(args, ui),
    }
}

/// Why a plugin cannot be used, and what to do about it, below its name.
fn problem_lines(text: &mut String, problem: &MetricError) {
    let _ = writeln!(text, "  cannot be used: {}", problem.message);
    if let Some(hint) = &problem.hint {
        let _ = writeln!(text, "  next: {hint}");
    }
}

/// What keeps the registry from giving a plugin, with what to do next.
fn from_registry(error: RegistryError) -> MetricError {
    let message = error.to_string();
    match error {
        RegistryError::NotFound { .. } => MetricError {
            kind: "not-found".into(),
            message,
            hint: Some("`difftest plugin list` shows what is there; `--plugins DIR` names another folder".into()),
        },
        RegistryError::Load(error) => error.into(),
        RegistryError::Refused(error) => error,
    }
}

impl From<RegistryError> for CliError {
    fn from(error: RegistryError) -> Self {
        let MetricError { kind, message, hint } = from_registry(error);
        Self::new(&kind, message).hint_if(hint)
    }
}
