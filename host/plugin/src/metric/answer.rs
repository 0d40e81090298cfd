//! What a plugin answers, checked before it is believed.

use std::collections::HashSet;

use difftest_core::metric::{Detail, MetricError, MetricInfo, Score};

use crate::bindings::types;
use crate::failure::Place;
use crate::text;

/// The score, if it is a number in the range of the metric with at most `most` details.
pub(super) fn believe(
    score: types::Score,
    fuel: u64,
    info: &MetricInfo,
    most: usize,
    place: &Place<'_>,
) -> Result<Score, MetricError> {
    let value = score.value;
    if !value.is_finite() {
        let hint = "return an error for images that have no score";
        return Err(place.error("not-finite", format!("its score is {value}, not a number"), Some(hint.into())));
    }
    if let Some(what) = info.range.and_then(|range| outside(value, range)) {
        let hint = "clamp the score, or declare the range it really has";
        return Err(place.error("out-of-range", what, Some(hint.into())));
    }
    let details = details(score.details, most, place)?;
    Ok(Score { value, details, fuel: Some(fuel) })
}

/// What is wrong with a score where it is not in its range, whose open ends are infinite.
fn outside(value: f64, (low, high): (f64, f64)) -> Option<String> {
    if (low..=high).contains(&value) {
        return None;
    }
    let range = match (low.is_finite(), high.is_finite()) {
        (true, false) => format!("below {low}, where the range that it declares begins"),
        (false, true) => format!("above {high}, where the range that it declares ends"),
        _ => format!("outside the range {low} to {high} that it declares"),
    };
    Some(format!("its score is {value}, {range}"))
}

/// Checked details: not too many, each with a number and a name of its own that is safe to show.
fn details(said: Vec<types::Detail>, most: usize, place: &Place<'_>) -> Result<Vec<Detail>, MetricError> {
    if said.len() > most {
        let what = format!("its score has {} details, {most} is the most", said.len());
        return Err(place.error("output", what, None));
    }
    let mut seen = HashSet::new();
    let check = |detail: types::Detail| {
        let name = text::line(&detail.name, 100);
        if !detail.value.is_finite() {
            let what = format!("the detail `{name}` of its score is {}, not a number", detail.value);
            return Err(place.error("not-finite", what, Some("leave out details that have no value".into())));
        }
        if !seen.insert(name.clone()) {
            let what = format!("two details of its score are called `{name}`");
            return Err(place.error("output", what, Some("give each detail a name of its own".into())));
        }
        Ok(Detail { name, value: detail.value })
    };
    said.into_iter().map(check).collect()
}

/// An error that the plugin itself reported, which is an error of the run all the same.
pub(crate) fn said(error: &types::Error, place: &Place<'_>) -> MetricError {
    let (kind, said) = match error {
        types::Error::InvalidConfig(said) => ("invalid-config", said),
        types::Error::UnsupportedInput(said) => ("unsupported-input", said),
        types::Error::ModelNotFound(said) => ("model-not-found", said),
        types::Error::Other(said) => ("plugin-error", said),
    };
    let said = text::line(said.trim(), 1_000);
    place.error(kind, if said.is_empty() { "it gave no reason" } else { &said }, None)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn open_ranges_are_held_at_their_closed_end() {
        let inf = f64::INFINITY;
        assert_eq!(outside(1e300, (0.0, inf)), None);
        assert_eq!(outside(-1e300, (-inf, 1.0)), None);
        assert_eq!(outside(0.0, (-inf, inf)), None);
        assert_eq!(
            outside(-0.5, (0.0, inf)).unwrap(),
            "its score is -0.5, below 0, where the range that it declares begins"
        );
        assert_eq!(
            outside(1.5, (-inf, 1.0)).unwrap(),
            "its score is 1.5, above 1, where the range that it declares ends"
        );
        assert_eq!(outside(1.5, (0.0, 1.0)).unwrap(), "its score is 1.5, outside the range 0 to 1 that it declares");
    }

    #[test]
    fn details_have_names_of_their_own() {
        let place = Place { plugin: "p", of: Some("m"), sample: None };
        let said =
            |names: &[&str]| names.iter().map(|&name| types::Detail { name: name.to_owned(), value: 1.0 }).collect();
        assert_eq!(details(said(&["a", "b"]), 9, &place).unwrap().len(), 2);
        let error = details(said(&["a", "b", "a"]), 9, &place).unwrap_err();
        assert_eq!((error.kind.as_str(), error.hint.is_some()), ("output", true));
        assert!(error.message.ends_with("two details of its score are called `a`"), "{error}");
        // alike where only their ends differ is the same as equal: only the beginning is kept
        let long = "x".repeat(100);
        assert!(details(said(&[&format!("{long}a"), &format!("{long}b")]), 9, &place).is_err());
    }
}
