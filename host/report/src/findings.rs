//! What is to be said of a test in plain words: one place for the sentences that JUnit, Markdown and annotations share.
//!
//! Everything here is text without markup and without control characters. Who writes a format escapes it for that format.

use std::collections::BTreeMap;

use difftest_core::event::{Conclusion, ErrorInfo, Verdict};
use difftest_core::gate::{Evidence, Rule};
use difftest_core::metric::MetricKind;
use difftest_core::visual::{Comparison, Said, Standing, Tier};

use crate::evidence;
use crate::json::{CaseResult, GateRecord, RemoteState, Results, SuiteResult, TestResult};
use crate::text::{bound, compared, count, safe, score, short};

/// What is wrong with the run as a whole, and is not said of one of its suites or tests: it ended by an error, or not at all. Whoever
/// counts errors alone must find one here, for nothing that is left of such a run is a reason to call it green.
#[must_use]
pub fn run(results: &Results) -> Option<ErrorInfo> {
    let error = |kind: &str, message: &str, hint: &str| {
        Some(ErrorInfo { kind: kind.to_owned(), message: message.to_owned(), hint: Some(hint.to_owned()), case: None })
    };
    if results.error.is_some() {
        return results.error.clone();
    }
    let again = "run it again: what was finished is found again";
    match results.conclusion {
        None => error("unfinished", "the run did not end: its recording has no end", again),
        Some(Conclusion::Interrupted) => error("interrupted", "the run did not end: it was interrupted", again),
        Some(Conclusion::Error) => {
            let of_suites = results.suites.iter().any(|suite| suite.error.is_some());
            let told = of_suites || results.suites.iter().flat_map(|s| &s.tests).any(|t| t.verdict == Verdict::Error);
            if told {
                None
            } else {
                error("error", "the run ended by an error that its recording does not have", again)
            }
        }
        Some(Conclusion::Passed | Conclusion::Failed) => None,
    }
}

/// How a verdict is called everywhere.
#[must_use]
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "failed",
        Verdict::Error => "error",
        Verdict::NotRun => "not run",
    }
}

/// What was wrong with the remote, where the run went on without it.
#[must_use]
pub fn remote(results: &Results) -> Option<String> {
    let remote = results.remote.as_ref().filter(|remote| remote.state == RemoteState::Degraded)?;
    let problem = remote.problem.as_deref().unwrap_or("it failed");
    Some(format!("the run had no remote, or not to its end: {}", safe(problem)))
}

/// What a gate compared and what came of it: `clip_score mean 0.241 < 0.250, short by 0.009 (12 scores)`.
#[must_use]
pub fn gate(test: &TestResult, gate: &GateRecord) -> String {
    let result = &gate.result;
    let set = test.metrics.iter().any(|info| info.name == result.metric && info.kind == MetricKind::Set);
    let of = if set { "all images".to_owned() } else { result.of.to_string() };
    let metric = safe(&result.metric);
    if let Some(evidence) = &result.evidence {
        let found = evidence::found(result).unwrap_or_default();
        return format!("{metric} {found} ({}{})", count(evidence.prompts, "prompt"), probability(evidence));
    }
    match result.value {
        Some(value) => {
            format!("{metric} {of} {} ({})", compared(value, &result.bound), count(result.scores, "score"))
        }
        // A gate on a baseline has every score, and nothing to compare them with.
        None if result.rule != Rule::Bound => format!("{metric} {of}: not judged"),
        None => format!("{metric} {of} {}: not judged, a score is missing", bound(&result.bound)),
    }
}

fn probability(evidence: &Evidence) -> String {
    match (evidence.p, evidence.p_adjusted) {
        (Some(p), Some(adjusted)) => format!(", p {}, Holm {}", score(p), score(adjusted)),
        (Some(p), None) => format!(", p {}", score(p)),
        _ => String::new(),
    }
}

/// How an image stands to its baseline: `changed: ssim 0.912 < 0.950, pixel 0.031 > 0.010`, and what of its question changed since:
/// `; the prompt changed since the baseline was saved`; and what a person said of it: `; rejected before by Ada`.
#[must_use]
pub fn comparison(comparison: &Comparison) -> String {
    let more = [asked(comparison), said(comparison)].into_iter().flatten();
    more.fold(standing(comparison), |text, more| format!("{text}; {more}"))
}

/// `rejected before by Ada, 2026-11-21T12:00:00Z`, or `accepted by --update`; `None` where nobody said anything of it.
#[must_use]
pub fn said(comparison: &Comparison) -> Option<String> {
    Some(match comparison.said.as_ref()? {
        Said::Rejected { by, at } => format!("rejected before by {}, {}", safe(by), safe(at)),
        Said::Update => "accepted by --update".to_owned(),
    })
}

/// `the prompt changed since the baseline was saved`; `None` where the case asks what it asked then.
#[must_use]
pub fn asked(comparison: &Comparison) -> Option<String> {
    let change = comparison.asked.as_ref()?;
    Some(format!("the {} changed since the baseline was saved", safe(change.named())))
}

fn standing(comparison: &Comparison) -> String {
    match comparison.standing {
        Standing::Same => match comparison.nearest().filter(|_| comparison.tolerated) {
            Some(tier) => format!("within tolerance ({} {})", tier.tier, tier_value(tier.tier, tier.value)),
            None => "as its baseline".to_owned(),
        },
        Standing::New => format!("new: baseline {} has no image of it", safe(&comparison.baseline)),
        Standing::Changed => {
            let broken: Vec<_> = comparison.tiers.iter().filter(|tier| !tier.holds).collect();
            let said = broken.iter().map(|found| {
                let sign = if found.tier.higher_is_alike() { '<' } else { '>' };
                format!("{} {} {sign} {}", found.tier, tier_value(found.tier, found.value), score(found.limit))
            });
            let said: Vec<_> = said.collect();
            if said.is_empty() {
                "changed: its size is another".to_owned()
            } else {
                format!("changed: {}", said.join(", "))
            }
        }
    }
}

/// What is left to do about images that a person rejected.
pub(crate) const AFTER_ALL: &str = "make other images, or accept one after all with `difftest accept ID`";

pub(crate) fn tier_value(tier: Tier, value: f64) -> String {
    match tier {
        Tier::Bit | Tier::Phash => format!("{value}"),
        // Never 1.000 for what is not equal.
        Tier::Ssim if value < 1.0 && score(value) == score(1.0) => format!("{value:.7}"),
        Tier::Pixel | Tier::Ssim | Tier::Semantic => score(value),
    }
}

/// The cases of a test that explain its verdict, the worst first: those farthest on the wrong side of a gate that does not hold, with
/// the score; then those that changed against their baseline.
#[must_use]
pub fn worst<'r>(suite: &'r SuiteResult, test: &'r TestResult, most: usize) -> Vec<(&'r CaseResult, String)> {
    let mut found: Vec<(&CaseResult, String)> = Vec::new();
    for gate in test.gates.iter().filter(|gate| !gate.result.holds) {
        let metric = &gate.result.metric;
        let scored = suite.cases_of(test).filter_map(|case| {
            let value = case.scores.iter().find(|score| score.metric == *metric)?.value?;
            let margin = evidence::margin(&gate.result, value)?;
            (margin < 0.0).then_some((margin, value, case))
        });
        let mut scored: Vec<_> = scored.collect();
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, value, case) in scored {
            if !found.iter().any(|(known, _)| known.id == case.id) {
                found.push((case, format!("{} {}", safe(metric), score(value))));
            }
        }
    }
    for case in suite.cases_of(test) {
        if let Some(compared) = case.comparison.as_ref().filter(|compared| compared.is_open())
            && !found.iter().any(|(known, _)| known.id == case.id)
        {
            found.push((case, comparison(compared)));
        }
    }
    found.truncate(most);
    found
}

/// Why a test did not pass, a sentence a line; empty for one that did.
#[must_use]
pub fn reasons(suite: &SuiteResult, test: &TestResult) -> Vec<String> {
    let mut lines = Vec::new();
    for error in &test.errors {
        let place = error.case.as_deref().filter(|case| !error.message.contains(case));
        let place = place.map(|case| format!("{}: ", safe(case))).unwrap_or_default();
        let line = format!("{place}{}", safe(&error.message));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.extend(test.gates.iter().filter(|record| !record.result.holds).map(|record| gate(test, record)));
    let standing = |wanted| {
        let open = suite.cases_of(test).filter_map(|case| case.comparison.as_ref()).filter(|found| found.is_open());
        let of = open.filter(|comparison| comparison.standing == wanted);
        let (rejected, undecided): (Vec<_>, Vec<_>) = of.partition(|comparison| comparison.is_rejected());
        [(undecided.len(), ""), (rejected.len(), ", rejected before")].into_iter().filter(|(images, _)| *images > 0)
    };
    for (images, said) in standing(Standing::Changed) {
        lines.push(format!("{} changed against the baseline{said}", count(images, "image")));
    }
    lines.extend(asked_otherwise(suite.cases_of(test)));
    for (images, said) in standing(Standing::New) {
        lines.push(format!("{} without a baseline{said}", count(images, "image")));
    }
    for record in &test.gates {
        let lost = record.result.evidence.as_ref().map(|evidence| evidence.lost.as_slice()).unwrap_or_default();
        if !record.result.holds && !lost.is_empty() {
            let named = lost.iter().take(5).map(|(prompt, change)| {
                let text =
                    suite.cases_of(test).find(|case| case.prompt.id == *prompt).map(|case| case.prompt.text.as_str());
                let text = text.map(|text| format!(" ({})", short(text, 60))).unwrap_or_default();
                format!("{}{text} {}", safe(prompt), score(*change))
            });
            lines.push(format!("lost most: {}", named.collect::<Vec<_>>().join(", ")));
        }
    }
    let power =
        |record: &GateRecord| Some(format!("{}: {}", safe(&record.result.metric), evidence::power(&record.result)?));
    lines.extend(test.gates.iter().filter_map(power));
    let evidence = test.gates.iter().filter_map(|record| record.result.evidence.as_ref());
    lines.extend(evidence.flat_map(|evidence| &evidence.notes).map(|note| safe(note)));
    if lines.is_empty() && test.verdict == Verdict::NotRun {
        lines.push("cut short before all of its cases were done".to_owned());
    }
    lines
}

/// `2 images are compared with one that was asked for otherwise: the prompt changed since the baseline was saved`, for each part of
/// a question that changed.
#[must_use]
pub fn asked_otherwise<'r>(cases: impl Iterator<Item = &'r CaseResult>) -> Vec<String> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for asked in cases.filter_map(|case| asked(case.comparison.as_ref()?)) {
        *found.entry(asked).or_default() += 1;
    }
    let line = |(asked, images)| {
        let be = if images == 1 { "is" } else { "are" };
        format!("{} {be} compared with what was asked for otherwise: {asked}", count(images, "image"))
    };
    found.into_iter().map(line).collect()
}

/// What to do next about a test that did not pass.
#[must_use]
pub fn next(suite: &SuiteResult, test: &TestResult) -> Option<String> {
    let open = || suite.cases_of(test).filter_map(|case| case.comparison.as_ref()).filter(|found| found.is_open());
    if open().any(|comparison| !comparison.is_rejected()) {
        return Some("look at the images with `difftest review`, and accept or reject them".to_owned());
    }
    if open().next().is_some() {
        return Some(format!("all of them were rejected: {AFTER_ALL}"));
    }
    test.errors.iter().find_map(|error| error.hint.clone())
}
