//! `difftest history --metric` and `trend`: a metric over runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use difftest_core::nearest::did_you_mean;
use difftest_core::select::Expression;
use difftest_report::sparkline::{sparkline, unicode};
use difftest_report::text::{count, safe, score};
use difftest_store::history::{Filter, Known, Series};

use super::{print, read, short_commit};
use crate::args::history::SeriesFilter;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

/// Sparklines are at most so wide: the latest runs of them.
const WIDEST: usize = 60;

pub(super) fn overview(metric: &str, filter: &SeriesFilter, ui: &mut Ui) -> Result<Exit, CliError> {
    let series = series(metric, filter, ui)?;
    let unicode = unicode(|name| std::env::var_os(name));
    print(&series, || lines(metric, &series, unicode), filter.message_format, ui)
}

pub(super) fn trend(metric: &str, filter: &SeriesFilter, ui: &mut Ui) -> Result<Exit, CliError> {
    let series = series(metric, filter, ui)?;
    print(&series, || points(&series), filter.message_format, ui)
}

/// The series that are asked for: at least one, or an error that says what there is.
fn series(metric: &str, filter: &SeriesFilter, ui: &mut Ui) -> Result<Vec<Series>, CliError> {
    let expression = filter.expression.as_deref().map(Expression::parse).transpose();
    let expression = expression.map_err(|error| CliError::new("usage", format!("-k: {error}")))?;
    let question = Filter {
        metric: metric.to_owned(),
        suite: filter.suite.clone(),
        test: filter.test.clone(),
        model: filter.model.clone(),
        environment: filter.environment.clone(),
        cases: expression,
        last: Some(filter.last.get()),
    };
    let (series, known) = read(ui, |history| {
        let series = history.series(&question)?;
        let asked = [
            (&question.suite, Known::Suite, "suites"),
            (&question.test, Known::Test, "tests"),
            (&question.model, Known::Model, "models"),
            (&question.environment, Known::Environment, "environments"),
        ];
        let mut known = Vec::new();
        for (name, table, what) in asked.into_iter().filter(|_| series.is_empty()) {
            if let Some(name) = name {
                known.push((name.clone(), history.known(table)?, what));
            }
        }
        Ok((series, known))
    })?;
    if !series.is_empty() {
        return Ok(series);
    }
    let hint = known.iter().find_map(|(name, names, what)| {
        let missing = !names.iter().any(|known| known.contains(name.as_str()));
        missing.then(|| did_you_mean(name, names.iter().map(String::as_str), what))
    });
    let hint = hint.unwrap_or_else(|| "ask for less: fewer filters, another `-k`".to_owned());
    Err(CliError::new("nothing-selected", format!("no run has scores of {metric} for that")).hint(hint))
}

/// What all series of a heading share.
fn heading(series: &Series) -> (&str, &str, &str) {
    (&series.model, &series.environment, &series.metric_key)
}

fn write_heading(text: &mut String, series: &Series, keys: usize) {
    let better = match series.better {
        "neither" => String::new(),
        way => format!(", {way} is better"),
    };
    let key =
        if keys > 1 { format!(", variant {}", series.metric_key.get(..12).unwrap_or_default()) } else { String::new() };
    let _ =
        writeln!(text, "{}{better}: {}, {}{key}", safe(&series.metric), safe(&series.model), safe(&series.environment));
}

fn lines(metric: &str, all: &[Series], unicode: bool) -> String {
    let keys = all.iter().map(|series| &series.metric_key).collect::<BTreeSet<_>>().len();
    let name = |series: &Series| format!("{}::{}", safe(&series.suite), safe(&series.test));
    let width = all.iter().map(|series| name(series).chars().count()).max().unwrap_or(0).max(4);
    let mut text = String::new();
    let mut sorted: Vec<&Series> = all.iter().collect();
    // Stable: tests of one heading stay in their order.
    sorted.sort_by(|a, b| heading(a).cmp(&heading(b)));
    for (index, series) in sorted.iter().enumerate() {
        if index == 0 || heading(sorted[index - 1]) != heading(series) {
            if index > 0 {
                text.push('\n');
            }
            write_heading(&mut text, series, keys);
            let _ = writeln!(
                text,
                "  {:<width$} {:>9} {:>9} {:>9} {:>9} {:>5} {:>6}  OLDEST TO LATEST",
                "TEST", "LAST", "CHANGE", "LEAST", "MOST", "RUNS", "IMAGES"
            );
        }
        let means: Vec<f64> = series.points.iter().map(|point| point.mean).collect();
        let Some(last) = means.last() else { continue };
        let change = means.len().checked_sub(2).map(|before| last - means[before]);
        let shown = &means[means.len().saturating_sub(WIDEST)..];
        let _ = writeln!(
            text,
            "  {:<width$} {:>9} {:>9} {:>9} {:>9} {:>5} {:>6}  {}",
            name(series),
            score(*last),
            change.map_or_else(|| "-".to_owned(), signed),
            score(means.iter().copied().fold(f64::INFINITY, f64::min)),
            score(means.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            means.len(),
            series.scores,
            sparkline(shown, unicode)
        );
    }
    let _ = writeln!(text, "\ndifftest history trend {}   # run by run", safe(metric));
    text
}

/// A difference with its sign; `0` is no difference at all.
pub(crate) fn signed(difference: f64) -> String {
    if difference == 0.0 {
        "0".to_owned()
    } else {
        format!("{}{}", if difference > 0.0 { "+" } else { "" }, score(difference))
    }
}

fn points(all: &[Series]) -> String {
    let keys = all.iter().map(|series| &series.metric_key).collect::<BTreeSet<_>>().len();
    let mut text = String::new();
    for (index, series) in all.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        write_heading(&mut text, series, keys);
        let _ =
            writeln!(text, "{}::{}, {} each", safe(&series.suite), safe(&series.test), count(series.scores, "score"));
        let _ = writeln!(
            text,
            "  {:<23} {:<9} {:>9} {:>9} {:>9} {:>9}  {:<12} LABEL",
            "RUN", "COMMIT", "MEAN", "CHANGE", "LEAST", "MOST", "VERDICT"
        );
        let mut before: Option<f64> = None;
        for point in &series.points {
            let change = before.map_or_else(|| "-".to_owned(), |before| signed(point.mean - before));
            before = Some(point.mean);
            let line = format!(
                "  {:<23} {:<9} {:>9} {change:>9} {:>9} {:>9}  {:<12} {}",
                safe(&point.run),
                safe(short_commit(point.commit.as_ref())),
                score(point.mean),
                score(point.least),
                score(point.most),
                safe(&point.verdict),
                safe(point.label.as_deref().unwrap_or_default())
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}
