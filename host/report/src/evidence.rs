//! What gates found and what scores can show, in words: the same in every output.

use difftest_core::gate::{AtLeast, Bound, Check, Decision, Evidence, Gate, GateResult, Rule, Variance};

use crate::text::{bound, compared, count, score};

/// What a gate found, behind the metric's name: `mean 0.310 >= 0.250`,
/// `no worse than the baseline: change -0.021 [-0.030 to -0.012], at least -0.010 needed: a loss is shown`. `None` where it has no
/// value.
#[must_use]
pub fn found(result: &GateResult) -> Option<String> {
    let value = result.value?;
    let Some(evidence) = &result.evidence else {
        return Some(format!("{} {}", result.of, compared(value, &result.bound)));
    };
    let number = |value: f64| if result.rule == Rule::Rate { percent(value) } else { score(value) };
    let needed = match (result.rule, evidence.at_least) {
        (Rule::Improved, true) => "more than",
        (Rule::Improved, false) => "less than",
        (_, true) => "at least",
        (_, false) => "at most",
    };
    let each = evidence.each.as_ref().map(each).unwrap_or_default();
    let interval = match (evidence.lower, evidence.upper) {
        (Some(lower), Some(upper)) => format!(" [{} to {}]", number(lower), number(upper)),
        _ => String::new(),
    };
    let estimate = number(evidence.estimate);
    let what = match result.rule {
        Rule::Bound | Rule::Floor => format!("floor: mean {estimate}"),
        Rule::NoWorseThanBaseline => format!("no worse than the baseline: change {estimate}"),
        Rule::Improved => format!("improved: change {estimate}"),
        Rule::Rate => format!("rate: {estimate} of images {each}"),
        Rule::Similar => {
            let (inside, wanted) = (evidence.estimate, evidence.limit);
            return Some(format!("similar: {inside} of {} {each}, {wanted} needed", count(result.scores, "image")));
        }
    };
    let shown = match (evidence.decision, result.rule) {
        (Decision::Pass, _) => "",
        (Decision::Inconclusive, _) => ": not shown",
        (Decision::Fail, Rule::NoWorseThanBaseline) => ": a loss is shown",
        (Decision::Fail, _) => ": shown not to hold",
    };
    Some(format!("{what}{interval}, {needed} {} needed{shown}", number(evidence.limit)))
}

/// What a gate asks for, before there are scores: `mean >= 0.250`, `floor mean >= 0.250`.
#[must_use]
pub fn asked(gate: &Gate) -> String {
    match gate.check {
        Check::Bound => format!("{} {}", gate.of, bound(&gate.bound)),
        Check::Floor => format!("floor {}", bound(&gate.bound)),
        Check::NoWorseThanBaseline { margin } => format!("no worse than the baseline by {}", score(margin)),
        Check::Improved { margin } => format!("better than the baseline by {}", score(margin)),
        Check::Rate { share } => format!("{} of images {}", percent(share), each(&gate.bound)),
        Check::Similar { at_least: AtLeast::Images(images) } => {
            format!("at least {} {}", count(images as usize, "image"), each(&gate.bound))
        }
        Check::Similar { at_least: AtLeast::Share(share) } => {
            format!("at least {} of images {}", percent(share), each(&gate.bound))
        }
    }
}

/// `24 prompts can show a difference of 0.012; 61 are needed for the margin 0.005; 96 % of the variance is between prompts`. `None`
/// for a gate without an interval.
#[must_use]
pub fn power(result: &GateResult) -> Option<String> {
    let Evidence { prompts, detectable, wanted, prompts_needed, variance, .. } = result.evidence.as_ref()?;
    let number = |value: f64| if result.rule == Rule::Rate { percent(value) } else { score(value) };
    let detectable = (*detectable)?;
    let mut parts = vec![if detectable == 0.0 {
        format!("{} that do not differ", count(*prompts, "prompt"))
    } else {
        format!("{} can show a difference of {}", count(*prompts, "prompt"), number(detectable))
    }];
    if let Some((wanted, needed)) = wanted.zip(*prompts_needed).filter(|_| detectable > 0.0) {
        let of = match result.rule {
            Rule::NoWorseThanBaseline => "the margin",
            Rule::Floor => "the distance to the floor,",
            _ => "the distance to what is needed,",
        };
        parts.push(if needed > *prompts as u64 {
            format!("{needed} are needed for {of} {}", number(wanted))
        } else {
            format!("enough for {of} {}", number(wanted))
        });
    }
    if let Some(Variance { prompt, seed }) = variance.filter(|found| found.prompt + found.seed > 0.0) {
        parts.push(format!("{} of the variance is between prompts", percent(prompt / (prompt + seed))));
    }
    Some(parts.join("; "))
}

/// How far the score of one image lies inside of what the gate asks of each; `None` where it asks nothing of a single image.
#[must_use]
pub fn margin(result: &GateResult, value: f64) -> Option<f64> {
    match result.rule {
        Rule::Bound | Rule::Floor => Some(result.bound.margin(value)),
        Rule::Rate | Rule::Similar => Some(result.evidence.as_ref()?.each?.margin(value)),
        Rule::NoWorseThanBaseline | Rule::Improved => None,
    }
}

fn each(wanted: &Bound) -> String {
    format!("with {}", bound(wanted))
}

/// `94 %`, `94.4 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}
