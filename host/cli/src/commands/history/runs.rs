//! `difftest history list` and `show`.

use std::fmt::Write as _;

use difftest_core::gate::Bound;
use difftest_report::terminal::Verbosity;
use difftest_report::text::{bound, count, duration, safe, score};
use difftest_store::history::{RunDetail, RunRow, TestRow};

use super::{print, read, short_commit};
use crate::args::Format;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(super) fn list(last: usize, format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let runs = read(ui, |history| history.runs(Some(last)))?;
    print(&runs, || table(&runs), format, ui)
}

fn table(runs: &[RunRow]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<23} {:<20} {:<11} {:>8}  {:<9} TESTS, MODEL",
        "RUN", "BEGAN (UTC)", "ENDED", "TOOK", "COMMIT"
    );
    for run in runs {
        let _ = writeln!(
            text,
            "{:<23} {:<20} {:<11} {:>8}  {:<9} {}",
            safe(&run.run),
            safe(&run.started),
            ended(run),
            run.seconds.map_or_else(|| "-".to_owned(), took),
            safe(short_commit(run.commit.as_ref())),
            about(run)
        );
    }
    text
}

fn took(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.1}s") } else { duration(seconds) }
}

fn ended(run: &RunRow) -> &str {
    run.conclusion.as_deref().unwrap_or("killed")
}

/// `2 pass, 1 fail, builtin:shapes, cpu-f32-..., "candidate"`.
fn about(run: &RunRow) -> String {
    const ORDER: [&str; 5] = ["pass", "inconclusive", "fail", "error", "not-run"];
    let verdicts = ORDER.iter().filter_map(|verdict| Some(format!("{} {verdict}", run.verdicts.get(*verdict)?)));
    let label = run.label.iter().map(|label| format!("\"{}\"", safe(label)));
    let rest = run.models.iter().chain(&run.environments).map(|name| safe(name));
    verdicts.chain(rest).chain(label).collect::<Vec<_>>().join(", ")
}

pub(super) fn show(run: &str, format: Format, ui: &mut Ui) -> Result<Exit, CliError> {
    let detail = read(ui, |history| history.run(&history.resolve_side(run)?))?;
    let verbose = ui.verbosity() == Verbosity::Verbose;
    print(&detail, || human(&detail, verbose), format, ui)
}

fn human(detail: &RunDetail, verbose: bool) -> String {
    let run = &detail.run;
    let mut text = String::new();
    let took = run.seconds.map(|seconds| format!(" after {}", took(seconds))).unwrap_or_default();
    let _ = writeln!(text, "run {} began {}, {}{took}", safe(&run.run), safe(&run.started), ended(run));
    let facts = [
        Some(format!("difftest {}", run.difftest)),
        run.commit.as_ref().map(|commit| format!("commit {commit}")),
        run.label.as_ref().map(|label| format!("label \"{label}\"")),
        Some(format!("kept in {}", run.folder)),
    ];
    let _ = writeln!(text, "    {}", safe(&facts.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    for suite in &detail.suites {
        let _ = writeln!(text, "\n{}: {}, {}", safe(&suite.suite), safe(&suite.model), safe(&suite.environment));
        if let Some(error) = &suite.error {
            let _ = writeln!(text, "    error: {}", safe(error));
        }
        suite.tests.iter().for_each(|test| describe(&mut text, test, verbose));
    }
    text
}

fn describe(text: &mut String, test: &TestRow, verbose: bool) {
    let _ = writeln!(
        text,
        "{:>12} {} ({})",
        test.verdict.to_uppercase(),
        safe(&test.test),
        count(test.cases.len(), "image")
    );
    for metric in &test.metrics {
        let spread = match metric.scores {
            1 => String::new(),
            _ => format!(", {} to {}", score(metric.least), score(metric.most)),
        };
        let _ = writeln!(text, "{:>12} {} mean {}{spread}", "", safe(&metric.metric), score(metric.mean));
    }
    for gate in &test.gates {
        let value = gate.value.map_or_else(|| "no value".to_owned(), score);
        let limit = bound(&Bound { min: gate.min, max: gate.max });
        let held = if gate.holds { "holds" } else { "does not hold" };
        let rule = if gate.rule == "bound" { String::new() } else { format!(" ({})", gate.rule) };
        let _ =
            writeln!(text, "{:>12} gate {} {} {value}, {limit}{rule}: {held}", "", safe(&gate.metric), gate.statistic);
    }
    for case in test.cases.iter().filter(|_| verbose) {
        let scores: Vec<_> =
            case.scores.iter().map(|one| format!("{} {}", safe(&one.metric), score(one.value))).collect();
        let image = case.image.as_ref().map_or("no image", |image| image.get(..12).unwrap_or(image));
        let found = if case.cached { ", found" } else { "" };
        let _ = writeln!(text, "{:>12} {}  {}  {image}{found}", "", safe(&case.case), scores.join(", "));
    }
}
