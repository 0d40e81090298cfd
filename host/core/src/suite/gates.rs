//! `{ gate = "floor", .. }`: thresholds that ask what the scores can prove.

use toml::de::{DeTable, DeValue};

use super::fields::{Fields, Item, Problems, integer, number, string, wrong_type};
use super::threshold::read_sides;
use super::{SuiteError, ThresholdBound};
use crate::gate::{AtLeast, Bound, Check};
use crate::nearest::did_you_mean;

const GATES: [&str; 5] = ["floor", "no_worse_than_baseline", "improved", "rate", "similar"];

/// More images than a suite may have.
const MOST_IMAGES: u64 = 1_000_000;

/// Reads `table`, which has the key `gate`. `item` is where it stands, `metric` what it is about.
pub(super) fn read_gate(
    item: &Item<'_>,
    table: &DeTable<'_>,
    gate: &Item<'_>,
    metric: &str,
    problems: &mut Problems,
) -> Option<ThresholdBound> {
    let name = string(gate, "gate", problems)?;
    let place = format!("the gate `{name}`");
    let with = |keys: &[&'static str]| [&["gate"], keys].concat();
    match name {
        "floor" => {
            let fields = Fields::new(table, &place, &with(&["min", "max"]), problems);
            let bound = read_sides(item, &fields, metric, problems)?;
            if bound.min.is_some() && bound.max.is_some() {
                let error = SuiteError::at(&item.span(), format!("the floor of `{metric}` has two sides"));
                problems.add(error.label("`min` or `max`").hint("give the metric a list with a floor for each side"));
                return None;
            }
            Some(ThresholdBound::Gate(Check::Floor, bound))
        }
        "no_worse_than_baseline" => {
            let fields = Fields::new(table, &place, &with(&["margin"]), problems);
            let Some(margin) = fields.get("margin") else {
                if !fields.is_misspelt("margin") {
                    let error = SuiteError::at(&item.span(), format!("the gate `{name}` of `{metric}` has no margin"));
                    problems.add(error.label("needs `margin`").hint(
                        "write margin = 0.01, say: the loss of the mean score that you would accept. No number of images proves that \
                         nothing at all was lost; `difftest calibrate` measures how much scores vary by themselves",
                    ));
                }
                return None;
            };
            let check = Check::NoWorseThanBaseline { margin: read_margin(margin, problems)? };
            Some(ThresholdBound::Gate(check, Bound { min: None, max: None }))
        }
        "improved" => {
            let fields = Fields::new(table, &place, &with(&["margin"]), problems);
            let margin = fields.get("margin").map_or(Some(0.0), |item| read_margin(item, problems))?;
            Some(ThresholdBound::Gate(Check::Improved { margin }, Bound { min: None, max: None }))
        }
        "rate" => {
            let fields = Fields::new(table, &place, &with(&["min", "max", "share"]), problems);
            let each = read_sides(item, &fields, metric, problems);
            let share = read_share(item, &fields, metric, problems);
            Some(ThresholdBound::Gate(Check::Rate { share: share? }, each?))
        }
        "similar" => {
            let fields = Fields::new(table, &place, &with(&["min", "max", "at_least"]), problems);
            let each = read_sides(item, &fields, metric, problems);
            let at_least = read_at_least(item, &fields, metric, problems);
            Some(ThresholdBound::Gate(Check::Similar { at_least: at_least? }, each?))
        }
        _ => {
            let error = SuiteError::at(&gate.span(), format!("unknown gate `{name}`")).label("no such gate");
            problems.add(error.hint(did_you_mean(name, GATES, "gates")));
            None
        }
    }
}

fn read_margin(item: &Item<'_>, problems: &mut Problems) -> Option<f64> {
    let margin = number(item, "margin", problems)?;
    if margin < 0.0 {
        let error = SuiteError::at(&item.span(), "`margin` is negative").label("expected 0 or more");
        problems.add(error.hint("it is a size, whichever way the metric is better"));
        return None;
    }
    Some(margin)
}

fn read_share(item: &Item<'_>, fields: &Fields<'_>, metric: &str, problems: &mut Problems) -> Option<f64> {
    let Some(item) = fields.get("share") else {
        if !fields.is_misspelt("share") {
            let error = SuiteError::at(&item.span(), format!("the gate `rate` of `{metric}` has no share"));
            problems
                .add(error.label("needs `share`").hint("write share = 0.9: how many of the images have to lie inside"));
        }
        return None;
    };
    let share = number(item, "share", problems)?;
    if share <= 0.0 || share >= 1.0 {
        let error = SuiteError::at(&item.span(), format!("`share` is out of range: {share}"));
        let error = error.label("expected more than 0 and less than 1");
        problems.add(if share == 1.0 {
            error.hint("no number of images proves that all of them lie inside; for all of these write of = \"min\" or of = \"max\" instead of a gate")
        } else {
            error.hint("0.9 means 90 %")
        });
        return None;
    }
    Some(share)
}

fn read_at_least(item: &Item<'_>, fields: &Fields<'_>, metric: &str, problems: &mut Problems) -> Option<AtLeast> {
    const EXPECTED: &str = "a number of images, or a share such as \"90%\"";
    let Some(item) = fields.get("at_least") else {
        if !fields.is_misspelt("at_least") {
            let error =
                SuiteError::at(&item.span(), format!("the gate `similar` of `{metric}` has no number of images"));
            problems.add(error.label("needs `at_least`").hint("write at_least = 8, or at_least = \"90%\""));
        }
        return None;
    };
    match item.get_ref() {
        DeValue::Integer(_) => {
            let count = integer(item, "at_least", 1, MOST_IMAGES, problems)?;
            u32::try_from(count).ok().map(AtLeast::Images)
        }
        DeValue::String(_) => {
            let text = string(item, "at_least", problems)?;
            let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
            let Some(percent) = percent.filter(|percent| *percent > 0.0 && *percent <= 100.0) else {
                let error = SuiteError::at(&item.span(), format!("`at_least` must be {EXPECTED}, found \"{text}\""));
                problems.add(error.label("expected more than 0% and at most 100%"));
                return None;
            };
            Some(AtLeast::Share(percent / 100.0))
        }
        _ => wrong_type(item, "at_least", EXPECTED, problems),
    }
}
