//! Everything about one case: its images, what it adds to the verdict, its scores, where they came from, and the command that repeats
//! it.

use std::io::{self, Write};

use difftest_core::visual::{Comparison, Standing};

use super::chart::{self, Axis};
use super::markup::{Text, cut};
use super::overview::trouble;
use super::pictures::Pictures;
use super::view::{Case, Group, View};
use super::{facts, share, stage};
use crate::evidence;
use crate::findings;
use crate::json::CaseResult;
use crate::text;

/// How much of a prompt stands here; the contact sheet has all of it.
pub(super) const PROMPT: usize = 1000;

pub(super) fn write(view: &View<'_>, index: usize, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let case = &view.cases[index];
    let (result, group, status) = (case.result, &view.groups[case.group], case.status);
    let (class, id) = (status.word(), Text(&result.id));
    writeln!(
        out,
        "<details class=\"case\" data-case=\"{index}\"><summary><span class=\"badge {class}\">{sign} {label}</span> {id}</summary>\n\
         <article id=\"c{index}\" aria-label=\"{id}\">\n<header><span class=\"badge {class}\">{sign} {label}</span> <h3>{id}</h3></header>",
        sign = status.sign(),
        label = Text(&case.said()),
    )?;
    stage::write(view, index, pictures, out)?;
    writeln!(out, "<div class=\"about\">")?;
    let text = &result.prompt.text;
    write!(out, "<p class=\"words\"><bdi class=\"prompt\" dir=\"auto\">{}</bdi>", Text(&cut(text, PROMPT)))?;
    if text.chars().nth(PROMPT).is_some() {
        write!(out, " <a href=\"#t{index}\">all of it</a>")?;
    }
    writeln!(out, " <span class=\"faint\">seed {}</span></p>", result.seed)?;
    if let Some(error) = &result.error {
        trouble(&error.message, error.hint.as_deref(), out)?;
    }
    for warning in result.image.iter().flat_map(|image| &image.warnings) {
        writeln!(out, "<p class=\"warning\">{}</p>", Text(warning))?;
    }
    if let Some(comparison) = &result.comparison {
        tiers(comparison, out)?;
    }
    shares(case, out)?;
    scores(view, group, result, out)?;
    facts::write(view, result, out)?;
    for line in &result.logs {
        writeln!(out, "<p class=\"log\">{}: {}: {}</p>", Text(&line.plugin), Text(&line.level), Text(&line.message))?;
    }
    if let Some(command) = facts::command(view, group, result) {
        writeln!(out, "<pre class=\"command\"><code>{}</code></pre>", Text(&command))?;
    }
    writeln!(out, "</div></article></details>")
}

fn tiers(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let standing = match comparison.standing {
        Standing::Same if comparison.tolerated => "within tolerance of",
        Standing::Same => "the same as",
        Standing::Changed => "not the same as",
        Standing::New => "new: there is no image in",
    };
    writeln!(out, "<p>{standing} baseline <b>{}</b></p>", Text(&comparison.baseline))?;
    if let Some(said) = findings::said(comparison) {
        writeln!(out, "<p class=\"warning\">{}</p>", Text(&said))?;
    }
    if let Some(asked) = findings::asked(comparison) {
        let was = comparison.asked.as_ref().and_then(|asked| asked.was.as_deref()).unwrap_or("not there");
        writeln!(out, "<p class=\"warning\">{}: it was {}</p>", Text(&asked), Text(&cut(was, PROMPT)))?;
    }
    if comparison.tiers.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<table class=\"scores\"><thead><tr><th>comparison</th><th>found</th><th>tolerated</th></tr></thead><tbody>"
    )?;
    for tier in &comparison.tiers {
        let (sign, class) = if tier.holds { ("✓", "pass") } else { ("✕", "fail") };
        let relation = if tier.tier.higher_is_alike() { "≥" } else { "≤" };
        writeln!(
            out,
            "<tr><th scope=\"row\"><i class=\"{class}\">{sign}</i> {}</th><td class=\"number\">{}</td><td class=\"number\">{relation} {}</td></tr>",
            tier.tier,
            text::score(tier.value),
            text::score(tier.limit)
        )?;
    }
    writeln!(out, "</tbody></table>")
}

/// Its part in gates that judge all images together.
fn shares(case: &Case<'_>, out: &mut dyn Write) -> io::Result<()> {
    if case.shares.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<p>Judged together with the other images of its test: no image passes or fails such a gate by itself.</p>\n\
         <table class=\"scores shares\"><thead><tr><th>gate on</th><th>this image</th><th>baseline</th><th>difference</th>\
         <th>its prompt, on average</th></tr></thead><tbody>"
    )?;
    for share in &case.shares {
        let result = &share.gate.result;
        let number = |value: Option<f64>| value.map(text::score).unwrap_or_default();
        let difference = match share.change() {
            Some(change) => format!("{change:+.3}: {}", share.moved(change)),
            None if share.of_prompt.is_some() => String::new(),
            None => share.words(),
        };
        let of_prompt = share.of_prompt.map(|change| format!("{change:+.3}: {}", share.moved(change)));
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td></tr>",
            Text(&result.metric),
            number(share.score),
            number(share.before),
            Text(&difference),
            Text(&of_prompt.unwrap_or_default())
        )?;
        if let Some(found) = evidence::found(result) {
            writeln!(out, "<tr class=\"detail\"><td colspan=\"5\">{}</td></tr>", Text(&found))?;
        }
    }
    writeln!(out, "</tbody></table>")
}

fn scores(view: &View<'_>, group: &Group<'_>, case: &CaseResult, out: &mut dyn Write) -> io::Result<()> {
    if case.scores.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<table class=\"scores\"><thead><tr><th>metric</th><th>score</th><th>among this test's, with its bound</th><th>history</th></tr></thead><tbody>"
    )?;
    for score in &case.scores {
        write!(out, "<tr><th scope=\"row\">{}</th>", Text(&score.metric))?;
        let gates = group.test.map_or(&[][..], |test| &test.gates);
        let of_it = || gates.iter().filter(|gate| gate.result.metric == score.metric);
        let bounds: Vec<_> = of_it().filter_map(share::bound).collect();
        let judges = group.test.is_some_and(|test| !of_it().any(|gate| share::is_together(test, gate)));
        match score.value {
            Some(value) => {
                let bar = Axis::of(view.scores(group, &score.metric), &bounds)
                    .map(|axis| chart::bar(&axis, value, bounds.first(), judges))
                    .unwrap_or_default();
                let history = view.history(group, Some(&case.id), &score.metric);
                let history = history.map(|series| chart::sparkline(&series.points)).unwrap_or_default();
                write!(out, "<td class=\"number\">{}</td><td>{bar}</td><td>{history}</td></tr>", text::score(value))?;
            }
            None => write!(out, "<td>none</td><td></td><td></td></tr>")?,
        }
        for detail in &score.details {
            let value = text::score(detail.value);
            write!(
                out,
                "<tr class=\"detail\"><td>{}</td><td class=\"number\">{value}</td><td></td><td></td></tr>",
                Text(&detail.name)
            )?;
        }
        if let Some(error) = &score.error {
            write!(out, "<tr><td colspan=\"4\">")?;
            trouble(&error.message, error.hint.as_deref(), out)?;
            write!(out, "</td></tr>")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "</tbody></table>")
}
