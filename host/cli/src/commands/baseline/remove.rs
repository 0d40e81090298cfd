//! `difftest baseline remove`: what was accepted is withdrawn, and the audit says by whom.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use difftest_core::nearest::did_you_mean;
use difftest_report::text::safe;
use difftest_store::baseline::Because;

use super::who;
use crate::args::baseline::RemoveArgs;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn remove(args: &RemoveArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    if !args.dry_run {
        who::must_be_a_person("`baseline remove` withdraws images", args.ci.allow_ci)?;
    }
    let folder = super::present(&args.root, &args.name)?;
    let environments = super::environments(&folder, args.environment.as_deref())?;
    // All of them are looked up before the first is taken out.
    let mut known = BTreeSet::new();
    for environment in &environments {
        known.extend(folder.read(environment)?.manifest().cases.keys().cloned());
    }
    if let Some(unknown) = args.cases.iter().find(|id| !known.contains(*id)) {
        let message = format!("baseline {} has no case {}", safe(folder.name()), safe(unknown));
        let hint = did_you_mean(unknown, known.iter().map(String::as_str), "cases");
        return Err(CliError::new("unknown-case", message).hint(hint));
    }
    let verb = if args.dry_run { "would withdraw" } else { "withdrew" };
    let mut text = String::new();
    for environment in environments {
        let accepted = folder.read(&environment)?;
        let there: BTreeSet<&String> =
            args.cases.iter().filter(|id| accepted.manifest().cases.contains_key(*id)).collect();
        if there.is_empty() {
            continue;
        }
        for id in &there {
            let _ = writeln!(text, "{verb} {} {environment} {}", safe(folder.name()), safe(id));
        }
        if !args.dry_run {
            let mut change = folder.change(&environment, who::now(Because::Person, None))?;
            for id in there {
                change.remove(id);
            }
            change.commit()?;
        }
    }
    ui.data(&text)?;
    Ok(Exit::Success)
}
