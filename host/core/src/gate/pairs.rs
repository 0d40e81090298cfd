//! Scores of a test beside those that a baseline has for the same cases.
//!
//! A case is a pair where the baseline has a score of the same metric for the same question. One whose question changed since
//! ([`Baseline::ask`]) is left out and named; that the baseline has nothing for a case is an error, for then somebody added prompts
//! and nobody knows how they were before.

use super::judge::{Against, TestScores};
use super::{Decision, Gate, GateResult, Unpaired};
use crate::baseline::Baseline;
use crate::event::ErrorInfo;

/// How many cases a note names.
const NAMED: usize = 3;

/// The pairs of a test: one entry of each list for each.
pub(super) struct Pairs<'a> {
    /// The prompt's id.
    pub(super) prompts: Vec<&'a str>,
    pub(super) now: Vec<f64>,
    pub(super) before: Vec<f64>,
    /// The cases that have none.
    pub(super) unpaired: Vec<Unpaired>,
}

impl Gate {
    /// The baseline of a gate that needs one, if it may be compared with; `None` for a gate that needs none.
    pub(super) fn baseline<'a>(&self, against: &Against<'a>) -> Result<Option<&'a Baseline>, ErrorInfo> {
        if !self.check.needs_baseline() {
            return Ok(None);
        }
        let Some(baseline) = against.baseline else { return Err(no_baseline(&self.metric)) };
        if baseline.info.environment != against.environment {
            return Err(error(
                "baseline-environment",
                format!(
                    "baseline `{}` was made in the environment {}, this run is in {}: their scores are not compared",
                    baseline.info.name, baseline.info.environment, against.environment
                ),
                "save a baseline in this environment with `difftest baseline save`",
            ));
        }
        Ok(Some(baseline))
    }

    /// `now`, the scores of the cases, beside the baseline's of the metric with this key.
    pub(super) fn pairs<'a>(
        &self,
        test: &TestScores<'a>,
        now: &[f64],
        key: &str,
        against: &Against<'_>,
    ) -> Result<Pairs<'a>, ErrorInfo> {
        let Some(baseline) = self.baseline(against)? else { return Err(no_baseline(&self.metric)) };
        let mut pairs = Pairs { prompts: Vec::new(), now: Vec::new(), before: Vec::new(), unpaired: Vec::new() };
        let mut missing = Vec::new();
        for (case, now) in test.cases.iter().zip(now) {
            if let Some(change) = baseline.changed.get(case.id) {
                pairs.unpaired.push(Unpaired { case: case.id.to_owned(), changed: change.named().to_owned() });
            } else if let Some(before) = baseline.score(case.id, &self.metric, key) {
                pairs.prompts.push(case.prompt);
                pairs.now.push(*now);
                pairs.before.push(before);
            } else {
                missing.push(case.id);
            }
        }
        if let Some(first) = missing.first() {
            return Err(self.incomplete(baseline, first, missing.len(), test.cases.len()));
        }
        if pairs.now.is_empty() {
            return Err(error(
                "baseline-question",
                format!(
                    "baseline `{}` answers other questions in all {} cases: {}",
                    baseline.info.name,
                    test.cases.len(),
                    told(&pairs.unpaired).join("; ")
                ),
                "save the baseline anew with `difftest baseline save`: scores of other prompts, seeds or settings say nothing of these",
            ));
        }
        Ok(pairs)
    }

    /// Why a gate cannot be judged whose baseline lacks the scores of some cases.
    fn incomplete(&self, baseline: &Baseline, case: &str, count: usize, cases: usize) -> ErrorInfo {
        let name = &baseline.info.name;
        let known = baseline.cases.get(case);
        if known.is_some_and(|known| known.scores.contains_key(&self.metric)) {
            return error(
                "baseline-metric",
                format!(
                    "baseline `{name}` has scores of another `{}`: its variant, models, plugin or config were others",
                    self.metric
                ),
                "scores of different metrics are not comparable: save the baseline anew with `difftest baseline save`",
            );
        }
        let what = if known.is_some() { format!("no score of `{}`", self.metric) } else { "nothing".to_owned() };
        error(
            "baseline-incomplete",
            format!("baseline `{name}` has {what} for {count} of {cases} cases, such as {case}"),
            "both sides need the same prompts and seeds: save the baseline anew with `difftest baseline save`",
        )
    }
}

/// A pass that rests on fewer than half of the prompts is none: whoever changes the prompts that lose would turn a gate green.
pub(super) fn enough(gate: &mut GateResult, test: &TestScores<'_>) {
    let Some(evidence) = gate.evidence.as_mut().filter(|evidence| !evidence.unpaired.is_empty()) else { return };
    let mut prompts: Vec<&str> = test.cases.iter().map(|case| case.prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    if evidence.decision == Decision::Pass && evidence.prompts * 2 < prompts.len() {
        evidence.decision = Decision::Inconclusive;
        evidence.notes.push(format!(
            "{} of {} prompts are paired, too few to pass: save the baseline anew with `difftest baseline save`",
            evidence.prompts,
            prompts.len()
        ));
        gate.holds = false;
    }
}

/// `prompt changed since the baseline was saved, so not paired: s::t[p0,seed=1] and 3 more`, for each part of a question.
pub(super) fn told(unpaired: &[Unpaired]) -> Vec<String> {
    let mut parts: Vec<&str> = Vec::new();
    for one in unpaired {
        if !parts.contains(&one.changed.as_str()) {
            parts.push(&one.changed);
        }
    }
    let note = |part: &str| {
        let cases: Vec<&str> = unpaired.iter().filter(|one| one.changed == part).map(|one| one.case.as_str()).collect();
        let mut named = cases.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        if cases.len() > NAMED {
            named += &format!(" and {} more", cases.len() - NAMED);
        }
        format!("{part} changed since the baseline was saved, so not paired: {named}")
    };
    parts.into_iter().map(note).collect()
}

/// Why a gate on a baseline cannot be judged where the run has none.
#[must_use]
pub fn no_baseline(metric: &str) -> ErrorInfo {
    error(
        "no-baseline",
        format!("a gate of `{metric}` compares with a baseline, and this run has none"),
        "name it: baseline = \"NAME\" in the suite, or --baseline NAME; `difftest run --update --baseline NAME` makes it",
    )
}

fn error(kind: &str, message: String, hint: &str) -> ErrorInfo {
    ErrorInfo { kind: kind.to_owned(), message, hint: Some(hint.to_owned()), case: None }
}
