//! `threshold`: what the scores must satisfy, before it is known which way each metric is better.

use toml::de::DeValue;

use super::fields::{Fields, Item, Problems, list, number, string, table, wrong_type};
use super::gates::read_gate;
use super::{SuiteError, Threshold, ThresholdBound};
use crate::gate::{Bound, Statistic};
use crate::nearest::nearest;

const EXPECTED: &str = "a number, or a table such as { min = 0.2, of = \"p10\" }";
const STATISTICS: [&str; 5] = ["mean", "median", "min", "max", "p10"];

/// The entries of a `threshold` table, in the order of the text. A metric may have a list of bounds: all must hold.
pub(super) fn read_thresholds(item: &Item<'_>, problems: &mut Problems) -> Option<Vec<Threshold>> {
    let table = table(item, "threshold", "a table such as { clip_score = 0.25 }", problems)?;
    let mut thresholds = Vec::new();
    for (key, value) in table {
        let metric = key.get_ref().as_ref();
        let bounds = match value.get_ref() {
            DeValue::Array(_) => list(value, metric, EXPECTED, problems).unwrap_or_default(),
            _ => std::slice::from_ref(value),
        };
        for bound in bounds {
            if let Some((of, bound)) = read_bound(bound, metric, problems) {
                thresholds.push(Threshold { metric: metric.to_owned(), span: key.span(), of, bound });
            }
        }
    }
    // Stable: bounds of one metric share their span and keep their order.
    thresholds.sort_by_key(|threshold| threshold.span.start);
    Some(thresholds)
}

fn read_bound(item: &Item<'_>, metric: &str, problems: &mut Problems) -> Option<(Statistic, ThresholdBound)> {
    match item.get_ref() {
        DeValue::Integer(_) | DeValue::Float(_) => {
            Some((Statistic::Mean, ThresholdBound::Bare(number(item, metric, problems)?)))
        }
        DeValue::Table(table) => {
            if let Some(gate) = table.get("gate") {
                let bound = read_gate(item, table, gate, metric, problems)?;
                return Some((Statistic::Mean, bound));
            }
            let fields = Fields::new(table, "a threshold", &["min", "max", "of", "gate"], problems);
            let of = fields.get("of").map_or(Some(Statistic::Mean), |item| statistic(item, problems));
            let bound = read_sides(item, &fields, metric, problems)?;
            Some((of?, ThresholdBound::Explicit(bound)))
        }
        _ => wrong_type(item, metric, EXPECTED, problems),
    }
}

/// `min`, `max` or both, of the threshold at `item`.
pub(super) fn read_sides(item: &Item<'_>, fields: &Fields<'_>, metric: &str, problems: &mut Problems) -> Option<Bound> {
    let min = fields.get("min").map(|item| number(item, "min", problems));
    let max = fields.get("max").map(|item| number(item, "max", problems));
    if min.is_none() && max.is_none() {
        let error = SuiteError::at(&item.span(), format!("the threshold of `{metric}` has no bound"));
        problems.add(error.label("needs `min`, `max` or both"));
        return None;
    }
    let (min, max) = (unwrap_read(min)?, unwrap_read(max)?);
    if let (Some(least), Some(most)) = (min, max)
        && least > most
    {
        let error = SuiteError::at(&item.span(), format!("the threshold of `{metric}` can never hold"));
        problems.add(error.label(format!("min {least} is above max {most}")));
        return None;
    }
    Some(Bound { min, max })
}

/// Not written: `Some(None)`. Written and read: `Some(Some(..))`. Written but wrong: `None`, the problem is noted already.
#[expect(clippy::option_option, reason = "three states, local to this file")]
fn unwrap_read(read: Option<Option<f64>>) -> Option<Option<f64>> {
    match read {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

fn statistic(item: &Item<'_>, problems: &mut Problems) -> Option<Statistic> {
    let text = string(item, "of", problems)?;
    match text.parse() {
        Ok(of) => Some(of),
        Err(error) => {
            let problem = SuiteError::at(&item.span(), format!("unknown statistic `{text}`")).label(format!("{error}"));
            problems.add(match nearest(text, STATISTICS) {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None => problem,
            });
            None
        }
    }
}
