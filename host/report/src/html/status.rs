//! What is said of a single case. Verdicts are said of tests; a person who looks at images wants to know which of them are to blame.

use difftest_core::event::Verdict;
use difftest_core::metric::Direction;
use difftest_core::visual::{Comparison, Standing};

use crate::evidence;
use crate::json::{CaseResult, CaseState, GateRecord, TestResult};

/// The worst first: the order in which cases are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Status {
    /// The image or a score could not be made.
    Error,
    /// It is why a gate of its test does not hold.
    Fail,
    /// It is not what its baseline is.
    Changed,
    /// Its baseline has no image for it.
    New,
    /// Its test has too few or too noisy scores.
    Inconclusive,
    /// Not done, or its test was not judged.
    NotJudged,
    /// Nothing is wrong with it.
    Pass,
}

impl Status {
    pub(super) const ALL: [Self; 7] =
        [Self::Error, Self::Fail, Self::Changed, Self::New, Self::Inconclusive, Self::NotJudged, Self::Pass];

    /// As people read it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Fail => "fail",
            Self::Changed => "changed",
            Self::New => "new",
            Self::Inconclusive => "inconclusive",
            Self::NotJudged => "not judged",
            Self::Pass => "pass",
        }
    }

    /// As the filter and the style sheet know it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotJudged => "notjudged",
            other => other.label(),
        }
    }

    /// Whether a person should look at it.
    pub(super) fn needs_attention(self) -> bool {
        !matches!(self, Self::Pass | Self::NotJudged)
    }

    /// Beside a label, so that colour is never the only sign.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Error => "!",
            Self::Fail => "✕",
            Self::Changed => "≠",
            Self::New => "+",
            Self::Inconclusive => "?",
            Self::NotJudged => "–",
            Self::Pass => "✓",
        }
    }
}

/// The status of each of a test's `cases`, and how bad each is among those of its status: larger is worse.
///
/// A failed gate blames the cases whose score lies outside of its bound, and those of the prompts that lost most against the
/// baseline; a gate that blames nobody (a set metric, an interval) blames all of them: a failed test has failed cases.
pub(super) fn of_cases(test: Option<&TestResult>, cases: &[&CaseResult]) -> Vec<(Status, f64)> {
    let mut blamed = vec![false; cases.len()];
    let failing = test.filter(|test| test.verdict == Verdict::Fail).map_or(&[][..], |test| &test.gates);
    for gate in failing.iter().filter(|gate| !gate.result.holds) {
        let blames: Vec<bool> = cases.iter().map(|case| blames(gate, case)).collect();
        let nobody = !blames.contains(&true);
        blamed.iter_mut().zip(blames).for_each(|(blamed, now)| *blamed |= now || nobody);
    }
    let scales: Vec<f64> = test.map_or(&[][..], |test| &test.gates).iter().map(|gate| scale(gate, cases)).collect();
    let one = |(case, blamed): (&&CaseResult, bool)| {
        let gates = test.map_or(&[][..], |test| &test.gates);
        let short = gates.iter().zip(&scales).filter_map(|(gate, scale)| {
            let value = score(case, &gate.result.metric)?;
            let short = match evidence::margin(&gate.result, value) {
                Some(margin) => -margin,
                // nothing is asked of a single image: then the lowest scores are the worst, or the highest
                None => match test?.metrics.iter().find(|metric| metric.name == gate.result.metric)?.direction {
                    Direction::HigherIsBetter => -value,
                    Direction::LowerIsBetter => value,
                    Direction::Neither => return None,
                },
            };
            Some(short / scale).filter(|short| short.is_finite())
        });
        let apart = case.comparison.iter().flat_map(distances);
        let bad = short.chain(apart).fold(f64::NEG_INFINITY, f64::max);
        (status(test, case, blamed), if bad.is_finite() { bad } else { 0.0 })
    };
    cases.iter().zip(blamed).map(one).collect()
}

fn status(test: Option<&TestResult>, case: &CaseResult, blamed: bool) -> Status {
    let standing = case.comparison.as_ref().map(|comparison| comparison.standing);
    match (case.state, standing, test.map(|test| test.verdict)) {
        (CaseState::Error, ..) => Status::Error,
        (CaseState::NotRun | CaseState::Unfinished, ..) => Status::NotJudged,
        (_, Some(Standing::Changed), _) => Status::Changed,
        (_, Some(Standing::New), _) => Status::New,
        _ if blamed => Status::Fail,
        (_, _, Some(Verdict::Inconclusive)) => Status::Inconclusive,
        (_, _, None | Some(Verdict::NotRun)) => Status::NotJudged,
        _ => Status::Pass,
    }
}

fn blames(gate: &GateRecord, case: &CaseResult) -> bool {
    let outside = score(case, &gate.result.metric).and_then(|value| evidence::margin(&gate.result, value));
    let outside = outside.is_some_and(|margin| margin < 0.0);
    let lost = gate.result.evidence.iter().flat_map(|evidence| &evidence.lost);
    outside || lost.clone().any(|(prompt, change)| *prompt == case.prompt.id && *change != 0.0)
}

/// The case's score by a metric.
pub(super) fn score(case: &CaseResult, metric: &str) -> Option<f64> {
    case.scores.iter().find(|score| score.metric == metric)?.value
}

/// What a difference of a gate's scores is measured in, so that metrics of any unit can be set side by side: their spread.
fn scale(gate: &GateRecord, cases: &[&CaseResult]) -> f64 {
    let values = cases.iter().filter_map(|case| score(case, &gate.result.metric));
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let bound = gate.result.bound.min.or(gate.result.bound.max).unwrap_or(0.0).abs();
    (most - least).max(bound * 0.05).max(f64::MIN_POSITIVE)
}

/// How far each tier that does not hold lies beyond its limit, as a share of the limit.
fn distances(comparison: &Comparison) -> impl Iterator<Item = f64> {
    let far = |value: f64, limit: f64| (value - limit).abs() / limit.abs().max(1e-6);
    comparison.tiers.iter().filter(|tier| !tier.holds).map(move |tier| far(tier.value, tier.limit))
}
