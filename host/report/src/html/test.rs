//! A test: its verdict, what its scores say and can prove, and its contact sheet.

use std::io::{self, Write};

use difftest_core::event::Verdict;

use super::markup::Text;
use super::overview::trouble;
use super::pictures::Pictures;
use super::view::{Group, View};
use super::{chart, share, sheet};
use crate::evidence;
use crate::json::{GateRecord, TestResult};
use crate::text::{self, count};

/// How many of the prompts that lost most are named.
const LOST: usize = 5;

fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("pass", "pass"),
        Verdict::Inconclusive => ("inconclusive", "inconclusive"),
        Verdict::Fail => ("fail", "fail"),
        Verdict::Error => ("error", "error"),
        Verdict::NotRun => ("not run", "notjudged"),
    }
}

pub(super) fn write(view: &View<'_>, index: usize, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let group = &view.groups[index];
    let (word, class) = verdict(group.test.map_or(Verdict::NotRun, |test| test.verdict));
    writeln!(
        out,
        "<article class=\"test {class}\" data-group=\"{index}\"><h2><span class=\"badge {class}\">{word}</span> {}<span class=\"of\">::</span>{} \
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
            let bounds: Vec<_> = gates.iter().filter_map(|gate| share::bound(gate)).collect();
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
    let said = evidence::found(result).unwrap_or_else(|| format!("no value, wanted {}", text::bound(&result.bound)));
    write!(out, "<p><i class=\"{class}\">{sign}</i> {}</p>", Text(&said))?;
    let Some(found) = &result.evidence else { return Ok(()) };
    let p = found.p_adjusted.or(found.p).map(|p| format!("p = {}", text::score(p)));
    let lost: Vec<_> =
        found.lost.iter().take(LOST).map(|(prompt, change)| format!("{prompt} ({change:+.3})")).collect();
    let lost = (!lost.is_empty()).then(|| format!("lost most: {}", lost.join(", ")));
    let parts: Vec<_> =
        p.into_iter().chain(evidence::power(result)).chain(found.notes.iter().cloned()).chain(lost).collect();
    write!(out, "<p class=\"faint\">{}</p>", Text(&parts.join("; ")))
}
