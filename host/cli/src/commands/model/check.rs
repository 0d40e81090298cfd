//! `difftest model check`: every file again.

use std::fmt::Write as _;
use std::path::Path;

use difftest_diffusion::pipeline::described;
use difftest_hub::{Checked, Damage, ModelId};
use difftest_report::text::safe;
use serde_json::{Value, json};

use super::Named;
use crate::args::Format;
use crate::args::model::CheckArgs;
use crate::error::{CliError, Exit};
use crate::models::{self, Finder, from_hub, size};
use crate::ui::Ui;

pub(crate) fn check(args: &CheckArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    match super::named(&args.model)? {
        Named::Folder(folder) => whole(&folder, args, ui),
        Named::Id(id) => cached(&id, args, ui),
    }
}

/// Of a folder nobody knows digests: it must be what a run can use.
fn whole(folder: &Path, args: &CheckArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let read = models::check(folder, true)
        .and_then(|repository| repository.digests().map_err(|error| CliError::new("model", described(&error))));
    let (problem, files) = match &read {
        Ok(files) => (None, files.as_slice()),
        Err(CliError::Plain(info)) => (Some(info.message.clone()), [].as_slice()),
        Err(CliError::Suites(_)) => (None, [].as_slice()),
    };
    let text = match args.message_format {
        Format::Json => {
            let files: Vec<Value> =
                files.iter().map(|(path, digest)| json!({ "path": path, "sha256": digest.to_string() })).collect();
            format!(
                "{:#}\n",
                json!({ "folder": folder, "whole": problem.is_none(), "problem": problem, "files": files })
            )
        }
        Format::Human if problem.is_none() => format!("{}: whole, {} files\n", folder.display(), files.len()),
        Format::Human => String::new(),
    };
    ui.data(&text)?;
    read.map(|_| Exit::Success)
}

fn cached(id: &ModelId, args: &CheckArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let finder = Finder::looking(ui);
    let hub = finder.hub()?;
    let Some(snapshot) = hub.cached(id) else {
        return Err(CliError::new("model", format!("{id} is not in the cache at {}", hub.settings().cache.display()))
            .hint(format!("difftest model fetch {id}")));
    };
    let watched = ui.interactive();
    let mut step = |file: &str, bytes: u64| {
        if watched && bytes > 100_000_000 {
            crate::ui::note(&format!("reading {file} ({})", size(bytes)));
        }
    };
    let mut checked = hub.check(&snapshot, None, &mut step).map_err(from_hub)?;
    if hub.settings().offline.is_none() && checked.iter().any(|file| file.damage == Some(Damage::Unnamed)) {
        // a cache without links, on Windows: the hub knows what its copies should be
        let listing = hub.list(&id.at(&snapshot.commit).map_err(from_hub)?, finder.progress()).map_err(from_hub)?;
        checked = hub.check(&snapshot, Some(&listing), &mut step).map_err(from_hub)?;
    }
    let damaged: Vec<&Checked> = checked.iter().filter(|file| file.damage.is_some()).collect();
    for file in damaged.iter().filter(|_| args.remove) {
        hub.discard(&snapshot, &file.path).map_err(from_hub)?;
    }
    let missing = match models::check(&snapshot.folder, true) {
        Err(CliError::Plain(info)) => Some(info.message),
        _ => None,
    };
    let good = damaged.is_empty() && missing.is_none();
    let bytes: u64 = checked.iter().map(|file| file.size).sum();
    let mut text = String::new();
    match args.message_format {
        Format::Json => {
            let file = |file: &Checked| json!({ "path": file.path, "bytes": file.size, "damage": file.damage.as_ref().map(ToString::to_string) });
            let document = json!({ "model": id.repository(), "revision": id.revision(), "commit": snapshot.commit,
                "folder": snapshot.folder, "good": good, "removed": args.remove && !damaged.is_empty(), "problem": missing,
                "files": checked.iter().map(file).collect::<Vec<_>>() });
            let _ = writeln!(text, "{document:#}");
        }
        Format::Human => {
            for file in &damaged {
                if let Some(damage) = &file.damage {
                    let _ = writeln!(text, "damaged  {}: {damage}", safe(&file.path));
                }
            }
            if good {
                let count = checked.len();
                let _ = writeln!(
                    text,
                    "{id} at {}: {count} files, {}, all as they should be",
                    snapshot.commit,
                    size(bytes)
                );
            }
        }
    }
    ui.data(&text)?;
    if good {
        return Ok(Exit::Success);
    }
    let (message, hint) = match (damaged.len(), missing) {
        (0, missing) => (missing.unwrap_or_default(), format!("difftest model fetch {id}")),
        (count, _) if args.remove => (
            format!("{count} of {} files were damaged and are removed", checked.len()),
            format!("difftest model fetch {id}"),
        ),
        (count, _) => (
            format!("{count} of {} files are damaged", checked.len()),
            format!("difftest model check {id} --remove && difftest model fetch {id}"),
        ),
    };
    ui.error(&message, Some(&hint));
    Ok(Exit::Error)
}
