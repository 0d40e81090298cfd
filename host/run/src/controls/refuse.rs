//! Gates that say nothing, because their metric cannot tell images that are no good.

use difftest_core::calibrate::{Control, ControlOutcome, blind, cannot_gate, side};
use difftest_core::event::ErrorInfo;
use difftest_core::metric::MetricKind;
use difftest_core::plan::TestPlan;

use super::subject::Scores;

/// Why gates of a test are no judgement, each different reason once. `scores` are the controls of the metric at an index. Set metrics
/// look at all images together and have none.
///
/// Which way scores are better is the gate's to say: one that bounds both sides holds out what scores too well.
pub(crate) fn refused<'s>(
    test: &TestPlan,
    scores: impl Fn(usize) -> Result<Vec<Scores<'s>>, ErrorInfo>,
) -> Vec<ErrorInfo> {
    let mut errors: Vec<ErrorInfo> = Vec::new();
    for (index, (wanted, info)) in test.metrics.iter().enumerate() {
        let gates: Vec<_> = test.gates.iter().filter(|gate| gate.metric == wanted.name).collect();
        if gates.is_empty() || info.kind == MetricKind::Set {
            continue;
        }
        let scores = match scores(index) {
            Ok(scores) => scores,
            Err(error) => {
                errors
                    .push(ErrorInfo { message: format!("controls of `{}`: {}", wanted.name, error.message), ..error });
                continue;
            }
        };
        for gate in gates {
            let controls: Vec<Control> = scores.iter().map(|scores| scores.control(side(&gate.bound))).collect();
            let prompts = scores.first().map_or(0, Scores::prompts);
            errors.extend(refusal(&wanted.name, &controls, prompts).filter(|error| !errors.contains(error)));
        }
    }
    errors
}

fn refusal(metric: &str, controls: &[Control], prompts: usize) -> Option<ErrorInfo> {
    let (message, hint) = if let Some(control) = blind(controls) {
        let message = format!("`{metric}` cannot gate here: {}", cannot_gate(control));
        (
            message,
            "no threshold on it keeps such images out: judge by another metric too, in a test without `controls` judge by this one",
        )
    } else if controls.iter().any(|control| control.outcome == ControlOutcome::TooFew) {
        let message =
            format!("whether `{metric}` can gate here cannot be said: {prompts} prompts are too few for its controls");
        (message, "give the test more prompts, at least 5 (6 where both sides are bounded), or leave out `controls`")
    } else {
        return None;
    };
    Some(ErrorInfo { kind: "control".into(), message, hint: Some(hint.into()), case: None })
}
