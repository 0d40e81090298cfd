//! What repeats of the same work and images that are no good say of a metric: how much it varies by itself, and whether it can tell
//! good from bad here at all.
//!
//! - Noise: the same images made again, with other threads and in another order, should have the same scores. Where they have not,
//!   the spread of a test's mean over repeats is a margin below which nothing is a change.
//! - Modes: scores that jump between two values are two code paths and not noise ([`crate::stats::modes`]).
//! - Controls: a black frame, noise, and the prompts of other images. A metric that does not score each of them worse than the real
//!   ones cannot gate here, whatever its threshold: a model that makes nothing else would pass (`control.rs`).

mod control;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::{Bound, Variance};
use crate::metric::Direction;
use crate::stats::{self, ByPrompt, LEVEL, deviation, mean, student};

pub use control::{Control, ControlKind, ControlOutcome, blind, can_gate, cannot_gate, control, side};

/// What repeats say of one metric of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// The test.
    pub test: String,
    /// The metric.
    pub metric: String,
    /// Which way it is better.
    pub direction: Direction,
    /// How many prompts the test has.
    pub prompts: usize,
    /// How many images.
    pub images: usize,
    /// How often each was made.
    pub repeats: usize,
    /// Mean over prompts, of all repeats.
    pub mean: f64,
    /// Lower end of its interval, one-sided 95 %, over prompts.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
    /// How much the scores vary by themselves.
    pub noise: Noise,
    /// Where the variance of the scores comes from, with more than one seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<Variance>,
    /// What images that are no good score.
    pub controls: Vec<Control>,
    /// What to write into the suite.
    pub proposed: Proposed,
}

/// How much the scores of the same inputs differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Noise {
    /// Every repeat has the same scores, to the last bit.
    pub deterministic: bool,
    /// Standard deviation of one image's score, over repeats.
    pub image: f64,
    /// Standard deviation of the test's mean, over repeats.
    pub mean: f64,
    /// The largest difference between two scores of one image.
    pub largest: f64,
    /// Two values that the test's mean jumps between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modes: Option<TwoModes>,
    /// The cases whose own score jumps between two values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jumping: Vec<String>,
}

/// Two values instead of one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TwoModes {
    /// The lower.
    pub low: f64,
    /// The upper.
    pub high: f64,
    /// The share of repeats at the lower.
    pub share_low: f64,
}

/// What is called a small effect: so many standard deviations.
pub const SMALL: f64 = 0.2;

/// Tolerances that follow from what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proposed {
    /// Two runs of the same model differ by less than this in 19 of 20 cases; at least [`SMALL`] deviations between prompts, since where
    /// nothing varies by itself, a margin of 0 would let nothing but the same model pass. 0 where all prompts score the same.
    pub margin: f64,
    /// What a floor gate of the same model keeps; `None` where the interval is wider than the scores themselves, as it is over a few
    /// prompts, and where they are all the same.
    pub floor: Option<Bound>,
}

/// The scores of one metric of one test: by repeat, each in the order of `cases`.
#[derive(Clone, Copy, Debug)]
pub struct Repeats<'a> {
    /// Id and prompt id of each case.
    pub cases: &'a [(&'a str, &'a str)],
    /// By repeat, then by case. At least one repeat.
    pub scores: &'a [Vec<f64>],
}

impl Calibration {
    /// Works out everything but the controls.
    #[must_use]
    pub fn of(test: &str, metric: &str, direction: Direction, repeats: Repeats<'_>) -> Self {
        let by_case: Vec<Vec<f64>> =
            (0..repeats.cases.len()).map(|case| repeats.scores.iter().map(|scores| scores[case]).collect()).collect();
        let averages: Vec<f64> = by_case.iter().map(|scores| mean(scores)).collect();
        let prompts = || repeats.cases.iter().map(|(_, prompt)| *prompt);
        let by_prompt = |scores: &[f64]| ByPrompt::of(prompts().zip(scores.iter().copied()));
        let grouped = by_prompt(&averages);
        let means: Vec<f64> = repeats.scores.iter().map(|scores| mean(&by_prompt(scores).means())).collect();
        let noise = noise(repeats.cases, &by_case, &means);
        let interval = student(&grouped.means(), LEVEL);
        Self {
            test: test.to_owned(),
            metric: metric.to_owned(),
            direction,
            prompts: grouped.len(),
            images: repeats.cases.len(),
            repeats: repeats.scores.len(),
            mean: mean(&grouped.means()),
            lower: interval.map(|(lower, _)| lower),
            upper: interval.map(|(_, upper)| upper),
            proposed: proposed(direction, interval, &noise, repeats.scores.len(), &grouped.means()),
            noise,
            variance: grouped.components().map(|found| Variance { prompt: found.prompt, seed: found.seed }),
            controls: Vec::new(),
        }
    }

    /// Whether it can gate here: [`can_gate`].
    #[must_use]
    pub fn can_gate(&self) -> Option<bool> {
        can_gate(&self.controls)
    }
}

fn noise(cases: &[(&str, &str)], by_case: &[Vec<f64>], means: &[f64]) -> Noise {
    let spread = |scores: &Vec<f64>| {
        let (least, most) = scores.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
        most - least
    };
    let variances: Vec<f64> = by_case.iter().filter_map(|scores| deviation(scores)).map(|sd| sd * sd).collect();
    let largest = by_case.iter().map(spread).fold(0.0, f64::max);
    let jumping = cases.iter().zip(by_case).filter(|(_, scores)| stats::modes(scores).is_some());
    Noise {
        deterministic: largest == 0.0,
        image: mean(&variances).sqrt(),
        mean: deviation(means).unwrap_or(0.0),
        largest,
        modes: stats::modes(means).map(|found| TwoModes {
            low: found.low,
            high: found.high,
            share_low: found.share_low,
        }),
        jumping: jumping.map(|((id, _), _)| (*id).to_owned()).collect(),
    }
}

fn proposed(
    direction: Direction,
    interval: Option<(f64, f64)>,
    noise: &Noise,
    repeats: usize,
    prompts: &[f64],
) -> Proposed {
    // The difference of two such means has sqrt 2 times their deviation, which is known from few repeats only: hence t.
    let margin = match noise.deterministic {
        true => 0.0,
        false => stats::t_quantile(LEVEL, repeats.saturating_sub(1) as f64) * noise.mean * std::f64::consts::SQRT_2,
    };
    let repeatable = two_digits(margin, f64::ceil);
    let margin = two_digits(margin.max(SMALL * deviation(prompts).unwrap_or(0.0)), f64::ceil);
    let (least, most) = prompts.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    let says_something = |(lower, upper): &(f64, f64)| most > least && (upper - lower) / 2.0 <= most - least;
    let floor = interval.filter(says_something).map(|(lower, upper)| {
        let (min, max) =
            (three_decimals(lower - repeatable, f64::floor), three_decimals(upper + repeatable, f64::ceil));
        match direction {
            Direction::HigherIsBetter => Bound { min: Some(min), max: None },
            Direction::LowerIsBetter => Bound { min: None, max: Some(max) },
            Direction::Neither => Bound { min: Some(min), max: Some(max) },
        }
    });
    Proposed { margin, floor }
}

/// To two significant digits, to the side that `round` says.
fn two_digits(value: f64, round: fn(f64) -> f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10.0_f64.powf(1.0 - value.abs().log10().floor());
    round(value * scale) / scale
}

/// To three decimals, or three significant digits of a small value.
fn three_decimals(value: f64, round: fn(f64) -> f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 1000.0_f64.max(10.0_f64.powf(2.0 - value.abs().log10().floor()));
    round(value * scale) / scale
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::stats::Random;

    const CASES: [(&str, &str); 6] = [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c"), ("c2", "c")];

    fn of(direction: Direction, scores: &[Vec<f64>]) -> Calibration {
        Calibration::of("t", "m", direction, Repeats { cases: &CASES, scores })
    }

    #[test]
    fn where_nothing_varies_by_itself_the_margin_is_a_small_effect() {
        let found = of(Direction::HigherIsBetter, &vec![vec![0.5, 0.6, 0.7, 0.8, 0.6, 0.6]; 3]);
        assert!(found.noise.deterministic && found.noise.jumping.is_empty());
        assert_eq!((found.proposed.margin, found.noise.mean), (0.021, 0.0));
        let floor = found.proposed.floor.unwrap().min.unwrap();
        assert!(floor <= found.lower.unwrap() && floor > found.lower.unwrap() - 0.002);
        assert_eq!((found.prompts, found.images, found.repeats), (3, 6, 3));
    }

    #[test]
    fn no_floor_is_proposed_that_says_nothing() {
        // An interval over two prompts reaches far beyond any score.
        let cases = [("a1", "a"), ("b1", "b")];
        let two =
            Calibration::of("t", "m", Direction::HigherIsBetter, Repeats { cases: &cases, scores: &[vec![0.4, 0.6]] });
        assert!(two.lower.unwrap() < 0.0 && two.proposed.floor.is_none());
        let same = of(Direction::HigherIsBetter, &vec![vec![1.0; 6]; 3]);
        assert_eq!((same.proposed.margin, same.proposed.floor), (0.0, None));
    }

    #[test]
    fn the_proposed_margin_is_kept_by_nineteen_of_twenty_pairs_of_runs() {
        let mut random = Random::new(5);
        let (mut kept, trials) = (0, 400);
        let run = |random: &mut Random| (0..6).map(|_| 0.7 + 0.01 * random.normal()).collect::<Vec<f64>>();
        for _ in 0..trials {
            let repeats: Vec<_> = (0..5).map(|_| run(&mut random)).collect();
            let margin = of(Direction::HigherIsBetter, &repeats).proposed.margin;
            let (before, now) = (mean(&run(&mut random)), mean(&run(&mut random)));
            kept += usize::from(now - before >= -margin);
        }
        let share = f64::from(u32::try_from(kept).unwrap()) / f64::from(trials);
        assert!((0.92..=0.99).contains(&share), "{share}");
    }

    #[test]
    fn a_jump_between_two_values_is_named() {
        let run = |jumped: bool| vec![0.5, 0.6, if jumped { 0.3 } else { 0.7 }, 0.8, 0.6, 0.6];
        let found = of(Direction::HigherIsBetter, &[true, false, false, true, false, true].map(run));
        assert_eq!(found.noise.jumping, ["b1"]);
        let modes = found.noise.modes.unwrap();
        assert!((modes.high - modes.low - 0.4 / 6.0).abs() < 1e-9 && modes.share_low == 0.5, "{modes:?}");
    }
}
