//! Why a reference gives no model, and what to do about it.

use std::path::PathBuf;

use super::may_be_on_the_hub;
use crate::builtin::{self, BuiltinError};
use crate::error::{Error, MODELS};

/// Why a reference gives no model.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// It looks like a name on the Hugging Face hub.
    #[error("`{reference}` is not a folder (looked at {})", looked.display())]
    HubId {
        /// As the suite names it.
        reference: String,
        /// Where a folder would have been.
        looked: PathBuf,
    },
    /// There is no such folder.
    #[error("model folder {} does not exist", folder.display())]
    NoFolder {
        /// Where it would have been.
        folder: PathBuf,
    },
    /// It is a file.
    #[error("{} is a file, not a model folder", path.display())]
    AFile {
        /// Where it lies.
        path: PathBuf,
    },
    /// It is a folder of something else.
    #[error("{} is not a {kind}: it has no {file}", folder.display())]
    NotAModel {
        /// The folder.
        folder: PathBuf,
        /// What was expected.
        kind: &'static str,
        /// The file that would have told.
        file: &'static str,
    },
    /// The model is of a kind that is not supported.
    #[error("{}: `{key}` is {found}, supported: {supported}", file.display())]
    Class {
        /// The file that says so.
        file: PathBuf,
        /// The key.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        supported: String,
    },
    /// A file that the model needs is not there.
    #[error("{} is half-copied: {file} is missing", folder.display())]
    Missing {
        /// The model folder.
        folder: PathBuf,
        /// The file, relative to it.
        file: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A JSON file is broken.
    #[error("{} is not a JSON object: {message}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Where and why.
        message: String,
    },
    /// The weights are not usable.
    #[error(transparent)]
    Weights(#[from] Error),
    /// A built-in model cannot be used.
    #[error(transparent)]
    Builtin(#[from] BuiltinError),
}

impl RepositoryError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::HubId { reference, .. } if !may_be_on_the_hub(reference) => {
                "name a folder, or a model of the Hugging Face hub as ORG/NAME or ORG/NAME@REVISION: letters, digits, `-`, `_` and `.`"
                    .to_owned()
            }
            Self::HubId { reference, .. } => {
                format!("if it is a model of the Hugging Face hub: difftest model fetch {reference}")
            }
            Self::NoFolder { .. } => format!("name a folder, or one of {}", builtin::names()),
            Self::AFile { .. } => format!(
                "name a folder, or one of {}; the name of a graph, which `[models]` takes too, ends with `.onnx`",
                builtin::names()
            ),
            Self::Missing { .. } => "copy the folder again".to_owned(),
            Self::NotAModel { .. } => {
                "name the folder that `save_pretrained` wrote or a download made, with all of its files".to_owned()
            }
            Self::Json { .. } => "copy or download the file again".to_owned(),
            Self::Class { .. } => MODELS.to_owned(),
            Self::Builtin(error) => return error.hint(),
            Self::Weights(error) => return error.hint(),
            _ => return None,
        })
    }
}
