//! `difftest plugin verify`: the plugins that are here against the lock, without a network.

use std::fmt::Write as _;

use difftest_plugin::Limits;
use difftest_plugin::examine::examine;
use difftest_plugin::lock::{Entry, FILE};
use difftest_plugin::report::Listed;
use serde::Serialize;

use crate::args::Format;
use crate::args::plugin::VerifyArgs;
use crate::commands;
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::ui::Ui;

/// One entry of the lock and what was found.
#[derive(Serialize)]
struct Verdict<'a> {
    name: &'a str,
    sha256: String,
    /// Empty: it is there and equal.
    problems: Vec<String>,
}

pub(crate) fn verify(args: &VerifyArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let lock = lock_file::read()?;
    if lock.is_missing() {
        return Err(CliError::new("lock", format!("there is no {FILE} in this folder"))
            .hint("`difftest plugin lock` writes one of the plugins that are here"));
    }
    let found = commands::registry(&args.plugins, None)?.list();
    let verdicts: Vec<Verdict<'_>> = lock
        .entries()
        .map(|entry| Verdict { name: &entry.name, sha256: entry.sha256.to_string(), problems: problems(entry, &found) })
        .collect();
    let orphans: Vec<&str> =
        found.iter().map(|listed| listed.name.as_str()).filter(|name| lock.get(name).is_none()).collect();
    let bad = verdicts.iter().filter(|verdict| !verdict.problems.is_empty()).count();
    ui.data(&match args.message_format {
        Format::Human => human(&verdicts, &orphans),
        Format::Json => format!("{:#}\n", serde_json::json!({ "plugins": verdicts, "not_locked": orphans })),
    })?;
    if bad == 0 {
        return Ok(Exit::Success);
    }
    ui.error(
        &format!(
            "{bad} of {} pinned plugins {} not as {FILE} says",
            verdicts.len(),
            if bad == 1 { "is" } else { "are" }
        ),
        Some("`difftest plugin add SOURCE --force` fetches what is pinned; `difftest plugin lock` pins what is here"),
    );
    Ok(Exit::Error)
}

fn problems(entry: &Entry, found: &[Listed]) -> Vec<String> {
    let Some(listed) = found.iter().find(|listed| listed.name == entry.name) else {
        return vec![format!("it is missing; it came from {}", entry.source)];
    };
    match (&listed.path, &listed.problem) {
        (Some(path), _) => match examine(path, &Limits::default()) {
            Ok(examined) => entry.differences(&examined),
            Err(cause) => vec![cause.to_string()],
        },
        (None, Some(problem)) => vec![problem.message.clone()],
        (None, None) => vec!["it has no file".into()],
    }
}

fn human(verdicts: &[Verdict<'_>], orphans: &[&str]) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let word = if verdict.problems.is_empty() { "ok" } else { "FAILED" };
        let _ = writeln!(text, "{word:<10} {} sha256:{}", verdict.name, verdict.sha256);
        for problem in &verdict.problems {
            let _ = writeln!(text, "{:<10} {problem}", "");
        }
    }
    for name in orphans {
        let _ = writeln!(text, "not pinned {name}");
    }
    text
}
