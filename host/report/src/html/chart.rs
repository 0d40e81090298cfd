//! Small charts as SVG, drawn with attributes alone: the page's policy allows no style in elements. Each says in words what it shows.

use std::fmt::Write as _;

use difftest_core::gate::Bound;

use super::HistoryPoint;
use super::markup::Text;
use crate::text;

/// Where values lie on an axis: those seen and the ends of the bound, with some air around them.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    /// `None` without a finite value.
    pub(super) fn of(values: impl Iterator<Item = f64>, bounds: &[Bound]) -> Option<Self> {
        let ends = bounds.iter().flat_map(|bound| [bound.min, bound.max]).flatten();
        let all = values.chain(ends).filter(|value| value.is_finite());
        let (least, most) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let span = most - least;
        if !span.is_finite() {
            return None;
        }
        let air = if span > 0.0 { span * 0.06 } else { least.abs().max(1.0) * 0.05 };
        Some(Self { least: least - air, most: most + air })
    }

    /// 0 to 1, left to right.
    fn at(&self, value: f64) -> f64 {
        ((value - self.least) / (self.most - self.least)).clamp(0.0, 1.0)
    }
}

/// A score on its axis: what is allowed is shaded, its ends are ticks, the score is a dot, in the colour of a verdict where the bound
/// judges each score for itself (`judges`).
pub(super) fn bar(axis: &Axis, value: f64, bound: Option<&Bound>, judges: bool) -> String {
    const WIDTH: f64 = 160.0;
    let x = |value: f64| axis.at(value) * (WIDTH - 12.0) + 6.0;
    let held = bound.filter(|_| judges).map_or("", |bound| if bound.holds(value) { " in" } else { " out" });
    let said = bound.map_or_else(|| text::score(value), |bound| text::compared(value, bound));
    let mut svg = format!(
        "<svg class=\"bar{held}\" viewBox=\"0 0 160 18\" width=\"160\" height=\"18\" role=\"img\" aria-label=\"{}\">\
         <rect class=\"track\" x=\"0\" y=\"6\" width=\"160\" height=\"6\" rx=\"3\"/>",
        Text(&said)
    );
    if let Some(bound) = bound {
        let (from, to) = (bound.min.map_or(0.0, x), bound.max.map_or(WIDTH, x));
        let _ = write!(
            svg,
            "<rect class=\"allowed\" x=\"{from:.1}\" y=\"6\" width=\"{:.1}\" height=\"6\" rx=\"3\"/>",
            (to - from).max(0.0)
        );
        for end in [bound.min, bound.max].into_iter().flatten() {
            let _ = write!(svg, "<rect class=\"tick\" x=\"{:.1}\" y=\"1\" width=\"2\" height=\"16\"/>", x(end) - 1.0);
        }
    }
    let _ = write!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"9\" r=\"5\"/></svg>", x(value));
    svg
}

/// How many scores lie where, with the ends of the bound.
pub(super) fn histogram(values: &[f64], bounds: &[Bound]) -> String {
    const BINS: usize = 24;
    let Some(axis) = Axis::of(values.iter().copied(), bounds) else { return String::new() };
    let mut bins = [0_u32; BINS];
    for value in values.iter().filter(|value| value.is_finite()) {
        bins[((axis.at(*value) * BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    let highest = bins.iter().copied().max().unwrap_or(0).max(1);
    let (least, most) = (
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    let mut svg = format!(
        "<svg class=\"histogram\" viewBox=\"0 0 192 48\" width=\"192\" height=\"48\" role=\"img\" aria-label=\"{} from {} to {}\">",
        text::count(values.len(), "score"),
        text::score(least),
        text::score(most)
    );
    for (bin, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = 2.0 + 42.0 * f64::from(*count) / f64::from(highest);
        let middle = axis.least + (bin as f64 + 0.5) / BINS as f64 * (axis.most - axis.least);
        let class = if bounds.iter().all(|bound| bound.holds(middle)) { "in" } else { "out" };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{:.1}\" width=\"7\" height=\"{height:.1}\"/>",
            bin * 8,
            46.0 - height
        );
    }
    for end in bounds.iter().flat_map(|bound| [bound.min, bound.max]).flatten() {
        let _ =
            write!(svg, "<rect class=\"tick\" x=\"{:.1}\" y=\"0\" width=\"1.5\" height=\"48\"/>", axis.at(end) * 192.0);
    }
    svg + "<rect class=\"base\" x=\"0\" y=\"46\" width=\"192\" height=\"1\"/></svg>"
}

/// Values over time, the last one a dot.
pub(super) fn sparkline(points: &[HistoryPoint]) -> String {
    const MOST: usize = 100;
    let points = &points[points.len().saturating_sub(MOST)..];
    let values: Vec<f64> = points.iter().map(|point| point.value).filter(|value| value.is_finite()).collect();
    let (Some(axis), Some(last)) = (Axis::of(values.iter().copied(), &[]), values.last()) else { return String::new() };
    let step = 148.0 / (values.len().max(2) - 1) as f64;
    let y = |value: f64| 28.0 - axis.at(value) * 24.0;
    let mut line = String::new();
    for (index, value) in values.iter().enumerate() {
        let _ = write!(line, "{:.1},{:.1} ", 2.0 + index as f64 * step, y(*value));
    }
    let said = format!("{}, the last {}", text::count(values.len(), "run"), text::score(*last));
    format!(
        "<svg class=\"sparkline\" viewBox=\"0 0 156 32\" width=\"156\" height=\"32\" role=\"img\" aria-label=\"{said}\">\
         <polyline points=\"{}\"/><circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/></svg>",
        line.trim_end(),
        2.0 + (values.len() - 1) as f64 * step,
        y(*last)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MIN: Bound = Bound { min: Some(0.25), max: None };

    #[test]
    fn a_bar_shows_on_which_side_of_its_bound_a_score_lies() {
        let axis = Axis::of([0.1, 0.4].into_iter(), &[MIN]).unwrap();
        let (short, enough) = (bar(&axis, 0.2, Some(&MIN), true), bar(&axis, 0.3, Some(&MIN), true));
        assert!(short.contains("bar out") && short.contains("0.200 &lt; 0.250, short by 0.050"), "{short}");
        assert!(enough.contains("bar in"), "{enough}");
        assert!(bar(&axis, 0.2, Some(&MIN), false).contains("class=\"bar\""), "no verdict on a single score");
        let number = |svg: &str, name: &str| -> f64 {
            svg.rsplit_once(name).unwrap().1.split('"').nth(1).unwrap().parse().unwrap()
        };
        let tick = number(&short, "class=\"tick\" x=");
        assert!(number(&short, "cx=") < tick && tick < number(&enough, "cx="));
    }

    #[test]
    fn every_score_is_in_the_histogram() {
        let svg = histogram(&[0.1, 0.1, 0.3], &[MIN]);
        assert_eq!((svg.matches("class=\"out\"").count(), svg.matches("class=\"in\"").count()), (1, 1), "{svg}");
        assert_eq!(histogram(&[], &[]), "");
        assert!(histogram(&[1.0; 5], &[]).contains("5 scores from 1.000 to 1.000"));
        assert_eq!(histogram(&[f64::MAX, f64::MIN], &[]), "", "no axis is that long");
    }

    #[test]
    fn a_sparkline_needs_a_value() {
        let point = |value| HistoryPoint { run: String::new(), started: String::new(), value };
        assert_eq!(sparkline(&[]), "");
        assert!(sparkline(&[point(1.0)]).contains("1 run, the last 1.000"));
        assert_eq!(sparkline(&[point(1.0), point(2.0), point(f64::NAN)]).matches(',').count(), 3);
    }
}
