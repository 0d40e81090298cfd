//! `difftest baseline`: accepted images and scores, and what is taken from runs into them.

mod diff;
mod import;
mod list;
mod prune;
mod remove;
pub(crate) mod save;
mod show;
pub(crate) mod take;
mod verify;
pub(crate) mod who;

use std::path::Path;

use difftest_store::baseline::{BaselineError, Folder};

use crate::args::baseline::{BaselineCommand, Root};
use crate::error::{CliError, Exit};
use crate::ui::Ui;

pub(crate) fn baseline(command: &BaselineCommand, ui: &mut Ui) -> Result<Exit, CliError> {
    match command {
        BaselineCommand::Save(args) => save::save(args, ui),
        BaselineCommand::List(args) => list::list(args, ui),
        BaselineCommand::Show(args) => show::show(args, ui),
        BaselineCommand::Diff(args) => diff::diff(args, ui),
        BaselineCommand::Verify(args) => verify::verify(args, ui),
        BaselineCommand::Prune(args) => prune::prune(args, ui),
        BaselineCommand::Remove(args) => remove::remove(args, ui),
        BaselineCommand::Import(args) => import::import(args, ui),
    }
}

impl From<BaselineError> for CliError {
    fn from(error: BaselineError) -> Self {
        Self::new(error.kind(), error.to_string()).hint_if(error.hint())
    }
}

/// A baseline by its name among those in the root, or by its folder.
pub(crate) fn named(root: &Path, text: &str) -> Result<Folder, CliError> {
    let is_path = text.contains(std::path::is_separator);
    let folder = if is_path { Folder::at(Path::new(text))? } else { Folder::named(root, text)? };
    Ok(folder)
}

/// A baseline that is there.
fn present(root: &Root, text: &str) -> Result<Folder, CliError> {
    let folder = named(&root.baselines, text)?;
    if folder.environments()?.is_empty() {
        // says what there is
        folder.read("images")?;
    }
    Ok(folder)
}

/// Those that are named, or all; that there is none is an error.
fn some(root: &Root, names: &[String]) -> Result<Vec<Folder>, CliError> {
    if !names.is_empty() {
        return names.iter().map(|name| present(root, name)).collect();
    }
    let all = Folder::list(&root.baselines)?;
    if all.is_empty() {
        return Err(CliError::new("no-baseline", format!("there is no baseline in {}", root.baselines.display()))
            .hint("make one of a run that passed: difftest baseline save --model NAME"));
    }
    Ok(all)
}

/// Its environments, or the one that is asked for.
fn environments(folder: &Folder, asked: Option<&str>) -> Result<Vec<String>, CliError> {
    match asked {
        None => Ok(folder.environments()?),
        Some(asked) => Ok(vec![folder.read(asked)?.info().environment]),
    }
}
