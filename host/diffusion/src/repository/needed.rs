//! The files of a model folder that turn out to be needed.

use std::path::{Path, PathBuf};

use super::{RepositoryError, slashes};
use crate::error::Error;
use crate::files;
use crate::models::{exported, graph_files};
use crate::session::Precision;
use crate::weights::Weights;

/// The files of a folder that turn out to be needed.
pub(super) struct Files<'a> {
    folder: &'a Path,
    found: Vec<PathBuf>,
}

impl<'a> Files<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, found: Vec::new() }
    }

    pub(super) fn need(&mut self, file: &str) -> Result<(), RepositoryError> {
        let path = self.folder.join(file);
        match files::regular(&path) {
            Ok(_) => self.found.push(PathBuf::from(file)),
            Err(source) if is_nothing(&source) => return Err(self.missing(file)),
            Err(source) => return Err(RepositoryError::Io { file: path, source }),
        }
        Ok(())
    }

    pub(super) fn tokenizer(&mut self, prefix: &str) -> Result<(), RepositoryError> {
        let there = |file: &str| files::there(&self.folder.join(format!("{prefix}{file}")));
        let pieces: &[&str] = match there("tokenizer.json") && !there("vocab.json") {
            true => &["tokenizer.json"],
            false => &["vocab.json", "merges.txt"],
        };
        for file in pieces {
            self.need(&format!("{prefix}{file}"))?;
        }
        let optional = ["tokenizer_config.json", "special_tokens_map.json"].map(|file| format!("{prefix}{file}"));
        optional.iter().filter(|file| files::there(&self.folder.join(file))).try_for_each(|file| self.need(file))
    }

    /// The config and the weights of a network, or its exported graph with the files that its weights lie in.
    pub(super) fn network(&mut self, component: &str, stem: &str, precision: Precision) -> Result<(), RepositoryError> {
        let own = format!("{component}/config.json");
        let Some(folder) = exported(&self.folder.join(component)) else {
            self.need(&own)?;
            return self.weights(component, stem, precision);
        };
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or(component).to_owned();
        let configs = [format!("{name}/config.json"), own];
        if let Some(config) = configs.iter().find(|file| files::there(&self.folder.join(file))) {
            self.need(config)?;
        }
        for file in graph_files(&folder)? {
            self.found.push(file.strip_prefix(self.folder).unwrap_or(&file).to_owned());
        }
        Ok(())
    }

    /// The safetensors files that [`Weights`] would use.
    pub(super) fn weights(&mut self, component: &str, stem: &str, precision: Precision) -> Result<(), RepositoryError> {
        let folder = self.folder.join(component);
        let weights = Weights::open_for(&folder, stem, precision).map_err(|error| match error {
            Error::NoWeights { hint, .. } if hint.is_empty() => {
                self.missing(&slashes(&Path::new(component).join(format!("{stem}.safetensors"))))
            }
            Error::Io { path, source } if is_nothing(&source) => {
                self.missing(&slashes(path.strip_prefix(self.folder).unwrap_or(&path)))
            }
            other => other.into(),
        })?;
        let relative = |path: &Path| path.strip_prefix(self.folder).unwrap_or(path).to_owned();
        self.found.extend(weights.files().map(relative));
        Ok(())
    }

    fn missing(&self, file: &str) -> RepositoryError {
        RepositoryError::Missing { folder: self.folder.to_owned(), file: file.to_owned() }
    }

    pub(super) fn sorted(mut self) -> Vec<PathBuf> {
        self.found.sort();
        self.found
    }
}

/// Whether nothing has that name.
pub(super) fn is_nothing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
