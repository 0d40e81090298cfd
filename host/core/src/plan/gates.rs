//! From the thresholds of a suite to gates, now that it is known which way each metric is better.

use crate::gate::{Bound, Check, Gate, Statistic};
use crate::metric::{Direction, MetricInfo, MetricKind};
use crate::suite::{SuiteError, Threshold, ThresholdBound};

/// Gives a bare bound its side, and refuses a bound that the metric's range makes impossible to meet.
pub(super) fn gate(threshold: &Threshold, info: &MetricInfo) -> Result<Gate, SuiteError> {
    let (check, bound) = match threshold.bound {
        ThresholdBound::Explicit(bound) => (Check::Bound, bound),
        ThresholdBound::Bare(value) => (Check::Bound, bare(value, threshold, info)?),
        ThresholdBound::Gate(check, bound) => {
            if info.kind == MetricKind::Set {
                let message =
                    format!("`{}` gives all images of the test one score: nothing can be proven of it", info.name);
                let error = SuiteError::at(&threshold.span, message).label("one score");
                return Err(error.hint("write a bound without `gate`: { min = .. } or { max = .. }"));
            }
            (check, if check.needs_baseline() { difference(check, threshold, info)? } else { bound })
        }
    };
    if info.kind == MetricKind::Set && threshold.of != Statistic::Mean {
        let message = format!(
            "`{}` gives all images of the test one score: there is nothing to take a {} of",
            info.name, threshold.of
        );
        return Err(SuiteError::at(&threshold.span, message).label("one score").hint("leave out `of`"));
    }
    if let Some((least, most)) = info.range
        && !check.needs_baseline()
    {
        let unreachable = bound.min.filter(|&min| min > most).or(bound.max.filter(|&max| max < least));
        if let Some(value) = unreachable {
            let message = format!("the threshold of `{}` can never hold: its scores are {least} to {most}", info.name);
            return Err(SuiteError::at(&threshold.span, message).label(format!("{value} is out of reach")));
        }
    }
    Ok(Gate { metric: threshold.metric.clone(), of: threshold.of, bound, check, span: threshold.span.clone() })
}

/// A gate that asks for more images than its test has can never hold.
pub(super) fn enough_images(gate: &Gate, images: usize) -> Option<SuiteError> {
    let Check::Similar { at_least } = gate.check else { return None };
    let wanted = at_least.of(images);
    (wanted > images).then(|| {
        let message = format!("the threshold of `{}` can never hold: the test has {images} images", gate.metric);
        let error = SuiteError::at(&gate.span, message).label(format!("asks for {wanted}"));
        error.hint("images are prompts x seeds; at_least = \"90%\" follows their number")
    })
}

fn bare(value: f64, threshold: &Threshold, info: &MetricInfo) -> Result<Bound, SuiteError> {
    match info.direction {
        Direction::HigherIsBetter => Ok(Bound { min: Some(value), max: None }),
        Direction::LowerIsBetter => Ok(Bound { min: None, max: Some(value) }),
        Direction::Neither => {
            let message = format!("`{}` is neither better higher nor lower: say which side to bound", info.name);
            let error = SuiteError::at(&threshold.span, message).label("needs `min`, `max` or both");
            Err(error.hint(format!("write \"{}\" = {{ min = {value} }} or {{ max = {value} }}", info.name)))
        }
    }
}

/// What the difference to the baseline has to lie in.
fn difference(check: Check, threshold: &Threshold, info: &MetricInfo) -> Result<Bound, SuiteError> {
    // Towards better is positive for the first two, and the other way round where lower is better.
    let least = match check {
        Check::NoWorseThanBaseline { margin } => -margin,
        Check::Improved { margin } => margin,
        Check::Bound | Check::Floor | Check::Rate { .. } | Check::Similar { .. } => 0.0,
    };
    match info.direction {
        Direction::HigherIsBetter => Ok(Bound { min: Some(least), max: None }),
        Direction::LowerIsBetter => Ok(Bound { min: None, max: Some(-least) }),
        Direction::Neither => {
            let message = format!("`{}` is neither better higher nor lower: it has no better or worse", info.name);
            let error = SuiteError::at(&threshold.span, message).label("cannot be compared with a baseline");
            Err(error.hint("write { gate = \"floor\", min = .. } or { gate = \"floor\", max = .. }, or both in a list"))
        }
    }
}
