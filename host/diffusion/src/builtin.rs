//! The models that come with difftest: `builtin:shapes` and its CLIP model `builtin:shapes-clip`.
//!
//! They are embedded in the program and unpacked into the data folder, because ONNX Runtime maps weights from files. The
//! folder is named by the digest of its contents, so versions of difftest do not disturb each other. Each file is written
//! beside its final name and renamed, and compared byte for byte at every use: a damaged or half-written copy repairs itself,
//! and processes that unpack at the same time write the same bytes.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use difftest_core::digest::Hasher;

use crate::runtime::{DATA_DIR_VARIABLE, data_folder};

/// A model's files, with their paths below its folder.
type Files = &'static [(&'static str, &'static [u8])];

macro_rules! files {
    ($model:literal: $($file:literal)*) => {
        ($model, &[$(($file, include_bytes!(concat!("../../../suites/models/", $model, "/", $file)))),*])
    };
}

const MODELS: [(&str, Files); 2] = [
    files! { "shapes":
        "model_index.json"
        "scheduler/scheduler_config.json"
        "text_encoder/config.json"
        "text_encoder/model.safetensors"
        "tokenizer/merges.txt"
        "tokenizer/tokenizer.json"
        "tokenizer/tokenizer_config.json"
        "tokenizer/vocab.json"
        "unet/config.json"
        "unet/diffusion_pytorch_model.safetensors"
        "vae/config.json"
        "vae/diffusion_pytorch_model.safetensors"
    },
    files! { "shapes-clip":
        "config.json"
        "merges.txt"
        "model.safetensors"
        "preprocessor_config.json"
        "tokenizer.json"
        "tokenizer_config.json"
        "vocab.json"
    },
];

/// Why a built-in model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BuiltinError {
    /// There is none of that name.
    #[error("there is no built-in model `{name}`; there are: {}", names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Nowhere to unpack it.
    #[error("no data folder to unpack built-in models into: no home folder is known")]
    NoDataFolder,
    /// The data folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl BuiltinError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => None,
            Self::NoDataFolder | Self::Write { .. } => {
                Some(format!("set {} to a folder that can be written", DATA_DIR_VARIABLE))
            }
        }
    }
}

/// All built-in models as suites name them, for messages.
#[must_use]
pub fn names() -> String {
    MODELS.map(|(name, _)| format!("builtin:{name}")).join(", ")
}

/// The folder of a built-in model, whole, in the data folder; `name` is as [`names`] gives it, or without `builtin:`.
///
/// # Errors
/// [`BuiltinError`]: an unknown name, or a data folder that cannot be written although something has to be.
pub fn unpack(name: &str) -> Result<PathBuf, BuiltinError> {
    let data = data_folder().ok_or(BuiltinError::NoDataFolder)?;
    unpack_into(&data.join("models"), name.strip_prefix("builtin:").unwrap_or(name))
}

fn unpack_into(models: &Path, name: &str) -> Result<PathBuf, BuiltinError> {
    let unknown = || BuiltinError::Unknown { name: name.to_owned() };
    let (_, files) = MODELS.iter().find(|(model, _)| *model == name).ok_or_else(unknown)?;
    let mut hasher = Hasher::new();
    for (file, content) in *files {
        hasher.field(file.as_bytes());
        hasher.field(content);
    }
    let folder = models.join(format!("{name}-{}", hasher.finish().short()));
    for (file, content) in *files {
        let path = folder.join(file);
        if !holds(&path, content) {
            write(&path, content).map_err(|source| BuiltinError::Write { path, source })?;
        }
    }
    Ok(folder)
}

/// Whether the file has exactly this content.
fn holds(path: &Path, content: &[u8]) -> bool {
    let size = std::fs::metadata(path).map(|file| file.len());
    size.is_ok_and(|size| size == content.len() as u64) && std::fs::read(path).is_ok_and(|found| found == content)
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    match file.persist(path) {
        // another process was faster, and Windows does not replace a file that is mapped
        Err(_) if holds(path, content) => Ok(()),
        result => result.map(drop).map_err(|error| error.error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn damage_is_repaired_and_nothing_else_is_written() {
        let data = tempfile::tempdir().unwrap();
        let folder = unpack_into(data.path(), "shapes-clip").unwrap();
        let (vocab, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        let (good, before) = (std::fs::read(&vocab).unwrap(), std::fs::metadata(&merges).unwrap().modified().unwrap());
        let mut bad = good.clone();
        bad[100] ^= 1;
        for damage in [&bad[..], &good[..50], b""] {
            std::fs::write(&vocab, damage).unwrap();
            assert_eq!(unpack_into(data.path(), "shapes-clip").unwrap(), folder);
            assert_eq!(std::fs::read(&vocab).unwrap(), good);
        }
        assert_eq!(std::fs::metadata(&merges).unwrap().modified().unwrap(), before);
        let names = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(names, 7, "temporary files stay behind");
    }

    #[test]
    fn many_at_once_agree() {
        let data = tempfile::tempdir().unwrap();
        let folders: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| unpack_into(data.path(), "shapes-clip").unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(folders.iter().all(|folder| *folder == folders[0]));
        assert!(holds(&folders[0].join("model.safetensors"), MODELS[1].1[2].1));
    }

    #[test]
    fn unknown_names_get_the_list() {
        let error = unpack_into(Path::new("/nowhere"), "shape").unwrap_err().to_string();
        assert!(error.contains("builtin:shapes, builtin:shapes-clip"), "{error}");
    }

    #[test]
    fn a_data_folder_that_cannot_be_written_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = unpack_into(file.path(), "shapes-clip").unwrap_err();
        assert!(matches!(&error, BuiltinError::Write { path, .. } if path.starts_with(file.path())), "{error}");
        assert!(error.hint().unwrap().contains("DIFFTEST_DATA_DIR"));
    }
}
