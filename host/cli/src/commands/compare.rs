//! `difftest compare`: two runs, paired by prompt and seed.

use std::fmt::Write as _;

use difftest_report::text::{count, safe, score, short};
use difftest_store::history::{Change, Compared, MetricChange, RunRow};

use super::history::{print, read, signed};
use crate::args::compare::CompareArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn compare(args: &CompareArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let compared =
        read(ui, |history| history.compare(&history.resolve_side(&args.a)?, &history.resolve_side(&args.b)?))?;
    print(&compared, || human(&compared), args.message_format, ui)
}

fn human(compared: &Compared) -> String {
    let mut text = String::new();
    let side = |name: &str, run: &RunRow| {
        let label = run.label.iter().map(|label| format!("\"{label}\""));
        let commit = run.commit.iter().map(|commit| format!("commit {}", commit.get(..9).unwrap_or(commit)));
        let facts: Vec<_> = run.models.iter().cloned().chain(label).chain(commit).collect();
        format!("{name} {}  {}", safe(&run.run), safe(&facts.join(", ")))
    };
    let _ = writeln!(text, "{}\n{}", side("A", &compared.a), side("B", &compared.b));
    for (suite, a, b) in &compared.environments {
        let _ = writeln!(
            text,
            "different environments: {} ran in {} (A) and {} (B); a difference may be theirs",
            safe(suite),
            safe(a),
            safe(b)
        );
    }
    if compared.a.run == compared.b.run {
        let _ = writeln!(text, "both are the same run");
    }
    for change in &compared.changes {
        describe(&mut text, change);
    }
    if !compared.changes.is_empty() {
        let _ = writeln!(text, "\ndifference: B less A, over prompts; interval: 95 %, Student's t");
    }
    for not in &compared.not_compared {
        let _ = writeln!(
            text,
            "not compared: {}::{} {}: {}",
            safe(&not.suite),
            safe(&not.test),
            safe(&not.metric),
            not.reason
        );
    }
    for verdict in &compared.verdicts {
        let _ =
            writeln!(text, "verdict: {}::{} {} -> {}", safe(&verdict.suite), safe(&verdict.test), verdict.a, verdict.b);
    }
    match (compared.images, compared.changed_images.len()) {
        (0, _) => text.push_str("images: no prompt and seed has one in both runs\n"),
        (images, 0) => {
            let _ = writeln!(text, "images: all {images} that are in both have the same pixels");
        }
        (images, changed) => {
            let _ = writeln!(text, "images: {changed} of {images} have other pixels");
            list(&mut text, &compared.changed_images);
        }
    }
    for (name, alone) in [("A", &compared.only_in_a), ("B", &compared.only_in_b)] {
        if !alone.is_empty() {
            let _ = writeln!(text, "only in {name}, and not compared: {}", count(alone.len(), "case"));
            list(&mut text, alone);
        }
    }
    text
}

/// The first cases of a list.
fn list(text: &mut String, cases: &[String]) {
    for case in cases.iter().take(10) {
        let _ = writeln!(text, "    {}", safe(case));
    }
    if cases.len() > 10 {
        let _ = writeln!(text, "    and {} more (`--message-format json` has all)", cases.len() - 10);
    }
}

fn describe(text: &mut String, change: &MetricChange) {
    let interval = change.interval.map_or_else(
        || "no interval from one prompt".to_owned(),
        |(lower, upper)| format!("{} to {}", signed(lower), signed(upper)),
    );
    let shows = match change.shows {
        Change::Same => "the same",
        Change::Better => "BETTER",
        Change::Worse => "WORSE",
        Change::Different => "DIFFERENT",
        Change::NotShown => "no difference shown",
    };
    let _ = writeln!(text, "\n{}::{} {}: {shows}", safe(&change.suite), safe(&change.test), safe(&change.metric));
    let _ = writeln!(
        text,
        "    {} -> {}, difference {} ({interval}), {} of {}",
        score(change.a),
        score(change.b),
        signed(change.difference),
        count(change.pairs, "pair"),
        count(change.prompts, "prompt")
    );
    for lost in &change.lost {
        let _ = writeln!(text, "    {:>9}  {}", signed(lost.difference), short(&lost.prompt, 80));
    }
}
