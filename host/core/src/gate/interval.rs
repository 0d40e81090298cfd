//! Gates that are held against an interval over prompts.

use super::result::{Decision, Evidence, Variance};
use crate::stats::{
    ByPrompt, LEVEL, detectable, deviation, fewest_for, mean, prompts_needed, sign_flip, student, wilson, wilson_p,
};

/// A failure is claimed where its probability by chance is less.
pub(super) const SIGNIFICANT: f64 = 0.05;

/// How many of the prompts that lost most are named.
const NAMED: usize = 5;

/// What an interval is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) value: f64,
    /// Whether it is a minimum.
    pub(super) at_least: bool,
    /// Whether the interval has to lie beyond it, and not just not below.
    pub(super) strict: bool,
}

impl Limit {
    /// How far `value` lies on the right side.
    fn excess(self, value: f64) -> f64 {
        if self.at_least { value - self.value } else { self.value - value }
    }

    /// Of an interval, the end that has to be right, and the one that must not be wrong.
    fn ends(self, (lower, upper): (f64, f64)) -> (f64, f64) {
        if self.at_least { (lower, upper) } else { (upper, lower) }
    }

    fn decide(self, interval: Option<(f64, f64)>, p: Option<f64>) -> Decision {
        let Some((worst, best)) = interval.map(|interval| self.ends(interval)) else { return Decision::Inconclusive };
        let kept = if self.strict { self.excess(worst) > 0.0 } else { self.excess(worst) >= 0.0 };
        if kept {
            Decision::Pass
        } else if self.excess(best) < 0.0 && p.is_some_and(|p| p < SIGNIFICANT) {
            Decision::Fail
        } else {
            Decision::Inconclusive
        }
    }
}

/// The mean over prompts of `values` against `limit`. `wanted` is the difference that should be shown; where it is not given, the
/// distance of the mean to the limit.
pub(super) fn of_mean(values: &ByPrompt, limit: Limit, wanted: Option<f64>) -> Evidence {
    let means = values.means();
    let estimate = mean(&means);
    let interval = student(&means, LEVEL);
    let excess: Vec<f64> = means.iter().map(|mean| limit.excess(*mean)).collect();
    let p = interval.map(|_| sign_flip(&excess));
    let wanted = wanted.unwrap_or((estimate - limit.value).abs());
    evidence(values, limit, estimate, interval, p, deviation(&means), wanted)
}

/// The share of images that pass, each 1 or 0 in `passes`, against `limit`.
pub(super) fn of_share(passes: &ByPrompt, limit: Limit, share: f64) -> Evidence {
    let effective = passes.effective_images();
    // One prompt may be unlike all others, however many images it has.
    let interval = (passes.len() > 1).then(|| wilson(share, effective, LEVEL));
    let p = interval.map(|_| wilson_p(share, effective, limit.value));
    let of_prompt = (limit.value * (1.0 - limit.value) * passes.len() as f64 / effective).sqrt();
    evidence(passes, limit, share, interval, p, Some(of_prompt), (share - limit.value).abs())
}

fn evidence(
    values: &ByPrompt,
    limit: Limit,
    estimate: f64,
    interval: Option<(f64, f64)>,
    p: Option<f64>,
    deviation: Option<f64>,
    wanted: f64,
) -> Evidence {
    let prompts = values.len();
    let wanted = Some(wanted).filter(|wanted| *wanted > 0.0);
    let components = values.components();
    let notes = (prompts < 2).then(|| "one prompt says nothing of others: an interval takes at least 2".to_owned());
    Evidence {
        decision: limit.decide(interval, p),
        prompts,
        estimate,
        lower: interval.map(|(lower, _)| lower),
        upper: interval.map(|(_, upper)| upper),
        limit: limit.value,
        at_least: limit.at_least,
        each: None,
        p,
        p_adjusted: None,
        baseline: None,
        detectable: deviation.and_then(|deviation| detectable(deviation, prompts)),
        wanted,
        prompts_needed: deviation.zip(wanted).and_then(|(deviation, wanted)| prompts_needed(deviation, wanted)),
        variance: components.map(|found| Variance { prompt: found.prompt, seed: found.seed }),
        lost: Vec::new(),
        unpaired: Vec::new(),
        notes: notes.into_iter().collect(),
    }
}

/// Decides anew, now that all such gates of the suite are known: `gates` of them, and what Holm makes of this one's p-value.
pub(super) fn adjust(evidence: &mut Evidence, strict: bool, adjusted: f64, gates: usize, permuted: bool) {
    let limit = Limit { value: evidence.limit, at_least: evidence.at_least, strict };
    evidence.p_adjusted = Some(adjusted);
    evidence.decision = limit.decide(evidence.lower.zip(evidence.upper), Some(adjusted));
    let fewest = fewest_for(SIGNIFICANT / gates as f64);
    if permuted && evidence.prompts < fewest {
        let among = if gates > 1 { format!(" among {gates} gates") } else { String::new() };
        evidence.notes.push(format!(
            "{} prompts cannot prove a failure{among}, only a pass: that takes at least {fewest}",
            evidence.prompts
        ));
    }
}

/// The prompts whose mean changed most for the worse.
pub(super) fn lost(differences: &ByPrompt, higher_is_better: bool) -> Vec<(String, f64)> {
    let worse = |change: f64| if higher_is_better { -change } else { change };
    let changes = differences.ids().iter().cloned().zip(differences.means());
    let mut lost: Vec<(String, f64)> = changes.filter(|(_, change)| worse(*change) > 0.0).collect();
    lost.sort_by(|(_, a), (_, b)| worse(*b).total_cmp(&worse(*a)));
    lost.truncate(NAMED);
    lost
}
