//! Everything about one case: its images, its scores, where they came from, and the command that repeats it.

use std::io::{self, Write};

use difftest_core::visual::{Comparison, Standing};

use super::chart::{self, Axis};
use super::markup::{Text, cut, quoted};
use super::overview::trouble;
use super::page;
use super::pictures::{Pictures, Role, Slot};
use super::view::{Group, View};
use crate::findings;
use crate::json::{CaseResult, ImageFile};
use crate::text;

/// How much of a prompt stands here; the contact sheet has all of it.
const PROMPT: usize = 1000;

pub(super) fn write(view: &View<'_>, index: usize, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let case = &view.cases[index];
    let (result, group, status) = (case.result, &view.groups[case.group], case.status);
    let (class, id) = (status.word(), Text(&result.id));
    writeln!(
        out,
        "<details class=\"case\" data-case=\"{index}\"><summary><span class=\"badge {class}\">{sign} {label}</span> {id}</summary>\n\
         <article id=\"c{index}\" aria-label=\"{id}\">\n<header><span class=\"badge {class}\">{sign} {label}</span> <h3>{id}</h3></header>",
        sign = status.sign(),
        label = status.label(),
    )?;
    stage(view, index, pictures, out)?;
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
    scores(view, group, result, out)?;
    facts(view, result, out)?;
    for line in &result.logs {
        writeln!(out, "<p class=\"log\">{}: {}: {}</p>", Text(&line.plugin), Text(&line.level), Text(&line.message))?;
    }
    if let Some(command) = command(view, group, result) {
        writeln!(out, "<pre class=\"command\"><code>{}</code></pre>", Text(&command))?;
    }
    writeln!(out, "</div></article></details>")
}

/// The pictures. A comparison has more than one; the script lays them over one another.
fn stage(view: &View<'_>, index: usize, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let case = &view.cases[index];
    if case.result.image.is_none() {
        return writeln!(out, "<div class=\"stage\"><span class=\"gone\"><b>no image</b></span></div>");
    }
    writeln!(out, "<div class=\"stage\">")?;
    let expected = case.result.comparison.as_ref().and_then(|comparison| comparison.expected.as_ref());
    let names = [
        (Role::Expected, "expected", expected.map(|image| (image.width, image.height))),
        (Role::Actual, "actual", case.result.image.as_ref().map(|image| (image.width, image.height))),
        (Role::Difference, "difference", None),
        (Role::Heatmap, "heatmap", None),
    ];
    for (role, name, size) in names {
        let slot = pictures.slot(index, role);
        if matches!(slot, Slot::Absent) {
            continue;
        }
        write!(out, "<figure class=\"{name}\">")?;
        // what has no larger picture shows its thumbnail instead
        let small = role == Role::Actual && matches!(slot, Slot::SameAsThumbnail | Slot::LeftOut);
        if small && matches!(pictures.slot(index, Role::Thumbnail), Slot::Shown(_)) {
            write!(out, "<a class=\"borrowed\" href=\"#t{index}\">in the contact sheet</a>")?;
        } else if small {
            page::picture(view, case, pictures.slot(index, Role::Thumbnail), role, out)?;
        } else {
            page::picture(view, case, slot, role, out)?;
        }
        let label = if name == "heatmap" { "heat map" } else { name };
        let size = size.map(|(width, height)| format!(" · {width} × {height}")).unwrap_or_default();
        let less = if matches!(slot, Slot::LeftOut) { " · thumbnail: the picture was left out" } else { "" };
        writeln!(out, "<figcaption>{label}{size}{}</figcaption></figure>", if small { less } else { "" })?;
    }
    writeln!(out, "</div>")
}

fn tiers(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let standing = match comparison.standing {
        Standing::Same => "the same as",
        Standing::Changed => "not the same as",
        Standing::New => "new: there is no image in",
    };
    writeln!(out, "<p>{standing} baseline <b>{}</b></p>", Text(&comparison.baseline))?;
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
        let bounds: Vec<_> =
            gates.iter().filter(|gate| gate.result.metric == score.metric).map(|gate| gate.result.bound).collect();
        match score.value {
            Some(value) => {
                let bar = Axis::of(view.scores(group, &score.metric), &bounds)
                    .map(|axis| chart::bar(&axis, value, bounds.first()))
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

fn facts(view: &View<'_>, case: &CaseResult, out: &mut dyn Write) -> io::Result<()> {
    let stable = view.options.stable;
    write!(out, "<details class=\"facts\"><summary>where it came from</summary><dl>")?;
    let mut row = |name: &str, value: &str| write!(out, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(value));
    if let Some(negative) = &case.prompt.negative {
        row("negative prompt", &cut(negative, PROMPT))?;
    }
    for (name, value) in &case.prompt.attributes {
        row(name, value)?;
    }
    if let Ok(serde_json::Value::Object(settings)) = serde_json::to_value(&case.settings) {
        for (name, value) in &settings {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            row(name, &cut(&value, PROMPT))?;
        }
    }
    if !stable {
        row("work", &because(case))?;
        if let Some(seconds) = case.seconds {
            row("time", &format!("{seconds:.3} s"))?;
        }
    }
    if let Some(ImageFile { path, digest, attributes, .. }) = &case.image {
        for (name, value) in attributes {
            row(name, &cut(value, PROMPT))?;
        }
        row("pixels", &digest.to_string())?;
        if !stable {
            row("file", path)?;
        }
    }
    writeln!(out, "</dl></details>")
}

/// `generate: settings/steps was 20, is 25`.
fn because(case: &CaseResult) -> String {
    let Some(difference) = &case.because else { return case.action.to_string() };
    let (was, is) = (difference.was.as_deref().unwrap_or("absent"), difference.is.as_deref().unwrap_or("absent"));
    format!("{}: {} was {}, is {}", case.action, difference.input, cut(was, 80), cut(is, 80))
}

/// What runs this case again; `None` where its id cannot stand in an expression.
fn command(view: &View<'_>, group: &Group<'_>, case: &CaseResult) -> Option<String> {
    let run = match view.options.rerun.as_str() {
        "" => format!("difftest run {}", quoted(&group.suite.name)),
        given => given.to_owned(),
    };
    let quote = ['"', '\''].into_iter().find(|quote| !case.id.contains(*quote))?;
    // what is shown has to be what the id is
    (text::safe(&case.id) == case.id).then(|| format!("{run} -k {}", quoted(&format!("{quote}{}{quote}", case.id))))
}
