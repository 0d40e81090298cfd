//! What GitHub Actions shows beside the code: workflow commands that a step prints.
//!
//! `::error file=suites/smoke.toml,line=41,title=...::message`, at most ten of each kind for a step, so the last of ten says how many
//! more there are. In messages `%`, carriage return and newline are escaped; in properties also `:` and `,`, as the runner unescapes
//! them.

use difftest_core::event::Verdict;

use crate::findings;
use crate::json::{Results, SuiteResult, TestResult};
use crate::text::count;

/// GitHub shows ten of a kind for each step.
const MOST: usize = 10;

/// One line for what is wrong with the run as a whole, then one for each test that did not pass, pointing at its name in the suite;
/// errors for failures, warnings for what was not run and for a remote that failed.
#[must_use]
pub fn annotations(results: &Results) -> String {
    let mut errors = Vec::new();
    if let Some(error) = findings::run(results) {
        errors.push(format!("::error title=difftest::{}\n", message(&error.message)));
    }
    let remote = findings::remote(results).map(|said| format!("::warning title=difftest::{}\n", message(&said)));
    let mut warnings: Vec<String> = remote.into_iter().collect();
    for suite in &results.suites {
        if let Some(error) = &suite.error {
            errors.push(line("error", suite, None, &format!("suite {}", suite.name), &error.message));
        }
        for test in &suite.tests {
            let kind = match test.verdict {
                Verdict::Pass => continue,
                Verdict::NotRun => &mut warnings,
                Verdict::Fail | Verdict::Error | Verdict::Inconclusive => &mut errors,
            };
            let level = if test.verdict == Verdict::NotRun { "warning" } else { "error" };
            let title = format!("{}::{} {}", suite.name, test.name, findings::verdict(test.verdict));
            let mut said = findings::reasons(suite, test);
            let rest = said.len().saturating_sub(8);
            said.truncate(8);
            if rest > 0 {
                said.push(format!("and {rest} more"));
            }
            said.extend(findings::next(suite, test).map(|next| format!("next: {next}")));
            kind.push(line(level, suite, Some(test), &title, &said.join("\n")));
        }
    }
    let mut out = String::new();
    for (level, lines) in [("error", errors), ("warning", warnings)] {
        let fits = if lines.len() > MOST { MOST - 1 } else { lines.len() };
        lines[..fits].iter().for_each(|line| out += line);
        if lines.len() > fits {
            let more = format!("and {} that did not pass", count(lines.len() - fits, "more test"));
            out += &format!("::{level} title=difftest::{}\n", message(&more));
        }
    }
    out
}

fn line(level: &str, suite: &SuiteResult, test: Option<&TestResult>, title: &str, said: &str) -> String {
    let file = suite.file.as_deref().map(|file| format!("file={},", property(file))).unwrap_or_default();
    let at = test.and_then(|test| test.line).filter(|_| suite.file.is_some());
    let at = at.map(|line| format!("line={line},")).unwrap_or_default();
    format!("::{level} {file}{at}title={}::{}\n", property(title), message(said))
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
