//! The last lines: what came out, what did not pass, where the images are, what to do next; and the exit code.

use difftest_core::event::{Conclusion, Verdict};
use difftest_core::key::Action;

use super::lines::RULE;
use super::paint::{Paint, Status};
use super::{TerminalOptions, Verbosity};
use crate::json::{CaseState, Counts, Results, TestResult};
use crate::text::{count, safe, seconds_column};

/// How many tests that did not pass are named.
const NAMED: usize = 30;

pub(super) fn summary(results: &Results, options: &TerminalOptions, paint: Paint) -> String {
    let quiet = options.verbosity == Verbosity::Quiet;
    let mut text = String::from(if quiet { "" } else { RULE });
    let time = seconds_column(results.seconds.unwrap_or(0.0));
    text += &paint.line(Status::Summary, &format!("{time} {}", paint.bold(&counts(results))));
    let not_passed: Vec<_> = results
        .suites
        .iter()
        .flat_map(|suite| suite.tests.iter().map(move |test| (suite, test)))
        .filter(|(_, test)| test.verdict != Verdict::Pass)
        .collect();
    for (suite, test) in not_passed.iter().take(NAMED) {
        text += &paint.line(test.verdict.into(), &format!("{}::{}", safe(&suite.name), safe(&test.name)));
    }
    if not_passed.len() > NAMED {
        text += &paint.below(&format!("and {} more", not_passed.len() - NAMED));
    }
    for suite in results.suites.iter().filter(|suite| suite.error.is_some()) {
        text += &paint.line(Status::Error, &format!("suite {}: none of its tests were judged", safe(&suite.name)));
    }
    if options.diff
        && !quiet
        && let Some(reused) = reused(results)
    {
        text += &paint.below(&reused);
    }
    let mut cases = results.suites.iter().flat_map(|suite| &suite.cases);
    if cases.any(|case| case.image.is_some()) && !quiet {
        text += &paint.line(Status::Images, &safe(&results.folder));
    }
    // what the lock file refuses is refused again, whatever the command
    let refused = |test: &TestResult| {
        let pinning = |kind: &str| matches!(kind, "plugin-not-locked" | "plugin-differs");
        !test.errors.is_empty() && test.errors.iter().all(|error| pinning(&error.kind))
    };
    let all_refused = not_passed.iter().all(|(_, test)| refused(test));
    let first = not_passed
        .iter()
        .find(|(_, test)| matches!(test.verdict, Verdict::Fail | Verdict::Error | Verdict::Inconclusive));
    match results.conclusion {
        Some(Conclusion::Interrupted) => {
            text += &paint.line(
                Status::Next,
                "interrupted: what was finished is kept and reported; the same command goes on from there",
            );
        }
        Some(Conclusion::Failed | Conclusion::Error) if !all_refused => {
            if let Some(command) = first.and_then(|(suite, test)| again(&options.rerun, &suite.name, &test.name)) {
                text += &paint.line(Status::Next, &command);
            }
        }
        _ => {}
    }
    text
}

/// What `--diff` left alone.
fn reused(results: &Results) -> Option<String> {
    let reused =
        results.suites.iter().flat_map(|suite| &suite.cases).filter(|case| case.action == Action::Reuse).count();
    (reused > 0).then(|| format!("{} proven before and not told again", count(reused, "case")))
}

/// What the process ends with, in words. The run's own conclusion tells an error in it from one after it.
pub(super) fn exit_line(results: &Results, code: u8, paint: Paint) -> String {
    let meaning = match code {
        0 if split(results) => ": nothing failed here; `difftest merge` judges what is split over shards",
        0 if results.tests.pass == 0 && results.tests.inconclusive == 0 => ": there was nothing to judge",
        0 if results.tests.inconclusive > 0 => ": nothing failed; the suite lets pass what is inconclusive",
        0 => ": everything passed",
        1 => ": a test did not pass",
        2 if results.conclusion == Some(Conclusion::Error) => ": something could not be computed",
        2 => ": an error, told above",
        130 => ": interrupted",
        _ => "",
    };
    paint.below(&paint.dim(&format!("exit code {code}{meaning}")))
}

/// Whether a test has cases in other shards.
fn split(results: &Results) -> bool {
    results.suites.iter().flat_map(|suite| &suite.tests).any(|test| test.split_of.is_some())
}

/// `3 tests: 1 passed, 1 failed, 1 error · 12 images`.
fn counts(results: &Results) -> String {
    let tests: usize = results.suites.iter().map(|suite| suite.tests.len()).sum();
    let judged = results.tests;
    // Tests that were announced and never judged did not run either.
    let not_run = tests.saturating_sub(judged.pass + judged.inconclusive + judged.fail + judged.error);
    let Counts { pass, inconclusive, fail, error, .. } = judged;
    let parts = [
        (pass, "passed".to_owned()),
        (fail, "failed".to_owned()),
        (inconclusive, "inconclusive".to_owned()),
        (error, if error == 1 { "error" } else { "errors" }.to_owned()),
        (not_run, "not run".to_owned()),
    ];
    let mut parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if parts.is_empty() {
        parts.push("nothing judged".to_owned());
    }
    let cases = || results.suites.iter().flat_map(|suite| &suite.cases);
    let images = cases().filter(|case| case.image.is_some()).count();
    let broken = cases().filter(|case| case.state == CaseState::Error).count();
    let mut text = format!("{}: {} · {}", count(tests, "test"), parts.join(", "), count(images, "image"));
    if broken > 0 {
        text += &format!(", {} with errors", count(broken, "case"));
    }
    text
}

/// The command that runs one test again, where its names need no quoting that shells disagree on.
fn again(rerun: &str, suite: &str, test: &str) -> Option<String> {
    let plain = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            && !name.starts_with('-')
    };
    let command = if rerun.is_empty() { format!("difftest run {suite}") } else { safe(rerun) };
    (plain(suite) && plain(test)).then(|| format!("{command} -k \"{suite}::{test}[\" --verbose"))
}
