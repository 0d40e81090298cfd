//! The checks of one metric.

use difftest_core::metric::{AnyMetric, MetricInfo, Score};
use serde_json::Value;

use super::trials::{Trial, trials};
use super::{Conformance, Outcome, STORES, THREADS, config, on_threads, said};
use crate::failure::grouped;

type Tell<'a> = &'a mut dyn FnMut(String, Outcome);

pub(super) fn run(subject: &Conformance<'_>, info: &MetricInfo, tell: Tell<'_>) {
    let trials = trials(info.kind);
    let base = match ready(subject, info, &trials[0]) {
        Ok((metric, config)) => {
            images(subject, info, &metric, &trials, tell);
            Some(config)
        }
        Err(outcome) => {
            tell("is measured".into(), outcome);
            None
        }
    };
    let accepts = |config: &Value| subject.metric(&info.name, config).map(drop);
    config::run(info.config_schema.as_ref(), base.as_ref(), &accepts, tell);
}

/// The metric with the first config that it takes, or why there is none.
fn ready(subject: &Conformance<'_>, info: &MetricInfo, ordinary: &Trial) -> Result<(AnyMetric, Value), Outcome> {
    for config in subject.configs(&info.name) {
        let metric = match subject.metric(&info.name, &config) {
            Ok(metric) => metric,
            Err(error) if error.kind == "invalid-config" => continue,
            Err(error) => return Err(subject.judge(&error)),
        };
        // some configs fit the schema and are refused by the metric
        match ordinary.input.measure(&metric, &ordinary.sample()) {
            Err(error) if error.kind == "invalid-config" => {}
            _ => return Ok((metric, config)),
        }
    }
    Err(Outcome::skipped(config::NEEDS_CONFIG))
}

/// Everything that is seen by measuring.
fn images(subject: &Conformance<'_>, info: &MetricInfo, metric: &AnyMetric, trials: &[Trial], tell: Tell<'_>) {
    let mut scored: Option<(&Trial, Score)> = None;
    let mut seen: Option<(f64, f64)> = None;
    let mut skipped = false;
    let mut last: Option<String> = None;
    let mut outcomes = Vec::new();
    for trial in trials {
        let answer = trial.input.measure(metric, &trial.sample());
        let outcome = match answer {
            Ok(score) => {
                let (low, high) = seen.unwrap_or((score.value, score.value));
                seen = Some((low.min(score.value), high.max(score.value)));
                let note = value(&score);
                scored.get_or_insert((trial, score));
                Outcome::passed(note)
            }
            Err(error) => subject.judge(&error),
        };
        if let Outcome::Skipped { reason } = outcome {
            // the same for each image: told once
            if !std::mem::replace(&mut skipped, true) {
                outcomes.push(("measures images".to_owned(), Outcome::Skipped { reason }));
            }
            continue;
        }
        // what goes wrong on every image is told in full once
        let outcome = match outcome {
            Outcome::Failed { reason, .. } if last.as_ref() == Some(&reason) => Outcome::failed("the same", None),
            Outcome::Failed { reason, hint } => {
                last = Some(reason.clone());
                Outcome::Failed { reason, hint }
            }
            outcome => outcome,
        };
        outcomes.push((format!("measures {}", trial.label), outcome));
    }
    match &scored {
        Some((trial, score)) => same(metric, trial, score, tell),
        None if skipped || outcomes.iter().any(|(_, outcome)| outcome.is_failed()) => {}
        None => tell(
            "gives a score".into(),
            Outcome::failed(
                "it refused everything that it was given",
                Some("a metric that fits no ordinary image needs a case of its own in tests/*.toml".into()),
            ),
        ),
    }
    outcomes.into_iter().for_each(|(what, outcome)| tell(what, outcome));
    if let (Some((low, high)), Some((least, most))) = (info.range, seen) {
        let range = match (low.is_finite(), high.is_finite()) {
            (true, true) => format!("{low} to {high}"),
            (true, false) => format!("{low} and more"),
            (false, true) => format!("{high} and less"),
            (false, false) => "without ends".to_owned(),
        };
        // the host refuses every score outside, so what was seen lies inside
        tell(format!("keeps its range ({range})"), Outcome::passed(format!("{least} to {most} seen")));
    }
}

/// Whether the same input gives the same answer and burns the same fuel.
fn same(metric: &AnyMetric, trial: &Trial, first: &Score, tell: Tell<'_>) {
    let measure = || trial.input.measure(metric, &trial.sample());
    let what = format!("gives the same score for the same fuel in {STORES} stores");
    // the first was made in the first store
    let again = (1..STORES).map(|_| measure()).collect();
    tell(what, agree(first, again));
    let what = format!("gives the same score for the same fuel on {THREADS} threads");
    match on_threads(measure) {
        Ok(answers) => tell(what, agree(first, answers)),
        Err(error) => tell(what, Outcome::skipped(format!("no threads can be started: {error}"))),
    }
}

fn agree(first: &Score, others: Vec<Result<Score, difftest_core::metric::MetricError>>) -> Outcome {
    for other in others {
        let hint = "a score may depend on pixels, sample and config alone: look for what is kept between calls, for \
                    addresses and for the order of hash maps";
        match other {
            Err(error) => {
                let reason = format!("{} at first, then {}", value(first), said(&error));
                return Outcome::failed(reason, Some(hint.into()));
            }
            Ok(other) if same_bits(first, &other) => {}
            Ok(other) => {
                let reason = format!("{} at first, then {}", value(first), value(&other));
                return Outcome::failed(reason, Some(hint.into()));
            }
        }
    }
    Outcome::passed(value(first))
}

fn same_bits(a: &Score, b: &Score) -> bool {
    let details = |score: &Score| -> Vec<(String, u64)> {
        score.details.iter().map(|detail| (detail.name.clone(), detail.value.to_bits())).collect()
    };
    a.value.to_bits() == b.value.to_bits() && a.fuel == b.fuel && details(a) == details(b)
}

/// A score and what it cost.
fn value(score: &Score) -> String {
    match score.fuel {
        Some(fuel) => format!("{} for {} fuel", score.value, grouped(fuel)),
        None => score.value.to_string(),
    }
}
