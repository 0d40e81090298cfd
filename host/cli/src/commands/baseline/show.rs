//! `difftest baseline show`: what a baseline has.

use std::fmt::Write as _;

use difftest_report::text::{count, safe, score, short};
use difftest_store::baseline::{Acceptance, Accepted, Because, Case, Entry};
use serde_json::json;

use crate::args::Format;
use crate::args::baseline::ShowArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn show(args: &ShowArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let folder = super::present(&args.root, &args.name)?;
    let (mut text, mut rows, mut found) = (String::new(), Vec::new(), false);
    for environment in super::environments(&folder, args.environment.as_deref())? {
        let accepted = folder.read(&environment)?;
        let wanted = |id: &str| args.case.as_deref().is_none_or(|part| id.contains(part));
        let cases: Vec<_> = accepted.manifest().cases.iter().filter(|(id, _)| wanted(id)).collect();
        found |= !cases.is_empty() || args.case.is_none();
        let audit = if args.case.is_some() { accepted.audit()? } else { Vec::new() };
        let info = accepted.info();
        let _ = writeln!(text, "{} {environment}: {}, {}", info.name, count(cases.len(), "image"), info.digest.short());
        for (id, case) in &cases {
            human(&mut text, &accepted, id, case, args.case.is_some().then_some(&audit[..]));
        }
        let case = |(id, case): &(&String, &Case)| {
            let decisions: Vec<_> = audit.iter().filter(|entry| entry.case == **id).collect();
            json!({ "id": id, "path": accepted.path_of(case), "case": case, "decisions": decisions })
        };
        rows.push(json!({ "name": info.name, "environment": environment, "digest": info.digest,
            "cases": cases.iter().map(case).collect::<Vec<_>>(), "sets": accepted.manifest().sets }));
    }
    if !found {
        let part = args.case.as_deref().unwrap_or_default();
        return Err(CliError::new(
            "no-case",
            format!("baseline {} has no case with `{}` in its id", folder.name(), safe(part)),
        )
        .hint(format!("difftest baseline show {}", folder.name())));
    }
    match args.message_format {
        Format::Human => ui.data(&text)?,
        Format::Json => ui.data(&format!("{:#}\n", json!({ "baselines": rows })))?,
    }
    Ok(Exit::Success)
}

fn human(text: &mut String, accepted: &Accepted, id: &str, case: &Case, audit: Option<&[Entry]>) {
    let scores: Vec<_> = case.scores.iter().map(|(metric, value)| format!("{metric} {}", score(value.value))).collect();
    let _ = writeln!(text, "  {}  {}  {}", safe(id), case.image.short(), scores.join("  "));
    let Some(audit) = audit else { return };
    let (width, height) = case.size;
    let _ = writeln!(text, "    {}  {width}x{height}", accepted.path_of(case).display());
    let _ = writeln!(text, "    prompt    {}", short(&case.prompt, 200));
    for (name, value) in case.inputs.iter().flatten() {
        let _ = writeln!(text, "    {:<9} {}", safe(name.strip_prefix("settings/").unwrap_or(name)), short(value, 100));
    }
    let Acceptance { by, at, because, run, .. } = &case.accepted;
    let why = if *because == Because::Passed { "its run passed" } else { "a person said so" };
    let run = run.as_deref().map_or(String::new(), |run| format!(", run {}", safe(run)));
    let _ = writeln!(text, "    accepted  {at} by {}: {why}{run}", safe(by));
    for entry in audit.iter().filter(|entry| entry.case == id) {
        let decision = serde_json::to_value(entry.decision).ok();
        let decision = decision.as_ref().and_then(|word| word.as_str()).unwrap_or_default();
        let was = entry.replaced.map_or(String::new(), |was| format!(", was {}", was.short()));
        let _ = writeln!(text, "    {}  {decision} {}{was} by {}", entry.at, entry.image.short(), safe(&entry.by));
    }
}
