//! Markdown for a pull request: a verdict in one line, counts, what did not pass and why, how to go on.
//!
//! GitHub takes 65,536 characters in a comment and drops a step summary of more than 1 MiB as a whole. So the text is made of blocks
//! (the head, then one for each test that did not pass, the worst first, then those that passed), and as many whole blocks are
//! written as fit the limit; the last line says how many did not. Whatever came from a suite, a plugin or a prompt stands in a code
//! span: it can neither format, link, mention nor close anything.

use std::fmt::Write as _;

use difftest_core::event::{Conclusion, Origin, Verdict};

use crate::findings;
use crate::json::{Counts, Results, SuiteResult, TestResult};
use crate::text::{count, duration, safe, score, short};

/// What a comment may have, with room for what others add.
pub const COMMENT: usize = 60_000;

/// What a step summary may have, with room to the 1 MiB at which all of it is dropped.
pub const SUMMARY: usize = 900_000;

/// Cases named for a test that did not pass.
const CASES: usize = 5;

/// The text; never longer than `limit` bytes. `marker` names the comment that a later one replaces.
#[must_use]
pub fn markdown(results: &Results, marker: Option<&str>, limit: usize) -> String {
    let mut out = marker.map(|marker| format!("<!-- difftest:{} -->\n", comment_safe(marker))).unwrap_or_default();
    out += &head(results);
    let mut tests: Vec<_> = results.suites.iter().flat_map(|s| s.tests.iter().map(move |test| (s, test))).collect();
    // What hurts most first; within that, the order of the suites.
    tests.sort_by_key(|(_, test)| std::cmp::Reverse(rank(test.verdict)));
    let broken = results.suites.iter().filter_map(|suite| Some((suite, suite.error.as_ref()?)));
    let mut blocks: Vec<String> = broken
        .map(|(suite, error)| {
            let hint = error.hint.as_ref().map(|hint| format!("\nNext: {}\n", code(hint))).unwrap_or_default();
            format!("\n#### error: suite {}\n\n- {}\n{hint}", code(&suite.name), code(&error.message))
        })
        .collect();
    blocks
        .extend(tests.iter().filter(|(_, test)| test.verdict != Verdict::Pass).map(|(suite, test)| block(suite, test)));
    let passed: Vec<_> = tests.iter().filter(|(_, test)| test.verdict == Verdict::Pass).collect();
    if !passed.is_empty() {
        let mut text = format!("\n<details><summary>{} passed</summary>\n\n", count(passed.len(), "test"));
        for (suite, test) in passed {
            let gates: Vec<String> = test.gates.iter().map(|gate| code(&findings::gate(test, gate))).collect();
            let _ = writeln!(text, "- {} {}", code(&format!("{}::{}", suite.name, test.name)), gates.join(", "));
        }
        blocks.push(text + "\n</details>\n");
    }
    let foot = foot(results);
    let room = limit.saturating_sub(foot.len() + 120);
    let mut left_out = 0;
    for block in blocks {
        if left_out == 0 && out.len() + block.len() <= room {
            out += &block;
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let _ = write!(out, "\n*{} left out here: the whole report has them.*\n", count(left_out, "section"));
    }
    out += &foot;
    // A head of its own length, for a limit that is smaller than anything sensible.
    out.truncate(out.floor_char_boundary(limit));
    out
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Error => 4,
        Verdict::Fail => 3,
        Verdict::Inconclusive => 2,
        Verdict::NotRun => 1,
        Verdict::Pass => 0,
    }
}

fn head(results: &Results) -> String {
    let tests: usize = results.suites.iter().map(|suite| suite.tests.len()).sum();
    let word = match results.conclusion {
        Some(Conclusion::Passed) => "passed ✅",
        Some(Conclusion::Failed) => "failed ❌",
        Some(Conclusion::Error) => "ended with errors ❌",
        Some(Conclusion::Interrupted) => "was interrupted",
        None => "did not end",
    };
    let Counts { pass, inconclusive, fail, error, not_run } = results.tests;
    let mut text = format!("### difftest {word}\n\n| tests | passed | failed | inconclusive | errors | not run |\n");
    text += "|---:|---:|---:|---:|---:|---:|\n";
    let _ = writeln!(text, "| {tests} | {pass} | {fail} | {inconclusive} | {error} | {not_run} |");
    if let Some(error) = findings::run(results) {
        let _ = write!(text, "\n{}\n", code(&error.message));
        if let Some(hint) = &error.hint {
            let _ = write!(text, "\nNext: {}\n", code(hint));
        }
    }
    if let Some(said) = findings::remote(results) {
        let _ = write!(text, "\nWarning: {}\n", code(&said));
    }
    text
}

fn block(suite: &SuiteResult, test: &TestResult) -> String {
    let name = code(&format!("{}::{}", suite.name, test.name));
    let mut text = format!("\n#### {}: {name}\n\n", findings::verdict(test.verdict));
    for reason in findings::reasons(suite, test).iter().take(20) {
        let _ = writeln!(text, "- {}", code(reason));
    }
    let worst = findings::worst(suite, test, CASES);
    if !worst.is_empty() {
        text += "\n| case | | prompt |\n|---|---|---|\n";
        for (case, why) in worst {
            let prompt = cell(&short(&case.prompt.text, 120));
            let _ = writeln!(text, "| {} | {} | {prompt} |", cell(&case.id), cell(&why));
        }
    }
    if let Some(next) = findings::next(suite, test) {
        let _ = write!(text, "\nNext: {}\n", safe_prose(&next));
    }
    text
}

/// Where it ran, what it took, how much of it was there already.
fn foot(results: &Results) -> String {
    let cases: Vec<_> = results.suites.iter().flat_map(|suite| &suite.cases).collect();
    let with = |wanted: Origin| cases.iter().filter(|case| case.origin == Some(wanted)).count();
    let mut parts = vec![format!("{} generated", count(with(Origin::Made), "image"))];
    if with(Origin::Cached) > 0 {
        parts.push(format!("{} found again", with(Origin::Cached)));
    }
    let mut environments: Vec<String> = Vec::new();
    for suite in &results.suites {
        let model = suite.generator.as_ref().map(|generator| generator.model.as_str()).unwrap_or_default();
        let said = format!("{model} {}", suite.environment);
        if !said.trim().is_empty() && !environments.contains(&said) {
            environments.push(said);
        }
    }
    parts.extend(environments.iter().take(3).map(|environment| code(environment.trim())));
    if let Some(seconds) = results.seconds {
        parts.push(if seconds < 10.0 { format!("{} s", score(seconds)) } else { duration(seconds) });
    }
    let baselines = results.suites.iter().filter_map(|suite| suite.baseline.as_ref());
    if let Some(baseline) = baselines.into_iter().next() {
        parts.push(format!("baseline {}", code(&baseline.name)));
    }
    let run = if results.run.is_empty() { String::new() } else { format!(" run {}", code(&results.run)) };
    format!("\n<sub>difftest {}{run} · {}</sub>\n", safe_prose(&results.difftest), parts.join(" · "))
}

/// A code span: fenced by more backticks than it has in a row.
fn code(text: &str) -> String {
    let text = safe(text);
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A code span in a table: there a bar ends the cell even inside of code.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Our own words. They may name things of other people, so nothing in them links, embeds, mentions or is HTML.
fn safe_prose(text: &str) -> String {
    safe(text).replace('&', "&amp;").replace('<', "&lt;").replace('@', "&#64;").replace('[', "\\[").replace('|', "\\|")
}

/// Text inside of an HTML comment.
fn comment_safe(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/') { c } else { '-' };
    let text: String = text.chars().take(200).map(plain).collect();
    text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
