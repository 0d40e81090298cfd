//! What is said of a single case. Verdicts are said of tests; a person who looks at images wants to know which of them are to blame.
//!
//! Only what was judged of one image is said of it: an error, its comparison with a baseline, a bare threshold. Where a gate judges all
//! images of a test together, an image neither passes nor fails; it has a share in the verdict ([`super::share`]).

use difftest_core::event::Verdict;
use difftest_core::metric::Direction;
use difftest_core::visual::{Comparison, Standing};

use super::share::{self, Share};
use crate::evidence;
use crate::json::{CaseResult, CaseState, GateRecord, TestResult};

/// What is said of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The image or a score could not be made.
    Error,
    /// It is why a bare threshold of its test does not hold.
    Fail,
    /// It is not what its baseline is.
    Changed,
    /// Its baseline has no image for it.
    New,
    /// A gate of its test judges all images together: the verdict is the test's.
    Together(Verdict),
    /// Not done, or its test was not judged.
    NotJudged,
    /// Nothing is wrong with it.
    Pass,
}

impl Status {
    /// The words of all of them, the worst first.
    pub(super) const WORDS: [(&'static str, &'static str, &'static str); 7] = [
        ("error", "error", "!"),
        ("fail", "fail", "✕"),
        ("changed", "changed", "≠"),
        ("new", "new", "+"),
        ("together", share::TOGETHER, "Σ"),
        ("notjudged", "not judged", "–"),
        ("pass", "pass", "✓"),
    ];

    fn words(self) -> (&'static str, &'static str, &'static str) {
        Self::WORDS[match self {
            Self::Error => 0,
            Self::Fail => 1,
            Self::Changed => 2,
            Self::New => 3,
            Self::Together(_) => 4,
            Self::NotJudged => 5,
            Self::Pass => 6,
        }]
    }

    /// As the filter and the style sheet know it.
    pub(super) fn word(self) -> &'static str {
        self.words().0
    }

    /// As people read it.
    pub(super) fn label(self) -> &'static str {
        self.words().1
    }

    /// Beside a label, so that colour is never the only sign.
    pub(super) fn sign(self) -> &'static str {
        self.words().2
    }

    /// The order in which cases are shown: the worst first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Error => 0,
            Self::Fail => 1,
            Self::Together(Verdict::Fail) => 2,
            Self::Changed => 3,
            Self::New => 4,
            Self::Together(Verdict::Error | Verdict::Inconclusive) => 5,
            Self::NotJudged | Self::Together(Verdict::NotRun) => 6,
            Self::Together(Verdict::Pass) => 7,
            Self::Pass => 8,
        }
    }

    /// Whether a person should look at it.
    pub(super) fn needs_attention(self) -> bool {
        self.rank() < Self::NotJudged.rank()
    }
}

/// What is said of a case.
pub(super) struct Said<'a> {
    pub(super) status: Status,
    /// How bad it is among those of its status: larger is worse.
    pub(super) bad: f64,
    /// Its part in each gate that judges all images together.
    pub(super) shares: Vec<Share<'a>>,
}

/// What is said of each of a test's `cases`.
///
/// A bare threshold that does not hold blames the cases whose score lies outside of it, and all of them if it is none. How bad a case is
/// is what gates look at, each measured in the spread of its values: the loss against the baseline, the distance to a bound, else the
/// score.
pub(super) fn of_cases<'a>(test: Option<&'a TestResult>, cases: &[&'a CaseResult]) -> Vec<Said<'a>> {
    let mut said: Vec<Said<'a>> =
        cases.iter().map(|_| Said { status: Status::NotJudged, bad: f64::NEG_INFINITY, shares: Vec::new() }).collect();
    let mut blamed = vec![false; cases.len()];
    for (test, gate) in test.into_iter().flat_map(|test| test.gates.iter().map(move |gate| (test, gate))) {
        let bad: Vec<Option<f64>> = if share::is_together(test, gate) {
            let shares = share::of_gate(test, gate, cases);
            let some_lost = shares.iter().any(|share| share.loss().is_some());
            let bad = shares.iter().map(|share| if some_lost { share.loss() } else { share.by_score() }).collect();
            said.iter_mut().zip(shares).for_each(|(said, share)| said.shares.push(share));
            bad
        } else {
            if test.verdict == Verdict::Fail && !gate.result.holds {
                let outside: Vec<bool> = cases.iter().map(|case| is_outside(gate, case)).collect();
                let nobody = !outside.contains(&true);
                blamed.iter_mut().zip(outside).for_each(|(blamed, outside)| *blamed |= outside || nobody);
            }
            cases.iter().map(|case| short(test, gate, case)).collect()
        };
        let scale = scale(gate, &bad);
        for (said, bad) in said.iter_mut().zip(bad) {
            said.bad = bad.map(|bad| bad / scale).filter(|bad| bad.is_finite()).unwrap_or(said.bad).max(said.bad);
        }
    }
    for ((said, case), blamed) in said.iter_mut().zip(cases).zip(blamed) {
        said.bad = case.comparison.iter().flat_map(distances).fold(said.bad, f64::max);
        if !said.bad.is_finite() {
            said.bad = 0.0;
        }
        said.status = status(test, case, blamed, !said.shares.is_empty());
    }
    said
}

fn status(test: Option<&TestResult>, case: &CaseResult, blamed: bool, together: bool) -> Status {
    let standing = case.comparison.as_ref().map(|comparison| comparison.standing);
    match (case.state, standing, test.map(|test| test.verdict)) {
        (CaseState::Error, ..) => Status::Error,
        (CaseState::NotRun | CaseState::Unfinished, ..) => Status::NotJudged,
        (_, Some(Standing::Changed), _) => Status::Changed,
        (_, Some(Standing::New), _) => Status::New,
        _ if blamed => Status::Fail,
        (_, _, None | Some(Verdict::NotRun)) => Status::NotJudged,
        (_, _, Some(verdict)) if together || verdict == Verdict::Inconclusive => Status::Together(verdict),
        _ => Status::Pass,
    }
}

/// How far the score lies on the wrong side of a bare threshold; where that asks nothing, how low it is, or how high.
fn short(test: &TestResult, gate: &GateRecord, case: &CaseResult) -> Option<f64> {
    let value = score(case, &gate.result.metric)?;
    if let Some(margin) = evidence::margin(&gate.result, value) {
        return Some(-margin);
    }
    match test.metrics.iter().find(|metric| metric.name == gate.result.metric)?.direction {
        Direction::HigherIsBetter => Some(-value),
        Direction::LowerIsBetter => Some(value),
        Direction::Neither => None,
    }
}

fn is_outside(gate: &GateRecord, case: &CaseResult) -> bool {
    let margin = score(case, &gate.result.metric).and_then(|value| evidence::margin(&gate.result, value));
    margin.is_some_and(|margin| margin < 0.0)
}

/// The case's score by a metric.
pub(super) fn score(case: &CaseResult, metric: &str) -> Option<f64> {
    case.scores.iter().find(|score| score.metric == metric)?.value
}

/// What a gate's values are measured in, so that metrics of any unit can be set side by side: their spread.
fn scale(gate: &GateRecord, values: &[Option<f64>]) -> f64 {
    let values = values.iter().flatten().filter(|value| value.is_finite());
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    let bound = gate.result.bound.min.or(gate.result.bound.max).unwrap_or(0.0).abs();
    (most - least).max(bound * 0.05).max(f64::MIN_POSITIVE)
}

/// How far each tier that does not hold lies beyond its limit, as a share of the limit.
fn distances(comparison: &Comparison) -> impl Iterator<Item = f64> {
    let far = |value: f64, limit: f64| (value - limit).abs() / limit.abs().max(1e-6);
    comparison.tiers.iter().filter(|tier| !tier.holds).map(move |tier| far(tier.value, tier.limit))
}
