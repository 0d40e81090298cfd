//! What a plugin says of itself, checked before it is believed.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use difftest_core::metric::{Direction, MetricKind};

use crate::bindings::{generated, types};
use crate::limits::Limits;
use crate::schema::Schema;
use crate::text;

/// A metric as its plugin describes it; every text is one line and safe to show.
pub(crate) struct Metric {
    pub(crate) name: String,
    /// By the interface that described it.
    pub(crate) kind: MetricKind,
    pub(crate) summary: String,
    pub(crate) direction: Direction,
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) unit: Option<String>,
    pub(crate) schema: Option<Schema>,
}

/// A prompt generator as its plugin describes it.
pub(crate) struct Generator {
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) schema: Option<Schema>,
}

/// The metrics that one interface describes, or what is wrong with them.
pub(crate) fn metrics(said: Vec<types::MetricInfo>, kind: MetricKind, limits: &Limits) -> Result<Vec<Metric>, String> {
    names(said.iter().map(|info| info.name.as_str()), interface(kind), limits)?;
    said.into_iter()
        .map(|info| {
            let of = format!("metric `{}`", info.name);
            // an open end is infinite, and neither end may be NaN
            if let Some((low, high)) = info.range
                && low.partial_cmp(&high) != Some(Ordering::Less)
            {
                return Err(format!(
                    "the range of {of} is {low} to {high}; it must be two numbers, the lower one first"
                ));
            }
            Ok(Metric {
                kind,
                summary: summary(&info.summary),
                direction: match info.direction {
                    types::Direction::HigherIsBetter => Direction::HigherIsBetter,
                    types::Direction::LowerIsBetter => Direction::LowerIsBetter,
                    types::Direction::Neither => Direction::Neither,
                },
                range: info.range,
                unit: info.unit.map(|unit| text::line(unit.trim(), 24)).filter(|unit| !unit.is_empty()),
                schema: schema(info.config_schema, &of, limits)?,
                name: info.name,
            })
        })
        .collect()
}

/// Checks the metrics of all interfaces together: suites name them without saying the interface.
pub(crate) fn together(metrics: &[Metric], limits: &Limits) -> Result<(), String> {
    if metrics.len() > limits.described {
        return Err(format!("it describes {} metrics, {} is the most", metrics.len(), limits.described));
    }
    let mut seen: HashMap<&str, MetricKind> = HashMap::new();
    for metric in metrics {
        if let Some(first) = seen.insert(&metric.name, metric.kind) {
            let (first, second) = (interface(first), interface(metric.kind));
            return Err(format!("it describes `{}` twice, as a {first} and as a {second}", metric.name));
        }
    }
    Ok(())
}

/// The interface that metrics of that kind are exported by.
fn interface(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Image => "metric",
        MetricKind::Pair => "pair-metric",
        MetricKind::Set => "set-metric",
    }
}

/// The prompt generators, or what is wrong with them.
pub(crate) fn generators(said: Vec<generated::GeneratorInfo>, limits: &Limits) -> Result<Vec<Generator>, String> {
    names(said.iter().map(|info| info.name.as_str()), "prompt generator", limits)?;
    said.into_iter()
        .map(|info| {
            let schema = schema(info.config_schema, &format!("prompt generator `{}`", info.name), limits)?;
            Ok(Generator { summary: summary(&info.summary), schema, name: info.name })
        })
        .collect()
}

fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>, what: &str, limits: &Limits) -> Result<(), String> {
    match names.len() {
        0 => return Err(format!("it exports the interface of a {what} but describes none")),
        count if count > limits.described => {
            return Err(format!("it describes {count} of {what}, {} is the most", limits.described));
        }
        _ => {}
    }
    let mut seen = HashSet::new();
    for name in names {
        if name.len() > 64 || !text::is_kebab(name) {
            let shown = text::line(name, 64);
            return Err(format!(
                "the name `{shown}` of a {what} is not kebab-case (`like-this`, at most 64 characters)"
            ));
        }
        if !seen.insert(name) {
            return Err(format!("it describes the {what} `{name}` twice"));
        }
    }
    Ok(())
}

/// The first line.
fn summary(said: &str) -> String {
    text::line(said.trim().lines().next().unwrap_or_default(), 200)
}

fn schema(said: Option<String>, of: &str, limits: &Limits) -> Result<Option<Schema>, String> {
    let parsed = said.map(|text| Schema::parse(&text, limits.schema_bytes)).transpose();
    parsed.map_err(|reason| format!("the config schema of {of} cannot be used: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str) -> types::MetricInfo {
        let (summary, direction) = (" One.\nTwo.\u{1b}[2J ".to_owned(), types::Direction::Neither);
        types::MetricInfo { name: name.to_owned(), summary, direction, range: None, unit: None, config_schema: None }
    }

    fn says(said: Vec<types::MetricInfo>) -> String {
        metrics(said, MetricKind::Image, &Limits::default()).err().unwrap_or_default()
    }

    #[test]
    fn lies_are_found() {
        assert!(says(vec![]).contains("describes none"));
        assert!(says(vec![info("Bad_Name")]).contains("`Bad_Name` of a metric is not kebab-case"));
        assert!(says(vec![info("\u{1b}[31m")]).contains("\\u{1b}"));
        assert!(says(vec![info(&"a".repeat(65))]).contains("not kebab-case"));
        assert!(says(vec![info("a"), info("b"), info("a")]).contains("`a` twice"));
        assert!(says((0..300).map(|i| info(&format!("m{i}"))).collect()).contains("300 of metric, 256 is the most"));
        for (low, high) in [(1.0, 0.0), (0.0, 0.0), (f64::NAN, 1.0), (0.0, f64::NAN), (f64::INFINITY, f64::INFINITY)] {
            let said = says(vec![types::MetricInfo { range: Some((low, high)), ..info("a") }]);
            assert!(said.contains("two numbers, the lower one first"), "{said}");
        }
        let broken = types::MetricInfo { config_schema: Some("{".to_owned()), ..info("a") };
        assert!(says(vec![broken]).contains("schema of metric `a` cannot be used: it is not JSON"));
    }

    #[test]
    fn a_range_may_be_open() {
        for range in [(0.0, f64::INFINITY), (f64::NEG_INFINITY, 1.0), (f64::NEG_INFINITY, f64::INFINITY)] {
            let said = vec![types::MetricInfo { range: Some(range), ..info("a") }];
            let metrics = metrics(said, MetricKind::Image, &Limits::default()).unwrap_or_default();
            assert_eq!(metrics.first().and_then(|metric| metric.range), Some(range));
        }
    }

    #[test]
    fn summaries_are_one_safe_line() {
        let metrics = metrics(vec![info("a")], MetricKind::Image, &Limits::default()).unwrap_or_default();
        assert_eq!(metrics.first().map(|metric| metric.summary.as_str()), Some("One."));
    }

    #[test]
    fn a_name_means_one_metric_whatever_interface_has_it() {
        let limits = Limits { described: 3, ..Limits::default() };
        let of = |names: &[&str], kind| {
            metrics(names.iter().map(|name| info(name)).collect(), kind, &limits).unwrap_or_default()
        };
        let all = |pair: &[&str], set: &[&str]| {
            let metrics = [of(&["a"], MetricKind::Image), of(pair, MetricKind::Pair), of(set, MetricKind::Set)];
            together(&metrics.into_iter().flatten().collect::<Vec<_>>(), &limits).err().unwrap_or_default()
        };
        assert_eq!(all(&["b"], &["c"]), "");
        assert_eq!(all(&["b"], &["a"]), "it describes `a` twice, as a metric and as a set-metric");
        assert_eq!(all(&["b", "c"], &["d"]), "it describes 4 metrics, 3 is the most");
    }
}
