//! `difftest history export`, `prune` and `rebuild`.

use std::fmt::Write as _;
use std::io::{self, BufWriter, ErrorKind};
use std::path::PathBuf;

use difftest_report::text::{count, safe};
use difftest_store::history::{Format as RowFormat, HistoryError, Pruned};

use super::{print, read};
use crate::args::Format;
use crate::args::history::Rows;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(super) fn export(rows: Rows, ui: &mut Ui) -> Result<Exit, CliError> {
    let format = match rows {
        Rows::Jsonl => RowFormat::JsonLines,
        Rows::Csv => RowFormat::Csv,
    };
    read(ui, |history| match history.export(format, &mut BufWriter::new(io::stdout().lock())) {
        // A closed pipe is the reader's right.
        Err(HistoryError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    })?;
    Ok(Exit::Success)
}

pub(super) fn prune(keep: usize, scores: bool, dry_run: bool, format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let pruned = read(ui, |history| history.prune(keep, scores, dry_run))?;
    print(&pruned, || told(&pruned, scores, dry_run), format, ui)
}

fn told(pruned: &Pruned, scores: bool, dry_run: bool) -> String {
    let mut text = String::new();
    for run in &pruned.runs {
        let _ = writeln!(text, "{}", safe(run));
    }
    let size = pruned.bytes as f64 / 1e6;
    let what = if scores { "folders deleted, scores kept" } else { "forgotten" };
    let would = if dry_run { ": would be " } else { " " };
    let _ = writeln!(
        text,
        "{}{would}{what}, {size:.1} MB in {}",
        count(pruned.runs.len(), "run"),
        count(pruned.folders.len(), "folder")
    );
    for busy in &pruned.busy {
        let _ = writeln!(text, "{} stays: a run is writing to it", busy.display());
    }
    text
}

pub(super) fn rebuild(folders: &[PathBuf], ui: &mut Ui) -> Result<Exit, CliError> {
    let rebuilt = read(ui, |history| history.rebuild(folders))?;
    let kept = match rebuilt.kept {
        0 => String::new(),
        kept => format!("; {} kept as before: no recording of them can be read", count(kept, "run")),
    };
    ui.note(&format!("{} read from recordings{kept}", count(rebuilt.read, "run")));
    for error in &rebuilt.unreadable {
        ui.error(&error.to_string(), Some(error.hint()));
    }
    Ok(if rebuilt.unreadable.is_empty() { Exit::Success } else { Exit::Error })
}
