//! What a shard says of its tests, held against what follows from its images and scores.
//!
//! A recording may come from anywhere, so its verdicts are not taken over: every test is judged here, by the gates of the frozen plan. What
//! cannot be judged here is a gate on a baseline, for the baseline is where the shard ran; of such a gate it is checked that what is said of it
//! agrees with itself and with the scores.
//!
//! Numbers are compared with a little room: machines may round a logarithm differently.

use difftest_core::event::{Event, Outcome, Verdict};
use difftest_core::gate::{Decision, GateResult, Judged, TestScores, verdict_of};
use difftest_core::metric::MetricKind;
use difftest_core::stats::{ByPrompt, mean};
use difftest_core::visual::{Comparison, Standing, TierResult};
use serde_json::Value;

use super::MergeError;
use super::gather::Judgement;
use super::told::Told;

/// How far two numbers may be apart that are the same, as a share of the larger.
const ROUNDING: f64 = 1e-9;

/// That everything is there which a finished test has: of each finished case its image, its comparison and its scores, and those of all
/// images together. A test with an error is not held to that: it is an error in any case.
pub(super) fn complete(suite: &str, told: &Told<'_>) -> Result<(), MergeError> {
    if !told.test.errors.is_empty() {
        return Ok(());
    }
    let misfit = |shard: u32, what: String| Err(MergeError::Misfit { shard, what });
    for (_, case, info) in told.cases.iter().filter(|(_, case, _)| case.finished) {
        let lacks =
            |what: &str| misfit(case.shard, format!("its case {} has {what}, and is said to be finished", info.id));
        let hidden = |what: &str| {
            misfit(case.shard, format!("{what} of its case {} is an error, which is not told of its test", info.id))
        };
        match &case.generated {
            Some(Event::Generated { outcome: Outcome::Ok(_), .. }) => {}
            Some(_) => return hidden("the image"),
            None => return lacks("no image"),
        }
        match &case.compared {
            Some(Event::Compared { outcome: Outcome::Ok(comparison), .. }) if is_sound(comparison) => {}
            Some(Event::Compared { outcome: Outcome::Ok(_), .. }) => {
                return misfit(case.shard, format!("the comparison of its case {} contradicts itself", info.id));
            }
            Some(_) => return hidden("the comparison"),
            None if told.frozen.visual => return lacks("no comparison with its baseline"),
            None => {}
        }
        let each = told.info.metrics.iter().enumerate().filter(|(_, metric)| metric.kind != MetricKind::Set);
        for (index, metric) in each {
            match case.scored.get(&index) {
                Some(Event::Scored { outcome: Outcome::Ok(_), .. }) => {}
                Some(_) => return hidden(&format!("`{}`", metric.name)),
                None => return lacks(&format!("no score of `{}`", metric.name)),
            }
        }
    }
    let sets = told.info.metrics.iter().enumerate().filter(|(_, metric)| metric.kind == MetricKind::Set);
    for (index, metric) in sets.filter(|_| told.has_all_cases()) {
        let (test, name) = (&told.info.name, &metric.name);
        match told.test.sets.get(&index) {
            Some(Event::SetScored { outcome: Outcome::Ok(_), .. }) => {}
            Some(_) => {
                return misfit(
                    told.shard(),
                    format!("`{name}` of its test `{suite}::{test}` is an error, which is not told"),
                );
            }
            None => return misfit(told.shard(), format!("its test `{suite}::{test}` has no score of `{name}`")),
        }
    }
    Ok(())
}

/// Whether what is said of an image beside its baseline follows from what was found.
fn is_sound(comparison: &Comparison) -> bool {
    let tier = |tier: &TierResult| *tier == TierResult::new(tier.tier, tier.value, tier.limit);
    let same = comparison.expected.is_some() && comparison.tiers.iter().all(|tier| tier.holds);
    comparison.tiers.iter().all(tier) && (comparison.standing != Standing::Same || same)
}

/// The gates of a test that one shard had whole: `own` where they can be judged here, and then what the shard says has to be the same.
/// `correction`: whether all gates of the suite can be.
pub(super) fn agreed(
    suite: &str,
    told: &Told<'_>,
    said: &Judgement,
    own: Judged,
    correction: bool,
) -> Result<Judged, MergeError> {
    if !told.test.errors.is_empty() {
        // An error in any case; which of its gates could be judged all the same is of no consequence.
        return Ok(Judged { verdict: Verdict::Error, gates: said.gates.clone(), errors: Vec::new() });
    }
    let name = format!("`{suite}::{}`", told.info.name);
    let misfit = |what: String| Err(MergeError::Misfit { shard: said.shard, what });
    if said.gates.len() != own.gates.len() {
        return misfit(format!("it judged {} of the {} gates of its test {name}", said.gates.len(), own.gates.len()));
    }
    let mut gates = Vec::with_capacity(own.gates.len());
    for ((gate, said), own) in told.frozen.gates.iter().zip(&said.gates).zip(own.gates) {
        let agrees = if gate.check.needs_baseline() {
            (&said.metric, said.rule) == (&own.metric, own.rule)
                && agrees_with_itself(said)
                && agrees_with_scores(said, &told.scores())
        } else if gate.check.is_statistical() && !correction {
            agrees_with_itself(said) && alike(&uncorrected(said), &uncorrected(&own))
        } else {
            alike(&json(said), &json(&own))
        };
        if !agrees {
            let value = |gate: &GateResult| match gate.value {
                Some(value) => format!("{value} {}", if gate.holds { "holds" } else { "does not hold" }),
                None => "no value".to_owned(),
            };
            return misfit(format!(
                "it says of the gate of `{}` of its test {name}: {}; from its scores follows: {}",
                gate.metric,
                value(said),
                value(&own)
            ));
        }
        gates.push(if gate.check.is_statistical() && !correction || gate.check.needs_baseline() {
            said.clone()
        } else {
            own
        });
    }
    Ok(Judged { verdict: verdict_of(&gates), gates, errors: Vec::new() })
}

/// That a test came to what the shard says. An image that is not as its baseline fails its test here, also where the shard's run accepted it:
/// that was said of the baseline there.
pub(super) fn verdict(suite: &str, told: &Told<'_>, said: &Judgement, own: Verdict) -> Result<(), MergeError> {
    let accepted = told.is_pending() && own == Verdict::Fail;
    if said.verdict == own || accepted {
        return Ok(());
    }
    let word = |verdict: Verdict| serde_json::to_value(verdict).ok().and_then(|v| Some(v.as_str()?.to_owned()));
    let what = format!(
        "it says that its test `{suite}::{}` came to `{}`; from its images and scores follows `{}`",
        told.info.name,
        word(said.verdict).unwrap_or_default(),
        word(own).unwrap_or_default()
    );
    Err(MergeError::Misfit { shard: said.shard, what })
}

fn agrees_with_itself(gate: &GateResult) -> bool {
    match (&gate.evidence, gate.value) {
        (Some(evidence), Some(value)) => {
            gate.holds == (evidence.decision == Decision::Pass) && is_near(value, evidence.estimate)
        }
        (None, None) => !gate.holds,
        _ => false,
    }
}

/// Whether the difference to the baseline is that of the scores to what is said of the baseline. Where some cases are compared with nothing,
/// the baseline's mean is of the others alone, and nothing can be said.
fn agrees_with_scores(gate: &GateResult, test: &TestScores<'_>) -> bool {
    let values = test.metrics.get(gate.metric.as_str()).map(|scores| scores.values.as_slice()).unwrap_or_default();
    let Some(evidence) = gate.evidence.as_ref().filter(|evidence| evidence.unpaired.is_empty()) else { return true };
    let (Some(before), Some(values)) = (evidence.baseline, values.iter().copied().collect::<Option<Vec<f64>>>()) else {
        return false;
    };
    let now = mean(&ByPrompt::of(test.cases.iter().map(|case| case.prompt).zip(values)).means());
    (now - before - evidence.estimate).abs() <= ROUNDING * now.abs().max(before.abs()).max(1.0)
}

/// A gate without what depends on the other gates of its suite.
fn uncorrected(gate: &GateResult) -> Value {
    let mut gate = gate.clone();
    gate.holds = false;
    if let Some(evidence) = &mut gate.evidence {
        evidence.p_adjusted = None;
        evidence.decision = Decision::Inconclusive;
        evidence.notes.clear();
    }
    json(&gate)
}

fn json(gate: &GateResult) -> Value {
    serde_json::to_value(gate).unwrap_or_default()
}

fn is_near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= ROUNDING * a.abs().max(b.abs()).max(1.0)
}

/// Whether two documents are equal but for rounding.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| is_near(a, b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}
