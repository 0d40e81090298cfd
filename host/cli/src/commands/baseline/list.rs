//! `difftest baseline list`: baselines and their environments, or cases that no suite has any more. One whose prompt is another now is
//! such a case: its image answers what nobody asks.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use difftest_report::text::{count, safe};
use difftest_store::baseline::{Case, Folder};
use serde_json::json;

use crate::args::baseline::{ListArgs, Suites};
use crate::args::{Format, Selection};
use crate::commands;
use crate::error::{CliError, Exit};
use crate::models::Finder;
use crate::suites;
use crate::ui::Ui;

pub(crate) fn list(args: &ListArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    if args.unreferenced {
        return unreferenced(args, ui);
    }
    let (mut text, mut rows, mut broken) = (String::new(), Vec::new(), Vec::new());
    for folder in Folder::list(&args.root.baselines)? {
        for environment in folder.environments()? {
            let accepted = match folder.read(&environment) {
                Ok(accepted) => accepted,
                // The others are listed all the same.
                Err(error) => {
                    broken.push(CliError::from(error));
                    continue;
                }
            };
            let (info, manifest) = (accepted.info(), accepted.manifest());
            let last = manifest.cases.values().map(|case| &case.accepted).max_by(|a, b| a.at.cmp(&b.at));
            let by = last.map_or(String::new(), |last| format!(", last accepted {} by {}", last.at, safe(&last.by)));
            let images = count(manifest.cases.len(), "image");
            let _ = writeln!(text, "{}  {environment}  {images}  {}{by}", info.name, info.digest.short());
            rows.push(json!({ "name": info.name, "environment": environment, "images": manifest.cases.len(), "digest": info.digest,
                "folder": accepted.folder(), "last": last }));
        }
    }
    match args.message_format {
        Format::Human if text.is_empty() && broken.is_empty() => {
            ui.note(&format!("there is no baseline in {}", args.root.baselines.display()));
        }
        Format::Human => ui.data(&text)?,
        Format::Json => ui.data(&format!("{:#}\n", json!({ "baselines": rows })))?,
    }
    let good = broken.is_empty();
    for error in broken {
        error.report(ui);
    }
    Ok(if good { Exit::Success } else { Exit::Error })
}

fn unreferenced(args: &ListArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let known = Known::of(&args.suites, ui)?;
    let (mut text, mut rows) = (String::new(), Vec::new());
    for folder in Folder::list(&args.root.baselines)? {
        for environment in folder.environments()? {
            let accepted = folder.read(&environment)?;
            for (id, case) in accepted.manifest().cases.iter().filter(|(id, case)| !known.has(id, case)) {
                let _ = writeln!(text, "{}  {environment}  {}", folder.name(), safe(id));
                rows.push(json!({ "name": folder.name(), "environment": environment, "case": id, "file": accepted.path_of(case) }));
            }
        }
    }
    match args.message_format {
        Format::Human if text.is_empty() => {
            ui.note("every case of every baseline is in a suite, with the prompt that it had")
        }
        Format::Human => ui.data(&text)?,
        Format::Json => ui.data(&format!("{:#}\n", json!({ "unreferenced": rows })))?,
    }
    Ok(Exit::Success)
}

/// The cases of all suites in the test folder, `manual` ones too.
pub(super) struct Known(HashMap<String, String>);

impl Known {
    /// A suite that cannot be planned is an error: what it has would look as if nobody had it.
    pub(super) fn of(args: &Suites, ui: &mut Ui) -> Result<Self, CliError> {
        let plans = plans(args, &[], ui)?;
        let mut tests = plans.iter().flat_map(|planned| &planned.plan.tests);
        if let Some(refused) = tests.find_map(|test| test.refused.first()) {
            return Err(CliError::refused(refused.clone()));
        }
        let cases = plans.into_iter().flat_map(|planned| planned.plan.cases);
        Ok(Self(cases.map(|case| (case.id, case.prompt.text.clone())).collect()))
    }

    /// Whether a suite still has a case of a baseline: its id, with the prompt that it had.
    pub(super) fn has(&self, id: &str, case: &Case) -> bool {
        self.0.get(id) == Some(&case.prompt)
    }
}

/// The suites, planned.
pub(super) fn plans(args: &Suites, named: &[PathBuf], ui: &mut Ui) -> Result<Vec<commands::Planned>, CliError> {
    let suites = if named.is_empty() { suites::files(&[], &args.test_dir)? } else { named.to_vec() };
    let selection =
        Selection { suites, test_dir: args.test_dir.clone(), plugins: args.plugins.clone(), ..Selection::default() };
    let registry = commands::registry(&selection.plugins, selection.fuel)?;
    commands::plans(&selection, &registry, &Default::default(), &Default::default(), &Finder::looking(ui), ui)
}
