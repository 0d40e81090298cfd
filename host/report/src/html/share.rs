//! What one image adds to a gate that judges all images of a test together.
//!
//! A gate over prompts (`floor`, `no_worse_than_baseline`, `improved`, `rate`, `similar`), and any gate on a metric of whole sets, says
//! nothing of a single image: no image passes it, none fails it. What an image has is its part in what the gate looks at: the
//! difference to the baseline where there is one, else how far its score lies outside of what is asked of each.

use std::collections::HashMap;

use difftest_core::gate::{Bound, Rule};
use difftest_core::metric::{Direction, MetricKind};

use super::status::score;
use crate::evidence;
use crate::json::{CaseResult, GateRecord, TestResult};
use crate::text;

/// What is said of an image that nothing is said of.
pub(super) const TOGETHER: &str = "judged together";

/// A case's part in one gate.
pub(super) struct Share<'a> {
    /// The gate.
    pub(super) gate: &'a GateRecord,
    /// What its metric says of the image.
    pub(super) score: Option<f64>,
    /// What it says of the baseline's image.
    pub(super) before: Option<f64>,
    /// How the mean over the images of its prompt differs from the baseline's.
    pub(super) of_prompt: Option<f64>,
    /// What of its question is another one than when the baseline was saved: then it is compared with nothing.
    pub(super) changed: Option<&'a str>,
    higher_is_better: bool,
}

/// Whether a gate is about all images of its test and not about each.
pub(super) fn is_together(test: &TestResult, gate: &GateRecord) -> bool {
    let set = test.metrics.iter().any(|info| info.name == gate.result.metric && info.kind == MetricKind::Set);
    set || gate.result.rule != Rule::Bound
}

/// What a gate asks of the score of one image, if only in passing: what is drawn beside scores. A gate on a baseline asks for a difference,
/// which is on another axis.
pub(super) fn bound(gate: &GateRecord) -> Option<Bound> {
    match gate.result.rule {
        Rule::Bound | Rule::Floor => Some(gate.result.bound),
        Rule::Rate | Rule::Similar => gate.result.evidence.as_ref()?.each,
        Rule::NoWorseThanBaseline | Rule::Improved => None,
    }
}

/// The part of each of `cases` in `gate`, in their order.
pub(super) fn of_gate<'a>(test: &TestResult, gate: &'a GateRecord, cases: &[&CaseResult]) -> Vec<Share<'a>> {
    let result = &gate.result;
    let is_paired = matches!(result.rule, Rule::NoWorseThanBaseline | Rule::Improved);
    let direction = test.metrics.iter().find(|info| info.name == result.metric).map(|info| info.direction);
    let higher_is_better = match &result.evidence {
        Some(evidence) if is_paired => evidence.at_least,
        _ => direction != Some(Direction::LowerIsBetter),
    };
    let unpaired = result.evidence.iter().flat_map(|evidence| &evidence.unpaired);
    let unpaired: HashMap<&str, &str> = unpaired.map(|one| (one.case.as_str(), one.changed.as_str())).collect();
    let share = |case: &&CaseResult| {
        let before = case.baseline.as_ref().and_then(|baseline| baseline.scores.get(&result.metric).copied());
        Share {
            gate,
            score: score(case, &result.metric),
            before: before.filter(|_| is_paired),
            of_prompt: None,
            changed: unpaired.get(case.id.as_str()).copied(),
            higher_is_better,
        }
    };
    let mut shares: Vec<Share<'a>> = cases.iter().map(share).collect();
    if is_paired {
        let mut sums: HashMap<&str, (f64, u32)> = HashMap::new();
        for (change, case) in shares.iter().zip(cases).filter_map(|(share, case)| Some((share.change()?, case))) {
            let (sum, n) = sums.entry(&case.prompt.id).or_default();
            (*sum, *n) = (*sum + change, *n + 1);
        }
        let lost = || result.evidence.iter().flat_map(|evidence| &evidence.lost);
        for (share, case) in shares.iter_mut().zip(cases).filter(|(share, _)| share.changed.is_none()) {
            let mean = sums.get(case.prompt.id.as_str()).map(|(sum, n)| sum / f64::from(*n));
            let told = || lost().find(|(prompt, _)| *prompt == case.prompt.id).map(|(_, change)| *change);
            share.of_prompt = mean.or_else(told);
        }
    }
    shares
}

impl Share<'_> {
    /// The score less the baseline's.
    pub(super) fn change(&self) -> Option<f64> {
        Some(self.score? - self.before?)
    }

    /// How bad it is for the gate, in the metric's unit: what was lost, or how far outside it lies. `None` where the gate looks at
    /// nothing that an image has for itself.
    pub(super) fn loss(&self) -> Option<f64> {
        match self.gate.result.rule {
            Rule::NoWorseThanBaseline | Rule::Improved => {
                self.change().or(self.of_prompt).map(|change| self.worse(change))
            }
            Rule::Floor | Rule::Rate | Rule::Similar => Some(-evidence::margin(&self.gate.result, self.score?)?),
            Rule::Bound => None,
        }
    }

    /// By the score alone, where nothing else is known: larger is worse.
    pub(super) fn by_score(&self) -> Option<f64> {
        self.score.map(|score| self.worse(score))
    }

    /// In two or three words: `lost 0.202`, `outside by 0.012`.
    pub(super) fn words(&self) -> String {
        if let Some(changed) = self.changed {
            return format!("not compared: the {changed} changed");
        }
        match (self.gate.result.rule, self.change(), self.of_prompt, self.loss()) {
            (Rule::NoWorseThanBaseline | Rule::Improved, Some(change), ..) => self.moved(change),
            (Rule::NoWorseThanBaseline | Rule::Improved, None, Some(change), _) => {
                format!("prompt {}", self.moved(change))
            }
            (Rule::Floor | Rule::Rate | Rule::Similar, _, _, Some(loss)) if loss > 0.0 => {
                format!("outside by {}", text::score(loss))
            }
            (Rule::Floor | Rule::Rate | Rule::Similar, _, _, Some(_)) => "inside".to_owned(),
            _ => TOGETHER.to_owned(),
        }
    }

    /// `lost 0.202`, `gained 0.010`, `as before`.
    pub(super) fn moved(&self, change: f64) -> String {
        match self.worse(change) {
            0.0 => "as before".to_owned(),
            worse if worse > 0.0 => format!("lost {}", text::score(worse)),
            worse => format!("gained {}", text::score(-worse)),
        }
    }

    fn worse(&self, value: f64) -> f64 {
        if self.higher_is_better { -value } else { value }
    }
}
