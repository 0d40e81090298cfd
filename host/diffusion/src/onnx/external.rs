//! The files that the weights of an ONNX file lie in.

use std::path::{Component, Path, PathBuf};

use super::read::GraphFile;

/// Why a file of weights cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalFault {
    /// Its name leads elsewhere.
    #[error("its weights `{}` lie outside of its folder", .0.escape_debug())]
    Outside(String),
    /// It is not there.
    #[error("its weights `{0}` are missing")]
    Missing(String),
    /// It is something else than a file.
    #[error("its weights `{name}` cannot be read: {why}")]
    NotAFile {
        /// The file.
        name: String,
        /// What it is.
        why: String,
    },
    /// Not all of it is there.
    #[error("its weights `{name}` are half-copied: {found} bytes, at least {needed} are needed")]
    Short {
        /// The file.
        name: String,
        /// Bytes that the graph reads.
        needed: u64,
        /// Bytes that there are.
        found: u64,
    },
}

impl GraphFile {
    /// Every file of weights: its name in the graph and its path below `folder`, found to be there and long enough.
    ///
    /// # Errors
    /// The first file, by name, that cannot be used.
    pub(crate) fn weights(&self, folder: &Path) -> Result<Vec<(&str, PathBuf)>, ExternalFault> {
        self.external.iter().map(|(name, &needed)| Ok((name.as_str(), place(folder, name, needed)?))).collect()
    }
}

fn place(folder: &Path, name: &str, needed: u64) -> Result<PathBuf, ExternalFault> {
    let mut parts = Path::new(name).components();
    if name.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(ExternalFault::Outside(name.to_owned()));
    }
    let path = folder.join(name);
    match std::fs::metadata(&path) {
        Ok(file) if file.is_file() && file.len() >= needed => Ok(path),
        Ok(file) if file.is_file() => Err(ExternalFault::Short { name: name.to_owned(), needed, found: file.len() }),
        _ if crate::files::there(&path) => match crate::files::regular(&path) {
            Err(error) => Err(ExternalFault::NotAFile { name: name.to_owned(), why: error.to_string() }),
            Ok(_) => Ok(path),
        },
        _ => Err(ExternalFault::Missing(name.to_owned())),
    }
}
