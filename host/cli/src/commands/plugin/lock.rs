//! `difftest plugin lock`: the plugins that are here, pinned.

use std::fmt::Write as _;

use difftest_plugin::Limits;
use difftest_plugin::examine::examine;
use difftest_plugin::lock::{Entry, FILE, Lock, Source};
use difftest_plugin::report::Listed;

use super::remote::relative;
use crate::args::Format;
use crate::args::plugin::LockArgs;
use crate::commands;
use crate::error::{CliError, Exit};
use crate::lock_file;
use crate::ui::Ui;

pub(crate) fn lock(args: &LockArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let old = lock_file::read()?;
    let found = commands::registry(&args.plugins, None)?.list();
    let wanted = wanted(&found, &args.names)?;
    if wanted.is_empty() {
        return Err(CliError::new("not-found", "no plugins: there is nothing to pin")
            .hint("name their folder with `--plugins DIR`"));
    }
    let mut entries = Vec::new();
    for listed in wanted {
        entries.push(pin(listed, &old)?);
    }
    // all or nothing: a file that pins some of what was asked for would look complete
    let mut new = if args.names.is_empty() { Lock::missing(FILE.as_ref()) } else { old.clone() };
    for entry in &entries {
        new.insert(entry.clone());
    }
    lock_file::write(&new)?;
    let dropped: Vec<&str> =
        old.entries().map(|entry| entry.name.as_str()).filter(|name| new.get(name).is_none()).collect();
    ui.data(&match args.message_format {
        Format::Human => human(&entries, &dropped, &old),
        Format::Json => format!("{:#}\n", serde_json::json!({ "pinned": entries, "dropped": dropped })),
    })?;
    Ok(Exit::Success)
}

/// The plugins that were named, or all.
fn wanted<'f>(found: &'f [Listed], names: &[String]) -> Result<Vec<&'f Listed>, CliError> {
    if names.is_empty() {
        return Ok(found.iter().collect());
    }
    let one = |name: &String| {
        found.iter().find(|listed| listed.name == *name).ok_or_else(|| {
            let known = found.iter().map(|listed| listed.name.as_str());
            CliError::new("not-found", format!("there is no plugin `{name}`"))
                .hint(difftest_core::nearest::did_you_mean(name, known, "there are"))
        })
    };
    names.iter().map(one).collect()
}

/// The entry for what is here now. Where it is what `old` pins, it came from where that says.
fn pin(listed: &Listed, old: &Lock) -> Result<Entry, CliError> {
    let refused = |problem: difftest_core::metric::MetricError| {
        let message = format!("`{}` cannot be pinned: {}", listed.name, problem.message);
        let hint = problem.hint.unwrap_or_else(|| "name the plugins to pin: `difftest plugin lock NAME`".into());
        CliError::new(&problem.kind, message).hint(hint)
    };
    let path = match (&listed.path, &listed.problem) {
        (Some(path), _) => path,
        (None, problem) => return Err(refused(problem.clone().unwrap_or_else(|| unknown(&listed.name)))),
    };
    let examined = examine(path, &Limits::default()).map_err(|cause| refused(cause.into()))?;
    let known = old.get(&listed.name).filter(|entry| entry.sha256 == examined.digest);
    let source = known.map_or_else(|| Source::Path(relative(path)), |entry| entry.source.clone());
    Ok(Entry::of(&listed.name, &examined, known.and_then(|entry| entry.version.clone()), source))
}

fn unknown(name: &str) -> difftest_core::metric::MetricError {
    difftest_core::metric::MetricError {
        kind: "not-found".into(),
        message: format!("`{name}` has no file"),
        hint: None,
    }
}

fn human(entries: &[Entry], dropped: &[&str], old: &Lock) -> String {
    let mut text = String::new();
    for entry in entries {
        let before = old.get(&entry.name);
        let verb = match before {
            Some(before) if before.sha256 == entry.sha256 => "kept",
            Some(_) => "changed",
            None => "pinned",
        };
        let version = entry.version.as_deref().unwrap_or("");
        let _ = writeln!(text, "{verb:<8} {} {version} sha256:{} ({})", entry.name, entry.sha256, entry.class);
        if let Some(before) = before.filter(|before| before.sha256 != entry.sha256) {
            let _ = writeln!(text, "         was sha256:{} from {}", before.sha256, before.source);
        }
    }
    for name in dropped {
        let _ = writeln!(text, "dropped  {name}: it is not here any more");
    }
    text
}
