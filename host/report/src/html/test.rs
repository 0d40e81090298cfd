//! A test: its verdict, what its scores say and can prove, and its contact sheet.

use std::io::{self, Write};

use difftest_core::event::Verdict;
use difftest_core::gate::{Evidence, Rule};

use super::markup::Text;
use super::overview::trouble;
use super::pictures::Pictures;
use super::view::{Group, View};
use super::{chart, sheet};
use crate::json::{GateRecord, TestResult};
use crate::text::{self, count};

fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("pass", "pass"),
        Verdict::Inconclusive => ("inconclusive", "inconclusive"),
        Verdict::Fail => ("fail", "fail"),
        Verdict::Error => ("error", "error"),
        Verdict::NotRun => ("not run", "notjudged"),
    }
}

pub(super) fn write(view: &View<'_>, group: &Group<'_>, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let (word, class) = verdict(group.test.map_or(Verdict::NotRun, |test| test.verdict));
    writeln!(
        out,
        "<article class=\"test {class}\"><h2><span class=\"badge {class}\">{word}</span> {}<span class=\"of\">::</span>{} \
         <small>{}</small></h2>",
        Text(&group.suite.name),
        Text(group.name),
        count(group.cases.len(), "case")
    )?;
    if let Some(test) = group.test {
        gates(view, group, test, out)?;
    }
    sheet::write(view, group, pictures, out)?;
    writeln!(out, "</article>")
}

/// What its scores say, metric by metric.
fn gates(view: &View<'_>, group: &Group<'_>, test: &TestResult, out: &mut dyn Write) -> io::Result<()> {
    for error in &test.errors {
        trouble(&error.message, error.hint.as_deref(), out)?;
    }
    if !test.metrics.is_empty() {
        writeln!(
            out,
            "<table class=\"gates\"><thead><tr><th>metric</th><th>verdict</th><th>scores</th><th>history</th></tr></thead><tbody>"
        )?;
        for metric in &test.metrics {
            let gates: Vec<_> = test.gates.iter().filter(|gate| gate.result.metric == metric.name).collect();
            let bounds: Vec<_> = gates.iter().map(|gate| gate.result.bound).collect();
            let mut values: Vec<f64> = view.scores(group, &metric.name).collect();
            values
                .extend(test.scores.iter().filter(|score| score.metric == metric.name).filter_map(|score| score.value));
            write!(out, "<tr><th scope=\"row\" title=\"{}\">{}</th><td>", Text(&metric.summary), Text(&metric.name))?;
            for gate in &gates {
                gate_line(gate, out)?;
            }
            if gates.is_empty() {
                write!(out, "<p class=\"faint\">reported, not judged</p>")?;
            }
            let history = view.history(group, None, &metric.name).map(|series| chart::sparkline(&series.points));
            writeln!(
                out,
                "</td><td>{}</td><td>{}</td></tr>",
                chart::histogram(&values, &bounds),
                history.unwrap_or_default()
            )?;
        }
        writeln!(out, "</tbody></table>")?;
    }
    Ok(())
}

fn gate_line(gate: &GateRecord, out: &mut dyn Write) -> io::Result<()> {
    let result = &gate.result;
    let (sign, class) = if result.holds { ("✓", "pass") } else { ("✕", "fail") };
    let rule = match result.rule {
        Rule::Bound => String::new(),
        Rule::Floor => "floor: ".to_owned(),
        Rule::NoWorseThanBaseline => "no worse than the baseline: ".to_owned(),
        Rule::Improved => "better than the baseline: ".to_owned(),
        Rule::Rate => "rate: ".to_owned(),
        Rule::Similar => "similar: ".to_owned(),
    };
    let said = match result.value {
        Some(value) => text::compared(value, &result.bound),
        None => format!("no value, wanted {}", text::bound(&result.bound)),
    };
    write!(out, "<p><i class=\"{class}\">{sign}</i> {rule}{} {}</p>", result.of, Text(&said))?;
    result.evidence.iter().try_for_each(|evidence| write!(out, "<p class=\"faint\">{}</p>", Text(&power(evidence))))
}

/// What the scores can and cannot prove.
fn power(evidence: &Evidence) -> String {
    let score = text::score;
    let mut parts = vec![format!("{}: estimate {}", count(evidence.prompts, "prompt"), score(evidence.estimate))];
    match (evidence.lower, evidence.upper) {
        (None, None) => {}
        (lower, upper) => {
            let end = |end: Option<f64>| end.map_or_else(|| "…".to_owned(), score);
            parts.push(format!("95 % interval {} to {}, limit {}", end(lower), end(upper), score(evidence.limit)));
        }
    }
    parts.extend(evidence.p_adjusted.or(evidence.p).map(|p| format!("p {}", score(p))));
    parts.extend(evidence.detectable.map(|least| format!("so many prompts can show a difference of {}", score(least))));
    parts.extend(evidence.prompts_needed.map(|n| format!("{n} prompts are needed")));
    if !evidence.lost.is_empty() {
        let lost = evidence.lost.iter().take(5).map(|(prompt, change)| format!("{prompt} ({change:+.3})"));
        parts.push(format!("lost most: {}", lost.collect::<Vec<_>>().join(", ")));
    }
    parts.join("; ")
}
