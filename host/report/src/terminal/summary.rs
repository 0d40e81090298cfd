//! The last lines: what came out, what did not pass, where the images are, what to do next, the exit code.

use difftest_core::event::{Conclusion, Verdict};

use super::Verbosity;
use super::lines::RULE;
use super::paint::{Paint, Status};
use crate::json::{CaseState, Counts, Results};
use crate::text::{count, safe, seconds_column};

/// How many tests that did not pass are named.
const NAMED: usize = 30;

pub(super) fn summary(results: &Results, verbosity: Verbosity, paint: Paint) -> String {
    let mut text = String::from(if verbosity == Verbosity::Quiet { "" } else { RULE });
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
    let mut cases = results.suites.iter().flat_map(|suite| &suite.cases);
    if cases.any(|case| case.image.is_some()) && verbosity != Verbosity::Quiet {
        text += &paint.line(Status::Images, &safe(&results.folder));
    }
    let first = not_passed.iter().find(|(_, test)| matches!(test.verdict, Verdict::Fail | Verdict::Error));
    match results.conclusion {
        Some(Conclusion::Interrupted) => {
            text += &paint.line(Status::Next, "interrupted: what was finished is kept; run again for the rest");
        }
        Some(Conclusion::Failed | Conclusion::Error) => {
            if let Some(command) = first.and_then(|(suite, test)| again(&suite.name, &test.name)) {
                text += &paint.line(Status::Next, &command);
            }
        }
        _ => {}
    }
    if let Some((conclusion, code)) = results.conclusion.zip(results.exit_code) {
        let meaning = match conclusion {
            Conclusion::Passed => "everything passed",
            Conclusion::Failed => "a test did not pass",
            Conclusion::Error => "something could not be computed",
            Conclusion::Interrupted => "interrupted",
        };
        text += &paint.below(&paint.dim(&format!("exit code {code}: {meaning}")));
    }
    text
}

/// `3 tests: 1 passed, 1 failed, 1 error · 12 images`.
fn counts(results: &Results) -> String {
    let tests: usize = results.suites.iter().map(|suite| suite.tests.len()).sum();
    let judged = results.tests;
    // Tests that were announced and never judged did not run either.
    let not_run = tests.saturating_sub(judged.pass + judged.fail + judged.error);
    let Counts { pass, fail, error, .. } = judged;
    let parts = [
        (pass, "passed".to_owned()),
        (fail, "failed".to_owned()),
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
fn again(suite: &str, test: &str) -> Option<String> {
    let plain = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            && !name.starts_with('-')
    };
    (plain(suite) && plain(test)).then(|| format!("difftest run {suite} -k \"{suite}::{test}[\" --verbose"))
}
