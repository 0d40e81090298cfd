//! The top of the page: the verdict, what it rests on, and what kept it from being another.

use std::io::{self, Write};

use difftest_core::event::Conclusion;
use difftest_core::generate::GeneratorInfo;
use difftest_core::key::Action;

use super::markup::{Text, cut};
use super::pictures::Pictures;
use super::status::Status;
use super::view::View;
use crate::findings;
use crate::json::{Results, SuiteResult};
use crate::text::{count, duration};

/// How the run ended, and its class.
pub(super) fn conclusion(results: &Results) -> (&'static str, &'static str) {
    match results.conclusion {
        Some(Conclusion::Passed) => ("passed", "pass"),
        Some(Conclusion::Failed) => ("failed", "fail"),
        Some(Conclusion::Error) => ("error", "error"),
        Some(Conclusion::Interrupted) => ("interrupted", "notjudged"),
        None => ("unfinished", "notjudged"),
    }
}

pub(super) fn write(view: &View<'_>, pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let results = view.results;
    let (word, class) = conclusion(results);
    write!(out, "<header id=\"top\">\n<h1><span class=\"badge {class}\">{word}</span> {}</h1>\n", Text(&title(view)))?;
    let mut facts = Vec::new();
    if !view.options.stable {
        facts.extend((!results.run.is_empty()).then(|| format!("run {}", results.run)));
        facts.extend(results.label.clone());
        facts.extend(results.commit.as_ref().map(|commit| format!("commit {}", cut(commit, 12))));
        facts.extend((!results.started.is_empty()).then(|| results.started.clone()));
        facts.extend(results.seconds.map(duration));
    }
    facts.push(count(results.suites.iter().map(|suite| suite.tests.len()).sum(), "test"));
    facts.push(count(view.cases.len(), "case"));
    facts.extend(work(view));
    against(view, out)?;
    writeln!(out, "<p class=\"facts\">{}</p>", Text(&facts.join(" · ")))?;
    write!(out, "<div class=\"chips\" role=\"group\" aria-label=\"cases by status\">")?;
    for (word, label, sign) in Status::WORDS {
        let count = view.count(word);
        if count > 0 {
            write!(
                out,
                "<button type=\"button\" class=\"chip {word}\" data-filter=\"is:{word}\" disabled><i>{sign}</i> {label} <b>{count}</b></button>"
            )?;
        }
    }
    writeln!(out, "</div>\n<div id=\"tools\"></div>\n</header>")?;
    banner(pictures, out)?;
    if let Some(said) = findings::remote(results) {
        writeln!(out, "<p class=\"banner\" id=\"remote\">{}</p>", Text(&said))?;
    }
    errors(results, out)
}

/// What was compared with what: the models and the baselines, each once.
fn against(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let suites = &view.results.suites;
    let models = names(suites.iter().filter_map(|suite| suite.generator.as_ref()).map(short_model));
    let compared = suites.iter().flat_map(|suite| &suite.cases).filter_map(|case| case.comparison.as_ref());
    let named = suites.iter().filter_map(|suite| suite.baseline.as_ref()).map(|baseline| &baseline.name);
    let baselines = names(named.chain(compared.map(|comparison| &comparison.baseline)).cloned());
    let parts: Vec<_> = [("model", models), ("baseline", baselines)]
        .into_iter()
        .filter_map(|(what, names)| names.map(|names| format!("{what} <b>{}</b>", Text(&names))))
        .collect();
    if parts.is_empty() { Ok(()) } else { writeln!(out, "<p class=\"against\">{}</p>", parts.join(" · ")) }
}

/// `a, b and 2 more`; `None` without any.
fn names(names: impl Iterator<Item = String>) -> Option<String> {
    const MOST: usize = 3;
    let mut each: Vec<String> = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        if !each.contains(&name) {
            each.push(name);
        }
    }
    let more = each.len().saturating_sub(MOST);
    each.truncate(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!each.is_empty()).then(|| format!("{}{more}", each.join(", ")))
}

/// The model as people call it: of a path its last part.
fn short_model(generator: &GeneratorInfo) -> String {
    let model = generator.model.trim_end_matches(['/', '\\']);
    let is_path = model.starts_with(['/', '.', '~', '\\']) || model.matches(['/', '\\']).count() > 1;
    let name = if is_path { model.rsplit(['/', '\\']).next().unwrap_or(model) } else { model };
    let revision = generator.revision.as_ref().map(|revision| format!(" at {}", cut(revision, 12))).unwrap_or_default();
    format!("{}{revision}", cut(name, 60))
}

/// What each suite ran on: the last thing people look for.
pub(super) fn environments(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"environment\" aria-label=\"environment\">")?;
    view.results.suites.iter().try_for_each(|suite| environment(suite, view.options.stable, out))?;
    writeln!(out, "</section>")
}

fn title(view: &View<'_>) -> String {
    let names: Vec<_> = view.results.suites.iter().map(|suite| suite.name.as_str()).collect();
    match names.len() {
        0 => "no suite".to_owned(),
        1..=4 => names.join(", "),
        n => format!("{} and {} more suites", names[..3].join(", "), n - 3),
    }
}

/// `12 generate, 3 score, 40 reuse`: how much work the cases needed.
fn work(view: &View<'_>) -> Option<String> {
    let of = |action| view.cases.iter().filter(|case| case.result.action == action).count();
    let all = [Action::Generate, Action::Score, Action::Judge, Action::Reuse].map(|action| (action, of(action)));
    let parts: Vec<_> = all.iter().filter(|(_, n)| *n > 0).map(|(action, n)| format!("{n} {action}")).collect();
    (!parts.is_empty() && !view.options.stable).then(|| format!("work: {}", parts.join(", ")))
}

fn banner(pictures: &Pictures, out: &mut dyn Write) -> io::Result<()> {
    let summary = pictures.summary();
    let mut parts = Vec::new();
    if summary.thumbnails_left_out > 0 {
        parts.push(count(summary.thumbnails_left_out, "thumbnail"));
    }
    if summary.pictures_left_out > 0 {
        parts.push(format!("{} (those of passed cases first)", count(summary.pictures_left_out, "larger picture")));
    }
    if !parts.is_empty() {
        writeln!(
            out,
            "<p class=\"banner\" id=\"left-out\">To keep this page small, {} {} left out. A larger `--html-budget` puts them in; the \
             files themselves are in the folder of the run.</p>",
            parts.join(" and "),
            if parts.len() == 1 && parts[0].starts_with("1 ") { "was" } else { "were" }
        )?;
    }
    if summary.unreadable > 0 {
        let files = count(summary.unreadable, "image file");
        writeln!(out, "<p class=\"banner\">{files} could not be shown: each case says why.</p>")?;
    }
    Ok(())
}

fn errors(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let of_run = findings::run(results);
    let run = of_run.iter().map(|error| ("the run".to_owned(), error));
    let suites =
        results.suites.iter().filter_map(|suite| Some((format!("suite {}", suite.name), suite.error.as_ref()?)));
    for (what, error) in run.chain(suites) {
        trouble(&format!("{what}: {}", error.message), error.hint.as_deref(), out)?;
    }
    Ok(())
}

/// An error and what to do about it.
pub(super) fn trouble(message: &str, hint: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<div class=\"trouble\"><p>{}</p>", Text(message))?;
    if let Some(hint) = hint {
        write!(out, "<p class=\"hint\">{}</p>", Text(hint))?;
    }
    writeln!(out, "</div>")
}

fn environment(suite: &SuiteResult, stable: bool, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<details class=\"environment\"><summary>{}: model and environment</summary><dl>", Text(&suite.name))?;
    let mut row = |name: &str, value: &str| write!(out, "<dt>{}</dt><dd>{}</dd>", Text(name), Text(value));
    if let Some(generator) = &suite.generator {
        row("model", &model(generator))?;
        for lora in &generator.loras {
            row("LoRA", &format!("{} with weight {} ({})", lora.file, lora.weight, lora.digest.short()))?;
        }
        // the number of threads changes nothing but the time
        for (name, value) in generator.environment.iter().filter(|(name, _)| !stable || name != "threads") {
            row(name, value)?;
        }
        for (file, digest) in &generator.files {
            row(file, &digest.short())?;
        }
    }
    for (name, digest) in &suite.models {
        row(&format!("model {name}"), &digest.short())?;
    }
    if !suite.environment.is_empty() {
        row("environment class", &suite.environment)?;
    }
    if let Some(baseline) = &suite.baseline {
        row("baseline", &format!("{} of {} ({})", baseline.name, baseline.environment, baseline.digest.short()))?;
    }
    if let Some(digest) = &suite.digest {
        row("suite file", &digest.short())?;
    }
    writeln!(out, "</dl></details>")
}

fn model(generator: &GeneratorInfo) -> String {
    let revision = generator.revision.as_ref().map(|revision| format!(" at {revision}")).unwrap_or_default();
    format!("{}{revision} ({})", generator.model, generator.kind)
}
