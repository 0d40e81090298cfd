//! `difftest history`: what earlier runs came to.
//!
//! Every reading command first takes in recordings that the history does not have yet, so a run that was killed, or could not be kept, is
//! there too. A file that turns out to be damaged is set aside, made again of the recordings, and asked again.
//! `past` is for the page of a run, which takes what is there.

mod flaky;
mod manage;
mod metric;
mod past;
mod runs;

use std::path::Path;

use difftest_store::history::{History, HistoryError, RunRecord};
use difftest_store::run_folder::DEFAULT_ROOT;

use crate::args::Format;
use crate::args::history::{HistoryArgs, HistoryCommand};
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(super) use metric::signed;
pub(super) use past::past;

pub(crate) fn history(args: &HistoryArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    match (&args.command, &args.metric) {
        (None, Some(metric)) => metric::overview(metric, &args.filter, ui),
        (None, None) => {
            let filter = &args.filter;
            let asked = [&filter.suite, &filter.test, &filter.model, &filter.environment, &filter.expression];
            if asked.into_iter().any(Option::is_some) {
                return Err(CliError::new("usage", "of which metric? `--metric` is missing")
                    .hint("such as `--metric clip_score`"));
            }
            runs::list(filter.last.get(), filter.message_format, ui)
        }
        (Some(HistoryCommand::List { last, message_format }), _) => runs::list(last.get(), *message_format, ui),
        (Some(HistoryCommand::Show { run, message_format }), _) => runs::show(run, *message_format, ui),
        (Some(HistoryCommand::Trend { metric, filter }), _) => metric::trend(metric, filter, ui),
        (Some(HistoryCommand::Flaky { message_format }), _) => flaky::flaky(*message_format, ui),
        (Some(HistoryCommand::Export { format }), _) => manage::export(*format, ui),
        (Some(HistoryCommand::Prune { keep, keep_scores, dry_run, message_format }), _) => {
            manage::prune(*keep, *keep_scores, *dry_run, *message_format, ui)
        }
        (Some(HistoryCommand::Rebuild { folders }), _) => manage::rebuild(folders, ui),
    }
}

/// Keeps a run that has ended. That it cannot be kept is told and costs the run nothing: its recording is there, and the next command
/// that reads the history takes it from that.
pub(crate) fn keep(run: &RunRecord, ui: &mut Ui) {
    let root = Path::new(DEFAULT_ROOT);
    let kept = ask(root, ui, |history| history.record(run).map(drop));
    if let Err(error) = kept {
        ui.note(&format!("warning: this run is not in the history: {error}"));
        if let Some(hint) = error.hint() {
            ui.note(&format!("  next: {hint}"));
        }
    }
}

/// Asks the history of this project.
pub(crate) fn read<T>(ui: &mut Ui, question: impl Fn(&mut History) -> Result<T, HistoryError>) -> Result<T, CliError> {
    let root = Path::new(DEFAULT_ROOT);
    if !History::is_there(root) {
        return Err(CliError::new("no-run", "no run is recorded here yet: there is no .difftest/history.db")
            .hint("begin with `difftest run`, or go to the folder that runs were made in"));
    }
    let answer = ask(root, ui, |history| {
        let caught = history.catch_up()?;
        Ok((question(history)?, caught.unreadable))
    });
    let (answer, unreadable) = answer?;
    unreadable.iter().for_each(|error| ui.note(&format!("left out: {error}")));
    Ok(answer)
}

fn ask<T>(
    root: &Path,
    ui: &mut Ui,
    question: impl Fn(&mut History) -> Result<T, HistoryError>,
) -> Result<T, HistoryError> {
    let mut history = History::open(root)?;
    let answer = match question(&mut history) {
        Err(error) if error.is_damage() && !history.is_read_only() => {
            drop(history);
            history = History::heal(root, &error)?;
            question(&mut history)
        }
        answer => answer,
    };
    history.notes().iter().for_each(|note| ui.note(note));
    answer
}

impl From<HistoryError> for CliError {
    fn from(error: HistoryError) -> Self {
        let kind = match &error {
            HistoryError::NoRun(_) => "no-run",
            HistoryError::NoMetric { .. } => "no-metric",
            HistoryError::Newer { .. } => "newer-version",
            _ => "history",
        };
        Self::new(kind, error.to_string()).hint_if(error.hint())
    }
}

/// A document as JSON, or the text that people read.
pub(super) fn print(
    document: &impl serde::Serialize,
    human: impl FnOnce() -> String,
    format: Format,
    ui: &mut Ui,
) -> Result<Exit, CliError> {
    let text = match format {
        Format::Human => human(),
        Format::Json => {
            let json = serde_json::to_string_pretty(document);
            json.map_err(|error| CliError::new("write", format!("cannot write JSON: {error}")))? + "\n"
        }
    };
    ui.data(&text)?;
    Ok(Exit::Success)
}

/// The first letters of a commit.
fn short_commit(commit: Option<&String>) -> &str {
    commit.map_or("-", |commit| commit.get(..9).unwrap_or(commit))
}
