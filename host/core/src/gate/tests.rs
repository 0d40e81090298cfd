//! Laws of the statistics and of the verdict.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn gate(metric: &str, of: Statistic, min: Option<f64>, max: Option<f64>) -> Gate {
    Gate { metric: metric.to_owned(), of, bound: Bound { min, max }, check: Check::Bound, span: 0..0 }
}

#[test]
fn percentiles_equal_numpy() {
    // numpy.percentile([0.31, 0.24, 0.27, 0.29, 0.35, 0.22, 0.3], [0, 10, 25, 50, 90, 95, 100]), NumPy 2
    let scores = [0.31, 0.24, 0.27, 0.29, 0.35, 0.22, 0.3];
    let expected = [(0, 0.22), (10, 0.232), (25, 0.255), (50, 0.29), (90, 0.326), (95, 0.338), (100, 0.35)];
    for (p, value) in expected {
        let found = Statistic::Percentile(p).of(&scores).unwrap();
        assert!((found - value).abs() < 1e-15, "p{p}: {found} is not {value}");
    }
}

#[test]
fn no_scores_have_no_statistic() {
    assert_eq!(Statistic::Mean.of(&[]), None);
    assert_eq!(Statistic::Percentile(10).of(&[]), None);
}

#[test]
fn bounds_are_closed_and_equal_scores_meet_their_own_value() {
    let (verdict, results) = judge(&[gate("m", Statistic::Mean, Some(0.1), Some(0.1))], |_| vec![Some(0.1); 3]);
    assert_eq!((verdict, results[0].margin()), (Verdict::Pass, Some(0.0)));
}

#[test]
fn a_missing_score_is_an_error_whatever_the_other_scores_are() {
    let gates = [gate("whole", Statistic::Mean, Some(9.0), None), gate("broken", Statistic::Max, None, Some(9.0))];
    let scores = |metric: &str| if metric == "whole" { vec![Some(0.5)] } else { vec![Some(0.5), None] };
    let (verdict, results) = judge(&gates, scores);
    assert_eq!((verdict, results[0].value, results[0].holds), (Verdict::Error, Some(0.5), false));
    assert_eq!((results[1].holds, results[1].value, results[1].scores), (false, None, 1));
}

#[test]
fn a_gate_over_nothing_is_an_error() {
    let gates = [gate("m", Statistic::Mean, None, Some(1.0))];
    assert_eq!(judge(&gates, |_| Vec::new()).0, Verdict::Error);
    assert_eq!(judge(&gates, |_| vec![Some(f64::NAN)]).0, Verdict::Error);
    assert_eq!(judge(&[], |_| Vec::new()).0, Verdict::Pass, "nothing was asked");
}

#[test]
fn statistics_have_one_spelling() {
    for text in ["mean", "median", "min", "max", "p0", "p10", "p100"] {
        assert_eq!(text.parse::<Statistic>().unwrap().to_string(), text);
    }
    for text in ["", "p", "p101", "p-1", "p+5", "p05", "Mean", "p1.5", "avg"] {
        assert!(text.parse::<Statistic>().is_err(), "{text}");
    }
}

fn statistic() -> impl Strategy<Value = Statistic> {
    prop_oneof![
        Just(Statistic::Mean),
        Just(Statistic::Median),
        Just(Statistic::Min),
        Just(Statistic::Max),
        (0..=100u8).prop_map(Statistic::Percentile),
    ]
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -1.0..1.0, 1 => any::<f64>().prop_filter("finite", |x| x.is_finite())]
}

proptest! {
    #[test]
    fn a_statistic_lies_between_the_extremes(scores in prop::collection::vec(finite(), 1..40), of in statistic()) {
        let value = of.of(&scores).unwrap();
        let (least, most) = (Statistic::Min.of(&scores).unwrap(), Statistic::Max.of(&scores).unwrap());
        prop_assert!(least <= value && value <= most, "{of}: {least} {value} {most}");
    }

    #[test]
    fn percentiles_never_fall(scores in prop::collection::vec(-1.0..1.0, 1..40), low in 0..=100u8, high in 0..=100u8) {
        let (low, high) = (low.min(high), low.max(high));
        prop_assert!(Statistic::Percentile(low).of(&scores) <= Statistic::Percentile(high).of(&scores));
    }

    #[test]
    fn order_statistics_ignore_the_order(mut scores in prop::collection::vec(-1.0..1.0, 1..40), p in 0..=100u8) {
        let before = Statistic::Percentile(p).of(&scores);
        scores.reverse();
        prop_assert_eq!(before, Statistic::Percentile(p).of(&scores));
    }

    #[test]
    fn a_pass_needs_every_score_and_every_bound(
        scores in prop::collection::vec(prop::option::weighted(0.9, -1.0..1.0), 0..8),
        of in statistic(),
        min in -1.0..1.0,
    ) {
        let gates = [gate("m", of, Some(min), None)];
        let (verdict, results) = judge(&gates, |_| scores.clone());
        let values: Option<Vec<f64>> = scores.iter().copied().collect();
        let value = values.and_then(|values| of.of(&values));
        let expected = match value {
            None => Verdict::Error,
            Some(value) if value >= min => Verdict::Pass,
            Some(_) => Verdict::Fail,
        };
        prop_assert_eq!(verdict, expected);
        prop_assert_eq!(results[0].holds, expected == Verdict::Pass);
        prop_assert_eq!(results[0].margin().is_some_and(|margin| margin >= 0.0), expected == Verdict::Pass);
    }
}
