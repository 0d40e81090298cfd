//! What the page of a run shows of the runs before it.

use std::path::Path;

use difftest_report::html::{HistoryPoint, HistorySeries};
use difftest_report::json::Results;
use difftest_store::history::{FILE, Past, PastOf};
use difftest_store::run_folder::DEFAULT_ROOT;

use super::ask;
use crate::ui::Ui;

/// So many runs are shown, this one among them.
const RUNS: usize = 30;

/// Beyond so many scores, the page has the lines of tests alone: those of cases would take the room of pictures.
const SCORES: usize = 5000;

/// The lines that lead to a run. None where the history does not have it, or there is no history: none is made for this. That it cannot
/// be read is told, and the page does without.
pub(in crate::commands) fn past(results: &Results, ui: &mut Ui) -> Vec<HistorySeries> {
    let root = Path::new(DEFAULT_ROOT);
    if !root.join(FILE).is_file() {
        return Vec::new();
    }
    let scores: usize = results.suites.iter().flat_map(|suite| &suite.cases).map(|case| case.scores.len()).sum();
    let past = ask(root, ui, |history| {
        let mut past = history.past(&results.run, PastOf::Tests, RUNS)?;
        if scores <= SCORES {
            past.extend(history.past(&results.run, PastOf::Cases, RUNS)?);
        }
        Ok(past)
    });
    match past {
        // A single point is this run's own.
        Ok(past) => past.into_iter().filter(|past| past.points.len() > 1).map(series).collect(),
        Err(error) => {
            ui.note(&format!("the page has no history: {error}"));
            Vec::new()
        }
    }
}

fn series(past: Past) -> HistorySeries {
    let Past { suite, test, case, metric, points } = past;
    let points =
        points.into_iter().map(|point| HistoryPoint { run: point.run, started: point.started, value: point.value });
    HistorySeries { suite, test, case, metric, points: points.collect() }
}
