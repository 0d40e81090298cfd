//! Images that are no good: what a metric makes of them says whether it can gate.
//!
//! A threshold is a promise that a model which makes bad images fails. The plainest bad images are a black frame and noise, and, for a
//! metric that reads prompts, a good image of something else. A metric that scores one of them as well as the real ones cannot keep the
//! promise, and that it tells the others does not make up for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::Bound;
use crate::metric::Direction;
use crate::stats::{self, ByPrompt, mean, sign_flip};

/// The share of prompts that a control has to be worse in.
const WORSE_IN: f64 = 0.9;

/// How sure it has to be that a control is worse.
const SIGNIFICANT: f64 = 0.05;

/// Images that are no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ControlKind {
    /// Every pixel black.
    Black,
    /// Every pixel random.
    Noise,
    /// The right images under the prompts of others.
    ShuffledPrompts,
}

/// What a metric makes of a control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// Which.
    pub kind: ControlKind,
    /// Mean of the control's scores.
    pub mean: f64,
    /// Mean of the real images' scores, of the same cases.
    pub real: f64,
    /// What follows.
    pub outcome: ControlOutcome,
}

/// Whether a metric tells a control from the real images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ControlOutcome {
    /// It does: the control is worse for nine prompts out of ten, and not by chance.
    Separated,
    /// It does, and takes the control for the better one. A bound on the bad side lets it pass; one on both sides need not.
    Better,
    /// It does not.
    NotSeparated,
    /// There are too few prompts to say.
    TooFew,
    /// The metric does not look at what this control changes.
    NotApplicable,
}

/// Whether a metric with these controls can gate: it scores black frames and noise worse than the real images, and the prompts of
/// others too, where it reads prompts. `None` where none speaks against it, and one or all cannot say.
#[must_use]
pub fn can_gate(controls: &[Control]) -> Option<bool> {
    if blind(controls).is_some() {
        return Some(false);
    }
    let said = |outcome| controls.iter().any(|control| control.outcome == outcome);
    (said(ControlOutcome::Separated) && !said(ControlOutcome::TooFew)).then_some(true)
}

/// The first control that a threshold lets pass with the real images.
#[must_use]
pub fn blind(controls: &[Control]) -> Option<&Control> {
    controls.iter().find(|control| matches!(control.outcome, ControlOutcome::NotSeparated | ControlOutcome::Better))
}

/// Which way scores are better to a threshold with this bound. With both ends none is: what scores too well is held out too.
#[must_use]
pub fn side(bound: &Bound) -> Direction {
    match (bound.min, bound.max) {
        (Some(_), None) => Direction::HigherIsBetter,
        (None, Some(_)) => Direction::LowerIsBetter,
        (None, None) | (Some(_), Some(_)) => Direction::Neither,
    }
}

/// Why a metric cannot gate that is [`blind`] to this control: `noise scored 0.310 against 0.300 of the images`.
#[must_use]
pub fn cannot_gate(control: &Control) -> String {
    let Control { kind, mean, real, outcome } = control;
    let kind = match kind {
        ControlKind::Black => "black",
        ControlKind::Noise => "noise",
        ControlKind::ShuffledPrompts => "the same images under the prompts of others",
    };
    let better = match outcome {
        ControlOutcome::Better => ", which is better: a bound on both sides would hold it out",
        _ => "",
    };
    format!("{kind} scored {} against {} of the images{better}", brief(*mean), brief(*real))
}

/// Three decimals, or three digits of what is too small for that.
fn brief(value: f64) -> String {
    if value == 0.0 || value.abs() >= 0.01 { format!("{value:.3}") } else { format!("{value:.2e}") }
}

/// Compares the scores of a control with those of the real images: pairs of `(prompt id, control, real)`.
#[must_use]
pub fn control(kind: ControlKind, direction: Direction, scores: &[(&str, f64, f64)]) -> Control {
    let loss = ByPrompt::of(scores.iter().map(|(prompt, control, real)| (*prompt, control - real))).means();
    let mean_of = |pick: fn(&(&str, f64, f64)) -> f64| mean(&scores.iter().map(pick).collect::<Vec<_>>());
    let minus = |values: &[f64]| values.iter().map(|value| -value).collect::<Vec<_>>();
    let separated = |loss: &[f64], level: f64| {
        let worse = loss.iter().filter(|loss| **loss < 0.0).count() as f64;
        worse >= WORSE_IN * loss.len() as f64 && sign_flip(loss) < level
    };
    let outcome = if scores.iter().all(|(_, control, real)| control == real) && kind == ControlKind::ShuffledPrompts {
        ControlOutcome::NotApplicable
    } else {
        let (level, low_is_worse) = match direction {
            Direction::HigherIsBetter => (SIGNIFICANT, true),
            Direction::LowerIsBetter => (SIGNIFICANT, false),
            Direction::Neither => (SIGNIFICANT / 2.0, true),
        };
        let (lower, higher) = (separated(&loss, level), separated(&minus(&loss), level));
        let (worse, better) = if low_is_worse { (lower, higher) } else { (higher, lower) };
        if worse || (better && direction == Direction::Neither) {
            ControlOutcome::Separated
        } else if better {
            ControlOutcome::Better
        } else if loss.len() < stats::fewest_for(level) {
            ControlOutcome::TooFew
        } else {
            ControlOutcome::NotSeparated
        }
    };
    Control { kind, mean: mean_of(|score| score.1), real: mean_of(|score| score.2), outcome }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_metric_that_cannot_tell_a_control_cannot_gate() {
        let prompts: Vec<String> = (0..8).map(|i| format!("p{i}")).collect();
        let scores = |control: f64| -> Vec<(&str, f64, f64)> {
            prompts.iter().enumerate().map(|(i, id)| (id.as_str(), control, 0.5 + 0.01 * i as f64)).collect()
        };
        let outcome = |kind, direction, value| control(kind, direction, &scores(value)).outcome;
        use ControlKind::{Black, ShuffledPrompts};
        assert_eq!(outcome(Black, Direction::HigherIsBetter, 0.1), ControlOutcome::Separated);
        assert_eq!(outcome(Black, Direction::LowerIsBetter, 0.1), ControlOutcome::Better);
        assert_eq!(outcome(Black, Direction::HigherIsBetter, 0.9), ControlOutcome::Better);
        assert_eq!(outcome(Black, Direction::Neither, 0.1), ControlOutcome::Separated);
        assert_eq!(outcome(Black, Direction::HigherIsBetter, 0.53), ControlOutcome::NotSeparated);
        let few = control(Black, Direction::HigherIsBetter, &scores(0.1)[..3]);
        assert_eq!(few.outcome, ControlOutcome::TooFew);
        let same: Vec<_> = scores(0.0).into_iter().map(|(id, _, real)| (id, real, real)).collect();
        let unread = control(ShuffledPrompts, Direction::HigherIsBetter, &same);
        assert_eq!(unread.outcome, ControlOutcome::NotApplicable);

        let black = |value| control(Black, Direction::HigherIsBetter, &scores(value));
        let shuffled = |value| control(ShuffledPrompts, Direction::HigherIsBetter, &scores(value));
        assert_eq!(can_gate(&[black(0.1), unread.clone()]), Some(true));
        assert_eq!(can_gate(&[black(0.1), shuffled(0.53)]), Some(false), "reads prompts, and any prompt will do");
        assert_eq!(can_gate(&[black(0.9), unread.clone()]), Some(false));
        let alone = |control: &Control| can_gate(std::slice::from_ref(control));
        assert_eq!((alone(&few), alone(&unread), can_gate(&[])), (None, None, None));

        // One control that it tells apart does not make up for another that it does not.
        let noise = |value| control(ControlKind::Noise, Direction::HigherIsBetter, &scores(value));
        assert_eq!(can_gate(&[black(0.1), noise(0.53), unread.clone()]), Some(false));
        let sharper = [black(0.1), noise(0.9), unread];
        assert_eq!((sharper[1].outcome, can_gate(&sharper)), (ControlOutcome::Better, Some(false)));
        let found = blind(&sharper).unwrap();
        assert_eq!(found.kind, ControlKind::Noise);
        assert!(cannot_gate(found).starts_with("noise scored 0.900 against 0.535 of the images, which is better"));
        let both = side(&Bound { min: Some(0.2), max: Some(0.7) });
        assert_eq!(
            control(ControlKind::Noise, both, &scores(0.9)).outcome,
            ControlOutcome::Separated,
            "held out above"
        );
        assert_eq!(control(ControlKind::Noise, both, &scores(0.53)).outcome, ControlOutcome::NotSeparated);
        assert_eq!(can_gate(&[black(0.1), few]), None, "what one of them would say is not known");
    }
}
