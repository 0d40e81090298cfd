//! Why a LoRA file cannot be used, in terms of the file and the model.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Component, Family};

/// How many layers that do not fit are named.
const NAMED: usize = 3;

/// Why LoRA files cannot be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoraError {
    /// A file cannot be read.
    #[error("cannot read LoRA {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A folder without a file of a usual name.
    #[error("no LoRA in folder {}: it holds neither pytorch_lora_weights.safetensors nor adapter_model.safetensors", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The weight is NaN or infinite.
    #[error("LoRA {}: its weight is {weight}, and must be a finite number", path.display())]
    Weight {
        /// As it was named.
        path: PathBuf,
        /// The weight.
        weight: f64,
    },
    /// The file is cut off or otherwise damaged.
    #[error("LoRA {} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file is whole, but something else than a LoRA.
    #[error("{} is not a LoRA: {what}", path.display())]
    NotLora {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// An adapter of a kind that is not implemented.
    #[error("LoRA {}: {what} is not supported ({key})", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The kind of adapter.
        what: String,
        /// The first key or setting that asks for it.
        key: String,
    },
    /// A layer whose parts do not make a whole.
    #[error("LoRA {}: layer {key} {why}", path.display())]
    Layer {
        /// The file.
        path: PathBuf,
        /// The layer, as the file names it.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// Layers for a text encoder that the model does not have.
    #[error("LoRA {} has {layers} layers for {component}, which this model does not have (first: {key}){}", path.display(), made_for(family.as_ref(), None))]
    NoComponent {
        /// As it was named.
        path: PathBuf,
        /// What is missing.
        component: Component,
        /// The first key.
        key: String,
        /// Layers for that component.
        layers: usize,
        /// What the model has.
        there: Vec<Component>,
        /// The models that the file looks made for.
        family: Option<Family>,
    },
    /// Made for another model.
    #[error("LoRA {} does not fit this model: {matched} of its {} layers for {component} match; {}{}",
        path.display(), matched + misfits.len(), Listed(misfits), made_for(family.as_ref(), base.as_ref()))]
    OtherBase {
        /// As it was named.
        path: PathBuf,
        /// Whose weights were looked at.
        component: Component,
        /// Layers that fit.
        matched: usize,
        /// Those that do not.
        misfits: Vec<Misfit>,
        /// The models that the file looks made for.
        family: Option<Family>,
        /// What the model looks like itself.
        base: Option<Family>,
    },
}

/// A layer that has no place in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// As the file names it.
    pub key: String,
    /// Shape of the weight that it is made for.
    pub made_for: Vec<usize>,
    /// Shape of the model's weight of that name; `None` where there is none.
    pub found: Option<Vec<usize>>,
}

impl LoraError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        |source| Self::Io { path, source }
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "paths of `loras` start at the folder of the suite file, those of `--lora` at the working directory"
            }
            Self::Folder { .. } => "name the file itself",
            Self::Damaged { .. } => "copy or download it again",
            Self::OtherBase { .. } => "choose the model it was trained on; nothing of it was applied",
            Self::NoComponent { .. } => "choose the model it was trained on, or give it the weight 0",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, made_for, found } = self;
        match found {
            None => write!(f, "{key} is not in the model"),
            Some(found) => write!(f, "{key} is for a weight of {made_for:?}, the model's is {found:?}"),
        }
    }
}

/// The first few of them.
struct Listed<'m>(&'m [Misfit]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, misfit) in self.0.iter().take(NAMED).enumerate() {
            write!(f, "{}{misfit}", if index > 0 { ", " } else { "" })?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

fn made_for(family: Option<&Family>, base: Option<&Family>) -> String {
    let mut text = String::new();
    // The same family does not explain why it does not fit.
    if let Some(family) = family.filter(|family| base != Some(family)) {
        // Writing to a String cannot fail.
        let _ = write!(text, "; it looks made for {family}");
        if let Some(base) = base {
            let _ = write!(text, ", the model looks like {base}");
        }
    }
    text
}
