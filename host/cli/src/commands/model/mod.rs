//! `difftest model`: models of the Hugging Face hub, and folders.

mod check;
mod fetch;
mod info;

use std::path::{Path, PathBuf};

use difftest_diffusion::session::{Precision, UnknownPrecision};
use difftest_hub::ModelId;

use crate::args::model::ModelCommand;
use crate::error::{CliError, Exit};
use crate::models::from_hub;
use crate::ui::Ui;

pub(crate) fn model(command: &ModelCommand, ui: &mut Ui) -> Result<Exit, CliError> {
    match command {
        ModelCommand::Fetch(args) => fetch::fetch(args, ui),
        ModelCommand::Info(args) => info::info(args, ui),
        ModelCommand::Check(args) => check::check(args, ui),
    }
}

/// What a command was given.
enum Named {
    Folder(PathBuf),
    Id(ModelId),
}

/// A folder that is there, or a model on the hub.
fn named(model: &str) -> Result<Named, CliError> {
    if let Some(name) = model.strip_prefix("builtin:") {
        let folder = difftest_diffusion::builtin::unpack(name);
        return folder.map(Named::Folder).map_err(|error| CliError::new("model", error.to_string()));
    }
    if Path::new(model).is_dir() {
        return Ok(Named::Folder(PathBuf::from(model)));
    }
    if Path::new(model).exists() {
        // a checkpoint, say: the loader of a run has words for it
        let error = crate::models::check(Path::new(model), false).err();
        return Err(error.unwrap_or_else(|| CliError::new("model", format!("{model} is a file, not a model folder"))));
    }
    id(model).map(Named::Id).map_err(|error| error.map(|text| format!("there is no folder {model}, and {text}")))
}

fn id(model: &str) -> Result<ModelId, CliError> {
    model.parse().map_err(from_hub)
}

fn precision(name: &str) -> Result<Precision, CliError> {
    name.parse().map_err(|error: UnknownPrecision| CliError::new("usage", format!("--precision: {error}")))
}
