//! From scores to verdicts.

use super::{Gate, GateResult};
use crate::event::Verdict;

/// Judges a test. `scores` gives the scores of a metric, one entry for each case in the order of the cases; `None` where there is no
/// score. The results are in the order of `gates`.
///
/// - [`Verdict::Error`] when a gate's metric has no cases or misses a score (one that is not finite is missing): what could not be
///   computed is neither a pass nor a failure. Such a gate has no value and does not hold.
/// - [`Verdict::Fail`] when a gate does not hold.
/// - [`Verdict::Pass`] otherwise; without gates the scores are reported, not judged.
///
/// Only the metrics of gates are asked for: that another metric misses a score is for the caller to turn into an error.
#[must_use]
pub fn judge(gates: &[Gate], scores: impl Fn(&str) -> Vec<Option<f64>>) -> (Verdict, Vec<GateResult>) {
    let results: Vec<GateResult> = gates.iter().map(|gate| gate.apply(&scores(&gate.metric))).collect();
    let verdict = if results.iter().any(|result| result.value.is_none()) {
        Verdict::Error
    } else if results.iter().all(|result| result.holds) {
        Verdict::Pass
    } else {
        Verdict::Fail
    };
    (verdict, results)
}

impl Gate {
    fn apply(&self, scores: &[Option<f64>]) -> GateResult {
        let present: Vec<f64> = scores.iter().flatten().copied().filter(|score| score.is_finite()).collect();
        let complete = present.len() == scores.len();
        let value = if complete { self.of.of(&present) } else { None };
        GateResult {
            metric: self.metric.clone(),
            of: self.of,
            bound: self.bound,
            value,
            scores: present.len(),
            holds: value.is_some_and(|value| self.bound.holds(value)),
            rule: self.check.rule(),
            evidence: None,
        }
    }
}
