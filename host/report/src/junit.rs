//! JUnit XML, as GitHub, GitLab and Jenkins read it.
//!
//! ```text
//! testsuite  a suite; time, what made its images as properties
//! testcase   a test: classname `difftest.SUITE`, name the test's. One more for each image of a visual regression test.
//! failure    a gate that does not hold, a changed image; also an inconclusive test, with that as its type
//! error      what could not be computed; a suite that could not be planned or loaded; a run that ended by an error or not at all,
//!            as a suite of its own: `difftest`
//! skipped    what was not run
//! ```
//!
//! Pairs of classname and name are unique, because GitLab shows only the first of equals. Scores and gates are properties of the test.
//! `[[ATTACHMENT|path]]` in `system-out` shows an image in GitLab and Jenkins. Control characters, which XML has no way to write, are
//! left out by the writer. What readers ignore (flaky runs, say) stands in text too.

use std::path::Path;
use std::time::Duration;

use difftest_core::event::{ErrorInfo, Origin, Verdict};
use difftest_core::gate::Statistic;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::findings;
use crate::json::{CaseResult, CaseState, Results, SuiteResult, TestResult};
use crate::text::safe;

/// How many images of a test are attached; the worst.
const ATTACHED: usize = 5;

/// The document. Paths of images are written relative to `base` where they lie below it: readers look for them from the project's
/// folder.
#[must_use]
pub fn junit(results: &Results, base: Option<&Path>) -> String {
    let mut report = Report::new("difftest");
    set_time(results.seconds, |time| {
        report.set_time(time);
    });
    if let Some(error) = findings::run(results) {
        let mut suite = TestSuite::new("difftest");
        suite.add_test_case(trouble("(the run)", "difftest", &error));
        report.add_test_suite(suite);
    }
    for suite in &results.suites {
        let mut suite = one_suite(suite, base);
        if let Some(said) = findings::remote(results) {
            suite.set_system_err(format!("warning: {said}"));
        }
        report.add_test_suite(suite);
    }
    // Writing to a string fails only for text that XML has no way to write, and the writer leaves such characters out.
    report.to_string().unwrap_or_else(|error| format!("<!-- {error} -->\n<testsuites/>\n"))
}

fn set_time(seconds: Option<f64>, set: impl FnOnce(Duration)) {
    if let Some(time) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        set(time);
    }
}

fn one_suite(suite: &SuiteResult, base: Option<&Path>) -> TestSuite {
    let mut out = TestSuite::new(&*suite.name);
    set_time(Some(suite.cases.iter().map(seconds).sum()), |time| {
        out.set_time(time);
    });
    if let Some(generator) = &suite.generator {
        out.add_property(Property::new("model", &*generator.model));
    }
    if !suite.environment.is_empty() {
        out.add_property(Property::new("environment", &*suite.environment));
    }
    if let Some(baseline) = &suite.baseline {
        out.add_property(Property::new("baseline", &*baseline.name));
    }
    let class = format!("difftest.{}", suite.name);
    if let Some(error) = &suite.error {
        out.add_test_case(trouble("(the suite could not be run)", &class, error));
    }
    for test in &suite.tests {
        let mut case = TestCase::new(&*test.name, status(suite, test));
        case.set_classname(&*class);
        set_time(Some(suite.cases_of(test).map(seconds).sum()), |time| {
            case.set_time(time);
        });
        properties(suite, test, &mut case);
        let attached: Vec<String> = findings::worst(suite, test, ATTACHED)
            .iter()
            .flat_map(|(worst, why)| {
                let image = worst.image.iter().map(|image| attachment(&image.path, base));
                std::iter::once(format!("{} {why}", safe(&worst.id))).chain(image)
            })
            .collect();
        if !attached.is_empty() {
            case.set_system_out(attached.join("\n"));
        }
        out.add_test_case(case);
        for compared in suite.cases_of(test).filter(|case| case.comparison.is_some()) {
            out.add_test_case(image(compared, &class, base));
        }
    }
    out
}

/// An error that is of no test.
fn trouble(name: &str, class: &str, error: &ErrorInfo) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(&*error.kind).set_message(&*error.message);
    status.set_description(lines(&[error.message.clone(), error.hint.clone().unwrap_or_default()]));
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

/// Time spent on a case, by all of its stages together.
/// Time that this run spent on a case; what was found took its time in another.
fn seconds(case: &CaseResult) -> f64 {
    let image = case.seconds.filter(|_| case.origin != Some(Origin::Cached)).unwrap_or(0.0);
    let scores = case.scores.iter().filter(|score| score.origin == Origin::Made).map(|score| score.seconds);
    image + scores.sum::<f64>()
}

fn status(suite: &SuiteResult, test: &TestResult) -> TestCaseStatus {
    let reasons = findings::reasons(suite, test);
    let first = reasons.first().cloned().unwrap_or_else(|| findings::verdict(test.verdict).to_owned());
    let mut status = match test.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::NotRun => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(first);
            return skipped;
        }
        Verdict::Fail | Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let kind = match test.verdict {
        Verdict::Error => test.errors.first().map_or("error", |error| error.kind.as_str()),
        Verdict::Inconclusive => "inconclusive",
        _ if test.gates.iter().any(|gate| !gate.result.holds) => "gate",
        _ => "visual",
    };
    let place = suite.file.as_deref().zip(test.line).map(|(file, line)| format!("{file}:{line}"));
    let next = findings::next(suite, test).map(|next| format!("next: {next}"));
    let description: Vec<String> = reasons.into_iter().chain(next).chain(place).collect();
    status.set_type(kind).set_message(first).set_description(lines(&description));
    status
}

/// Means, gates and evidence by name.
fn properties(suite: &SuiteResult, test: &TestResult, case: &mut TestCase) {
    for info in &test.metrics {
        let scores = suite.cases_of(test).flat_map(|case| &case.scores).chain(&test.scores);
        let values: Vec<f64> =
            scores.filter(|score| score.metric == info.name).filter_map(|score| score.value).collect();
        if let Some(mean) = Statistic::Mean.of(&values) {
            case.add_property(Property::new(format!("score:{}", info.name), mean.to_string()));
        }
    }
    for gate in &test.gates {
        case.add_property(Property::new(format!("gate:{}", gate.result.metric), findings::gate(test, gate)));
        if let Some(power) = crate::evidence::power(&gate.result) {
            case.add_property(Property::new(format!("power:{}", gate.result.metric), power));
        }
    }
}

/// One image of a visual regression test.
fn image(case: &CaseResult, class: &str, base: Option<&Path>) -> TestCase {
    let mut status = TestCaseStatus::success();
    let mut out = Vec::new();
    if let Some(comparison) = &case.comparison {
        if comparison.is_open() {
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let said = findings::comparison(comparison);
            status.set_type("visual").set_message(said.clone()).set_description(said);
        }
        out.extend(findings::said(comparison));
        out.extend(comparison.expected.iter().map(|image| attachment(&image.path.to_string_lossy(), base)));
        let marked = comparison.diff.iter().chain(&comparison.heatmap);
        out.extend(marked.map(|path| attachment(&path.to_string_lossy(), base)));
    }
    if case.state == CaseState::Error {
        status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("the image could not be made or compared");
    }
    out.extend(case.image.iter().map(|image| attachment(&image.path, base)));
    let name = case.id.split_once("::").map_or(case.id.as_str(), |(_, name)| name);
    let mut test = TestCase::new(name, status);
    test.set_classname(class);
    set_time(Some(seconds(case)), |time| {
        test.set_time(time);
    });
    test.set_system_out(out.join("\n"));
    test
}

fn attachment(path: &str, base: Option<&Path>) -> String {
    let relative = base.and_then(|base| Path::new(path).strip_prefix(base).ok());
    format!("[[ATTACHMENT|{}]]", relative.map_or_else(|| path.into(), Path::to_string_lossy))
}

fn lines(lines: &[String]) -> String {
    lines.iter().filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}
