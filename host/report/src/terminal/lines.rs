//! One function for each kind of line. Each gives whole lines, each ending with a newline, safe for a terminal.

use std::collections::BTreeMap;

use difftest_core::event::Verdict;
use difftest_core::gate::Statistic;
use difftest_core::key::Action;
use difftest_core::metric::MetricKind;

use super::paint::{COLUMN, Paint, Status};
use super::visual;
use crate::evidence;
use crate::findings;
use crate::json::{CaseResult, CaseState, GateRecord, Results, SuiteResult, TestResult};
use crate::text::{bound, brief, compared, count, safe, score, seconds_column, short};

pub(super) const RULE: &str = "────────────\n";

/// How many of the worst images of a failed gate are shown.
const WORST: usize = 3;

/// How many different errors of a test are shown; the results have all of them.
const ERRORS: usize = 5;

pub(super) fn header(results: &Results, suites: usize, cases: usize, paint: Paint) -> String {
    let (suites, cases) = (count(suites, "suite"), count(cases, "case"));
    let run = paint.bold(&format!("difftest {} run {}", safe(&results.difftest), safe(&results.run)));
    format!("{RULE} {run} · {suites}, {cases}\n")
}

/// What the suite runs on.
pub(super) fn suite(suite: &SuiteResult, paint: Paint) -> String {
    let mut parts = vec![paint.bold(&safe(&suite.name))];
    if let Some(generator) = &suite.generator {
        parts.push(format!("{} ({})", safe(&generator.model), safe(&generator.kind)));
        // Versions and the device; the rest is in the results.
        let wanted = |name: &str| matches!(name, "device" | "onnxruntime" | "threads");
        let environment = generator.environment.iter().filter(|(name, _)| wanted(name));
        parts.extend(environment.map(|(name, value)| format!("{} {}", safe(name), safe(value))));
    }
    parts.push(count(suite.tests.len(), "test"));
    format!(" {}\n", parts.join(" · "))
}

/// How much work the suite's cases need, where some need less than all of it, or where it was asked for with `always`.
pub(super) fn planned(suite: &SuiteResult, always: bool, paint: Paint) -> Option<String> {
    let of = |action| suite.cases.iter().filter(|case| case.action == action).count();
    let amounts = [Action::Generate, Action::Score, Action::Judge, Action::Reuse].map(|action| (of(action), action));
    if amounts[0].0 == suite.cases.len() && !always {
        return None;
    }
    let parts = amounts.iter().map(|(number, action)| format!("{number} {action}"));
    let text = format!("{}: {}", count(suite.cases.len(), "case"), parts.collect::<Vec<_>>().join(", "));
    Some(paint.line(Status::Planned, &text))
}

/// Time, id and scores of a case. One whose metrics could not be had at all is an error too, though no event of its own says so:
/// its test will be told why.
pub(super) fn case(suite: &SuiteResult, case: &CaseResult, paint: Paint) -> String {
    let test = suite.tests.iter().find(|test| test.name == case.test);
    let (sets, metrics) = test.map_or((0, 0), |test| {
        let sets = test.metrics.iter().filter(|metric| metric.kind == MetricKind::Set).count();
        (sets, test.metrics.len() - sets)
    });
    // A test that has only set metrics scores no case by itself.
    let nothing = case.scores.is_empty() && sets == 0 && case.comparison.is_none();
    let missing = case.error.is_none() && (nothing || case.scores.len() < metrics);
    let status = match case.state {
        CaseState::Error => Status::Error,
        CaseState::Finished if missing => Status::Error,
        CaseState::Finished if case.action >= Action::Judge => Status::Reused,
        CaseState::Finished => Status::Scored,
        CaseState::NotRun | CaseState::Unfinished => Status::NotRun,
    };
    let mut scores: Vec<String> = case
        .scores
        .iter()
        .map(|result| match result.value {
            Some(value) => format!("{}={}", safe(&result.metric), score(value)),
            None => paint.bad(&format!("{}: error", safe(&result.metric))),
        })
        .collect();
    scores.extend(case.comparison.as_ref().map(|comparison| match comparison.is_open() {
        false => findings::comparison(comparison),
        true => paint.bad(&findings::comparison(comparison)),
    }));
    if case.error.is_some() {
        scores.push(paint.bad("no image"));
    } else if missing {
        let text = match case.scores.len() {
            0 => "no scores".to_owned(),
            there => format!("{} missing", count(metrics - there, "score")),
        };
        scores.push(paint.bad(&text));
    }
    let time = if matches!(status, Status::Reused) { "[   cached]".to_owned() } else { seconds_column(seconds(case)) };
    let text = format!("{time} {}  {}", safe(&case.id), scores.join(" · "));
    paint.line(status, text.trim_end())
}

/// Time spent on a case, by all of its stages together.
fn seconds(case: &CaseResult) -> f64 {
    case.seconds.unwrap_or(0.0) + case.scores.iter().map(|score| score.seconds).sum::<f64>()
}

/// A test with its cases.
struct Judged<'r> {
    test: &'r TestResult,
    cases: Vec<&'r CaseResult>,
}

/// Verdict of the test at `index`, each of its gates and metrics, and what a person needs to see why. `waited` is the time from its
/// first case to its verdict, in seconds.
pub(super) fn test(suite: &SuiteResult, index: usize, waited: f64, width: usize, paint: Paint) -> String {
    let Some(test) = suite.tests.get(index) else { return String::new() };
    let judged = Judged { test, cases: suite.cases_of(test).collect() };
    let cases = &judged.cases;
    let done = cases.iter().filter(|case| case.state == CaseState::Finished).count();
    let images =
        if done == cases.len() { count(done, "image") } else { format!("{done} of {}", count(cases.len(), "image")) };
    let time = seconds_column(waited);
    let name = paint.bold(&format!("{}::{}", safe(&suite.name), safe(&test.name)));
    // A pass that nothing could have kept from passing is not to look like one that was earned.
    let compares = cases.iter().any(|case| case.comparison.is_some());
    let unjudged = test.verdict == Verdict::Pass && test.gates.is_empty() && !compares;
    let note = match test.split_of {
        Some(all) if test.verdict == Verdict::NotRun => {
            format!("({images} here, of {all}) judged by `difftest merge`")
        }
        _ if unjudged => format!("({images}) no threshold: reported, not judged"),
        _ => format!("({images})"),
    };
    let mut text = paint.line(test.verdict.into(), &format!("{time} {name} {}", paint.dim(&note)));
    for gate in &test.gates {
        text += &gate_lines(&judged, gate, width, paint);
    }
    for info in &test.metrics {
        let values = judged.values(&info.name);
        let gated = test.gates.iter().any(|gate| gate.result.metric == info.name);
        if let Some(mean) = Statistic::Mean.of(&values).filter(|_| !gated) {
            // The gates of a test that was cut short are not known.
            let judged = if test.verdict == Verdict::NotRun { "" } else { ", no threshold" };
            let what = if info.kind == MetricKind::Set { "all images" } else { "mean" };
            let (name, class) = (safe(&info.name), info.class());
            let line = format!("{name} {what} {} (n={}, {class}{judged})", score(mean), values.len());
            text += &paint.below(&paint.dim(&line));
        }
    }
    text += &visual::lines(cases, paint);
    text + &errors(test, paint) + &warnings(cases, paint)
}

fn gate_lines(judged: &Judged<'_>, gate: &GateRecord, width: usize, paint: Paint) -> String {
    let result = &gate.result;
    let info = judged.test.metrics.iter().find(|info| info.name == result.metric);
    let set = info.is_some_and(|info| info.kind == MetricKind::Set);
    let of = if set { "all images".to_owned() } else { result.of.to_string() };
    let what = format!("{} {of}", safe(&result.metric));
    let Some(value) = result.value else {
        let wanted = if set { 1 } else { judged.cases.len() };
        let missing = wanted.saturating_sub(result.scores);
        if missing == 0 {
            // The scores are there, and what to compare them with is not: the errors below say why.
            return paint.below(&paint.bad(&format!("{what}: not judged")));
        }
        let line = format!("{what} {}: not judged, {} missing", bound(&result.bound), count(missing, "score"));
        return paint.below(&paint.bad(&line));
    };
    let class = info.map(|info| format!(", {}", info.class())).unwrap_or_default();
    if result.evidence.is_some() {
        return evidence_lines(judged, gate, &class, width, paint);
    }
    let line = format!("{what} {} (n={}{class})", compared(value, &result.bound), result.scores);
    if result.holds {
        return paint.below(&line);
    }
    let mut text = paint.below(&paint.bad(&line));
    if judged.test.verdict == Verdict::Fail {
        text += &worst_lines(judged, gate, width, paint);
    }
    text
}

/// The worst images of a gate, each with its prompt and file.
fn worst_lines(judged: &Judged<'_>, gate: &GateRecord, width: usize, paint: Paint) -> String {
    let mut text = String::new();
    for (value, case) in judged.worst(gate) {
        let prompt = short(&case.prompt.text, width.saturating_sub(COLUMN + case.id.len() + 14).clamp(24, 120));
        text += &paint.below(&format!("  {} {}  {}", score(value), safe(&case.id), paint.dim(&prompt)));
        if let Some(image) = &case.image {
            text += &paint.below(&paint.dim(&format!("    {}", safe(&image.path))));
        }
    }
    text
}

/// A gate that asks what the scores show: what was found, who lost most, and what so many prompts can show.
fn evidence_lines(judged: &Judged<'_>, gate: &GateRecord, class: &str, width: usize, paint: Paint) -> String {
    let Some((found, evidence)) = evidence::found(&gate.result).zip(gate.result.evidence.as_ref()) else {
        return String::new();
    };
    let prompts = count(evidence.prompts, "prompt");
    let line = format!("{} {found} ({prompts}, n={}{class})", safe(&gate.result.metric), gate.result.scores);
    let mut text = paint.below(&if gate.result.holds { line } else { paint.bad(&line) });
    if !gate.result.holds {
        for (id, change) in &evidence.lost {
            let case = judged.cases.iter().find(|case| case.prompt.id == *id);
            let room = width.saturating_sub(COLUMN + id.len() + 14).clamp(24, 120);
            let prompt = case.map(|case| short(&case.prompt.text, room)).unwrap_or_default();
            text += &paint.below(&format!("  {change:+.3} {}  {}", safe(id), paint.dim(&prompt)));
        }
        text += &worst_lines(judged, gate, width, paint);
    }
    for note in evidence::power(&gate.result).iter().chain(&evidence.notes) {
        text += &paint.below(&paint.dim(&safe(note)));
    }
    text
}

impl<'r> Judged<'r> {
    fn values(&self, metric: &str) -> Vec<f64> {
        let scores = self.cases.iter().flat_map(|case| &case.scores).chain(&self.test.scores);
        scores.filter(|score| score.metric == metric).filter_map(|score| score.value).collect()
    }

    /// The cases farthest on the wrong side of the bound.
    fn worst(&self, gate: &GateRecord) -> Vec<(f64, &'r CaseResult)> {
        let scored = |case: &&'r CaseResult| {
            let score = case.scores.iter().find(|score| score.metric == gate.result.metric)?;
            Some((score.value?, *case))
        };
        let margin = |value: f64| evidence::margin(&gate.result, value).unwrap_or(0.0);
        let mut worst: Vec<_> =
            self.cases.iter().filter_map(scored).filter(|(value, _)| margin(*value) < 0.0).collect();
        worst.sort_by(|a, b| margin(a.0).total_cmp(&margin(b.0)));
        worst.truncate(WORST);
        worst
    }
}

/// Each different error once, with how often it occurred and where first.
fn errors(test: &TestResult, paint: Paint) -> String {
    let mut different: Vec<(String, Option<&str>, Option<&str>, usize)> = Vec::new();
    for error in &test.errors {
        // Messages may name their case; without that, they are the same error.
        let case = error.case.as_deref();
        let plain =
            |message: &str, case: Option<&str>| case.map_or_else(|| message.to_owned(), |id| message.replace(id, ""));
        let shown = if error.kind == "long-prompt" { brief(&error.message) } else { error.message.clone() };
        let message = plain(&shown, case);
        match different.iter_mut().find(|(other, of, ..)| plain(other, *of) == message) {
            Some((.., times)) => *times += 1,
            None => different.push((shown, case, error.hint.as_deref(), 1)),
        }
    }
    let mut text = String::new();
    for (message, case, hint, times) in different.iter().take(ERRORS) {
        let place = match (case, times) {
            (Some(case), _) if message.contains(case) => String::new(),
            (Some(case), _) => format!("{}: ", safe(case)),
            (None, _) => String::new(),
        };
        let again = if *times > 1 { format!(" (and {} more)", times - 1) } else { String::new() };
        text += &error(&format!("{place}{message}{again}"), *hint, paint);
    }
    if different.len() > ERRORS {
        let line = format!("and {} more, all in the JSON results", count(different.len() - ERRORS, "other error"));
        text += &paint.below(&line);
    }
    text
}

/// An error and what to do about it. Line breaks in a message stay line breaks.
pub(super) fn error(message: &str, hint: Option<&str>, paint: Paint) -> String {
    let mut text: String = message.lines().map(|line| paint.below(&paint.bad(&safe(line)))).collect();
    for (i, line) in hint.unwrap_or_default().lines().enumerate() {
        text += &if i == 0 { paint.line(Status::Next, &safe(line)) } else { paint.below(&safe(line)) };
    }
    text
}

/// Each different warning about the images once.
fn warnings(cases: &[&CaseResult], paint: Paint) -> String {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for warning in cases.iter().filter_map(|case| case.image.as_ref()).flat_map(|image| &image.warnings) {
        *times.entry(warning).or_default() += 1;
    }
    let lines = times.iter().map(|(warning, times)| {
        paint.line(
            Status::Warning,
            &format!("{} {}", safe(&brief(warning)), paint.dim(&format!("({})", count(*times, "image")))),
        )
    });
    lines.collect()
}
