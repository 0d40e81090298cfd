//! From scores to verdicts.
//!
//! ```text
//! scores of a test -> each gate: value, interval, p -> Holm over the statistical gates of the suite -> decisions -> verdict
//! ```

use std::collections::BTreeMap;

use super::interval::{Limit, adjust, lost, of_mean, of_share};
use super::pairs::{self, Pairs};
use super::{Bound, Check, Decision, Evidence, Gate, GateResult, Statistic};
use crate::baseline::Baseline;
use crate::event::{ErrorInfo, Verdict};
use crate::stats::{ByPrompt, holm, mean};

/// What a test is judged by.
#[derive(Clone, Debug)]
pub struct TestScores<'a> {
    /// Its gates.
    pub gates: &'a [Gate],
    /// Its cases, in their order.
    pub cases: Vec<CaseOf<'a>>,
    /// Scores by metric; those of its gates are enough.
    pub metrics: BTreeMap<&'a str, MetricScores>,
}

/// A case as gates need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseOf<'a> {
    /// Its id: what a baseline knows it by.
    pub id: &'a str,
    /// The id of its prompt.
    pub prompt: &'a str,
}

/// The scores of a metric over a test.
#[derive(Clone, Debug, Default)]
pub struct MetricScores {
    /// One for each case, in the order of the cases, or a single one for a set metric; `None` where there is no score.
    pub values: Vec<Option<f64>>,
    /// Key of the exact metric: scores of a baseline under another key are not comparable.
    pub key: String,
}

impl MetricScores {
    /// How many there are.
    fn known(&self) -> usize {
        self.values.iter().flatten().filter(|score| score.is_finite()).count()
    }
}

/// What the gates on a baseline compare with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Against<'a> {
    /// The baseline, where there is one.
    pub baseline: Option<&'a Baseline>,
    /// The class of environments of this run.
    pub environment: &'a str,
}

/// A test, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// In the order of its gates.
    pub gates: Vec<GateResult>,
    /// Why a gate could not compare with the baseline; each different one once.
    pub errors: Vec<ErrorInfo>,
}

/// Judges tests of one suite together: Holm's correction is over all statistical gates of them. The answers are in the order of
/// `tests`.
///
/// - [`Verdict::Error`] when a gate's metric has no cases or misses a score (one that is not finite is missing), or when a gate on a
///   baseline has nothing to compare with: what could not be computed is neither a pass nor a failure. Such a gate has no value and
///   does not hold.
/// - [`Verdict::Fail`] when a gate does not hold; for one that asks for proof, when that is proven.
/// - [`Verdict::Inconclusive`] when a gate is neither shown to hold nor not to hold, or when it would hold and fewer than half of its
///   prompts ask what they asked when the baseline was saved.
/// - [`Verdict::Pass`] otherwise; without gates the scores are reported, not judged.
///
/// Only the metrics of gates are asked for: that another metric misses a score is for the caller to turn into an error.
#[must_use]
pub fn judge_suite(tests: &[TestScores<'_>], against: &Against<'_>) -> Vec<Judged> {
    let mut judged: Vec<Judged> = tests
        .iter()
        .map(|test| {
            let mut errors: Vec<ErrorInfo> = Vec::new();
            let gates = test.gates.iter().map(|gate| {
                gate.apply(test, against).unwrap_or_else(|error| {
                    if !errors.contains(&error) {
                        errors.push(error);
                    }
                    gate.result(None, test.metrics.get(gate.metric.as_str()).map_or(0, MetricScores::known))
                })
            });
            Judged { gates: gates.collect(), verdict: Verdict::Error, errors }
        })
        .collect();
    correct(&mut judged);
    for (test, judged) in tests.iter().zip(&mut judged) {
        judged.gates.iter_mut().for_each(|gate| pairs::enough(gate, test));
    }
    for test in &mut judged {
        test.verdict = verdict_of(&test.gates);
    }
    judged
}

/// Judges one test whose scores are each of a prompt of its own, without a baseline. `scores` gives the scores of a metric.
#[must_use]
pub fn judge(gates: &[Gate], scores: impl Fn(&str) -> Vec<Option<f64>>) -> (Verdict, Vec<GateResult>) {
    let metrics: BTreeMap<&str, MetricScores> = gates
        .iter()
        .map(|gate| (gate.metric.as_str(), MetricScores { values: scores(&gate.metric), key: String::new() }))
        .collect();
    let most = metrics.values().map(|scores| scores.values.len()).max().unwrap_or(0);
    let names: Vec<String> = (0..most).map(|index| format!("p{index}")).collect();
    let cases = names.iter().map(|name| CaseOf { id: name, prompt: name }).collect();
    let mut judged = judge_suite(&[TestScores { gates, cases, metrics }], &Against::default());
    judged.pop().map(|test| (test.verdict, test.gates)).unwrap_or((Verdict::Error, Vec::new()))
}

/// What a test comes to by its gates, as [`judge_suite`] says.
#[must_use]
pub fn verdict_of(gates: &[GateResult]) -> Verdict {
    let decisions: Option<Vec<Decision>> = gates.iter().map(GateResult::decision).collect();
    match decisions {
        None => Verdict::Error,
        Some(decisions) if decisions.contains(&Decision::Fail) => Verdict::Fail,
        Some(decisions) if decisions.contains(&Decision::Inconclusive) => Verdict::Inconclusive,
        Some(_) => Verdict::Pass,
    }
}

/// Holm's correction over everything that has a p-value.
fn correct(tests: &mut [Judged]) {
    let mut tested: Vec<&mut GateResult> = tests.iter_mut().flat_map(|test| &mut test.gates).collect();
    tested.retain(|gate| p_of(gate).is_some());
    let p: Vec<f64> = tested.iter().filter_map(|gate| p_of(gate)).collect();
    for (gate, adjusted) in tested.into_iter().zip(holm(&p)) {
        if let Some(evidence) = &mut gate.evidence {
            let (strict, permuted) = (gate.rule == super::Rule::Improved, gate.rule != super::Rule::Rate);
            adjust(evidence, strict, adjusted, p.len(), permuted);
            gate.holds = evidence.decision == Decision::Pass;
        }
    }
}

fn p_of(gate: &GateResult) -> Option<f64> {
    gate.evidence.as_ref().and_then(|evidence| evidence.p)
}

impl Gate {
    fn result(&self, value: Option<f64>, scores: usize) -> GateResult {
        GateResult {
            metric: self.metric.clone(),
            of: self.of,
            bound: self.bound,
            value,
            scores,
            holds: value.is_some_and(|value| self.bound.holds(value)),
            rule: self.check.rule(),
            evidence: None,
        }
    }

    fn weighed(&self, evidence: Evidence, bound: Bound, scores: usize) -> GateResult {
        GateResult {
            of: Statistic::Mean,
            bound,
            value: Some(evidence.estimate),
            holds: evidence.decision == Decision::Pass,
            evidence: Some(evidence),
            ..self.result(None, scores)
        }
    }

    /// The side of a gate with one: its limit, and whether that is a minimum.
    fn limit(&self) -> Limit {
        let strict = matches!(self.check, Check::Improved { .. });
        match (self.bound.min, self.bound.max) {
            (Some(value), _) => Limit { value, at_least: true, strict },
            (None, max) => Limit { value: max.unwrap_or(f64::INFINITY), at_least: false, strict },
        }
    }

    fn apply(&self, test: &TestScores<'_>, against: &Against<'_>) -> Result<GateResult, ErrorInfo> {
        let nothing = MetricScores::default();
        let scores = test.metrics.get(self.metric.as_str()).unwrap_or(&nothing);
        let present: Vec<f64> = scores.values.iter().flatten().copied().filter(|score| score.is_finite()).collect();
        let images = present.len();
        if images < scores.values.len() || images == 0 {
            // A baseline that is not there is told also where a score is missing.
            self.baseline(against)?;
            return Ok(self.result(None, images));
        }
        let prompts = test.cases.iter().map(|case| case.prompt);
        let by_prompt = |values: &[f64]| ByPrompt::of(prompts.clone().zip(values.iter().copied()));
        let passes = || present.iter().map(|&score| f64::from(u8::from(self.bound.holds(score)))).collect::<Vec<_>>();
        Ok(match self.check {
            Check::Bound => self.result(self.of.of(&present), images),
            Check::Floor => self.weighed(of_mean(&by_prompt(&present), self.limit(), None), self.bound, images),
            Check::NoWorseThanBaseline { .. } | Check::Improved { .. } => {
                let Pairs { prompts, now, before, unpaired } = self.pairs(test, &present, &scores.key, against)?;
                let of = |values: &[f64]| ByPrompt::of(prompts.iter().copied().zip(values.iter().copied()));
                let differences: Vec<f64> = now.iter().zip(&before).map(|(now, before)| now - before).collect();
                let differences = of(&differences);
                let wanted = match self.check {
                    Check::NoWorseThanBaseline { margin } => Some(margin),
                    _ => None,
                };
                let limit = self.limit();
                let mut evidence = Evidence {
                    baseline: Some(mean(&of(&before).means())),
                    lost: lost(&differences, limit.at_least),
                    ..of_mean(&differences, limit, wanted)
                };
                evidence.notes.extend(pairs::told(&unpaired));
                evidence.unpaired = unpaired;
                self.weighed(evidence, self.bound, now.len())
            }
            Check::Rate { share } => {
                let passes = passes();
                let limit = Limit { value: share, at_least: true, strict: false };
                let evidence = of_share(&by_prompt(&passes), limit, mean(&passes));
                let evidence = Evidence { each: Some(self.bound), ..evidence };
                self.weighed(evidence, Bound { min: Some(share), max: None }, images)
            }
            Check::Similar { at_least } => {
                let (inside, wanted) = (passes().iter().sum::<f64>(), at_least.of(images) as f64);
                let decision = if inside >= wanted { Decision::Pass } else { Decision::Fail };
                let evidence = Evidence {
                    decision,
                    prompts: by_prompt(&present).len(),
                    estimate: inside,
                    limit: wanted,
                    at_least: true,
                    each: Some(self.bound),
                    ..Evidence::default()
                };
                self.weighed(evidence, Bound { min: Some(wanted), max: None }, images)
            }
        })
    }
}
