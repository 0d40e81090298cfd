//! `difftest baseline prune`: cases that no suite has any more, and files that belong to nothing.

use std::fmt::Write as _;
use std::fs;

use difftest_report::text::safe;
use difftest_store::baseline::Because;

use super::{list, who};
use crate::args::baseline::PruneArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn prune(args: &PruneArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let folders = super::some(&args.root, &args.names)?;
    let known = list::Known::of(&args.suites, ui)?;
    let verb = if args.dry_run { "would delete" } else { "deleted" };
    let mut text = String::new();
    for folder in folders {
        for environment in folder.environments()? {
            let mut accepted = folder.read(&environment)?;
            let gone = accepted.manifest().cases.iter().filter(|(id, case)| !known.has(id, case));
            let gone: Vec<String> = gone.map(|(id, _)| id.clone()).collect();
            for id in &gone {
                let _ = writeln!(text, "{verb} {} {environment} {}", folder.name(), safe(id));
            }
            if !args.dry_run {
                // A change that takes nothing out still finishes one that was cut short.
                let mut change = folder.change(&environment, who::now(Because::Person, None))?;
                for id in &gone {
                    change.remove(id);
                }
                accepted = change.commit()?;
            }
            for path in accepted.unreferenced()? {
                let _ = writeln!(text, "{verb} {}", safe(&path.to_string_lossy()));
                if !args.dry_run {
                    let removed = if path.is_dir() && !path.is_symlink() {
                        fs::remove_dir_all(&path)
                    } else {
                        fs::remove_file(&path)
                    };
                    removed.map_err(|error| {
                        CliError::new("write", format!("cannot delete {}: {error}", path.display()))
                    })?;
                }
            }
        }
    }
    if text.is_empty() {
        ui.note("nothing to delete: every case is in a suite, and every file belongs to a case");
    }
    ui.data(&text)?;
    Ok(Exit::Success)
}
