//! Model folders: what a reference in a suite points to, whether everything is there, and the digest of every file read.
//!
//! A reference is `builtin:NAME` or a folder in the layout of diffusers' `save_pretrained` (transformers' for CLIP). Folders
//! are checked before anything is loaded: a class that is not supported and a file that a copy forgot are named at once.
//! `needed` collects the files, `error` has the words.

mod error;
mod needed;

use std::path::{Path, PathBuf};

use difftest_core::digest::Digest;
use rayon::prelude::*;
use serde_json::{Map, Value};

pub use self::error::RepositoryError;
use self::needed::{Files, is_nothing};
use crate::builtin;
pub(crate) use crate::digests::digest;
use crate::files;
use crate::models::{constants, exported};
use crate::origin::Origin;
use crate::pipeline::Family;
use crate::session::Precision;
use crate::weights::foreign;

/// The classes that components of a pipeline may have.
const COMPONENTS: [(&str, &[&str]); 6] = [
    ("text_encoder", &["CLIPTextModel"]),
    ("text_encoder_2", &["CLIPTextModelWithProjection"]),
    ("tokenizer", TOKENIZERS),
    ("tokenizer_2", TOKENIZERS),
    ("unet", &["UNet2DConditionModel"]),
    ("vae", &["AutoencoderKL"]),
];

/// Both read the same files.
const TOKENIZERS: &[&str] = &["CLIPTokenizer", "CLIPTokenizerFast"];

/// A folder with everything in it that a model needs.
#[derive(Clone, Debug)]
pub struct Repository {
    reference: String,
    folder: PathBuf,
    /// Of a pipeline.
    family: Option<Family>,
    /// Every file that is read, relative to the folder, sorted.
    files: Vec<PathBuf>,
}

impl Repository {
    /// [`Repository::stable_diffusion_in`] `f32`.
    ///
    /// # Errors
    /// The same.
    pub fn stable_diffusion(reference: &str, base: &Path) -> Result<Self, RepositoryError> {
        Self::stable_diffusion_in(reference, base, Precision::F32)
    }

    /// A pipeline of the Stable Diffusion family, with the weight files that networks of `precision` read; relative folders start
    /// at `base`.
    ///
    /// # Errors
    /// [`RepositoryError`] names the file and the reason.
    pub fn stable_diffusion_in(reference: &str, base: &Path, precision: Precision) -> Result<Self, RepositoryError> {
        let folder = resolve(reference, base)?;
        let index = folder.join("model_index.json");
        if !files::there(&index) {
            if let Some((path, found)) = foreign::checkpoint_in(&folder) {
                return Err(found.at(&path).into());
            }
            return Err(RepositoryError::NotAModel { folder, kind: "diffusers model", file: "model_index.json" });
        }
        let content = object(&index)?;
        let supported = Family::ALL.map(Family::class);
        let class = content.get("_class_name").and_then(Value::as_str).and_then(Family::of_class);
        let Some(family) = class else {
            check_class(&index, &content, "_class_name", &supported)?;
            return Err(RepositoryError::NotAModel { folder, kind: "diffusers model", file: "model_index.json" });
        };
        let encoders = family.text_encoders();
        let wanted: Vec<&str> = encoders.iter().flat_map(|(a, b)| [*a, *b]).chain(["unet", "vae"]).collect();
        // What an exported graph is, is seen in the graph: every exporter has its own names for classes of graphs.
        let of_diffusers = |component: &str| wanted.contains(&component) && exported(&folder.join(component)).is_none();
        for (component, classes) in COMPONENTS.iter().filter(|(component, _)| of_diffusers(component)) {
            // a pair of library and class
            let class = content.get(*component).and_then(|pair| pair.get(1)).cloned().unwrap_or_default();
            let named = Map::from_iter([((*component).to_owned(), class)]);
            check_class(&index, &named, component, classes)?;
        }
        let mut files = Files::new(&folder);
        files.need("model_index.json")?;
        files.need("scheduler/scheduler_config.json")?;
        for (encoder, tokenizer) in encoders {
            files.tokenizer(&format!("{tokenizer}/"))?;
            files.network(encoder, "model", precision)?;
        }
        for component in ["unet", "vae"] {
            files.network(component, "diffusion_pytorch_model", precision)?;
        }
        Ok(Self { reference: named(reference, &folder), family: Some(family), files: files.sorted(), folder })
    }

    /// A CLIP model; relative folders start at `base`.
    ///
    /// # Errors
    /// [`RepositoryError`] names the file and the reason.
    pub fn clip(reference: &str, base: &Path) -> Result<Self, RepositoryError> {
        let folder = resolve(reference, base)?;
        let config = folder.join("config.json");
        if !files::there(&config) {
            return Err(RepositoryError::NotAModel { folder, kind: "CLIP model", file: "config.json" });
        }
        check_class(&config, &object(&config)?, "model_type", &["clip"])?;
        let mut files = Files::new(&folder);
        files.need("config.json")?;
        files.need("preprocessor_config.json")?;
        files.tokenizer("")?;
        files.weights("", "model", Precision::F32)?;
        Ok(Self { reference: named(reference, &folder), family: None, files: files.sorted(), folder })
    }

    /// As the suite names it; `ORG/NAME` for a folder of the hub's cache.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The commit, for a folder of the hub's cache.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        Origin::of(&self.folder).map(|origin| origin.revision)
    }

    /// Which pipeline it is for; `None` for a CLIP model.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The JSON object in a file of the folder.
    ///
    /// # Errors
    /// When the file cannot be read or is no JSON object.
    pub fn json(&self, file: &str) -> Result<Value, RepositoryError> {
        object(&self.folder.join(file)).map(Value::Object)
    }

    /// What the config of `unet` or `vae` says. Exported VAEs have theirs in `vae_decoder`; where diffusers' old ONNX pipeline wrote
    /// none, this is what its code says.
    ///
    /// # Errors
    /// When there is none, or it cannot be read or is no JSON object.
    pub fn config(&self, component: &str) -> Result<Value, RepositoryError> {
        let own = format!("{component}/config.json");
        let Some(folder) = exported(&self.folder.join(component)) else { return self.json(&own) };
        let files = [folder.join("config.json"), self.folder.join(&own)];
        if let Some(file) = files.iter().find(|file| files::there(file)) {
            return object(file).map(Value::Object);
        }
        let index = self.json("model_index.json")?;
        let class = index.get("_class_name").and_then(Value::as_str).unwrap_or_default();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or(component);
        constants(class, name).ok_or_else(|| RepositoryError::Missing { folder: self.folder.clone(), file: own })
    }

    /// Bytes of a component's weights, as they are stored.
    #[must_use]
    pub fn size_of(&self, component: &str) -> u64 {
        let files = self.files.iter().filter(|file| file.starts_with(component));
        let weights = files.filter(|file| file.extension().is_some_and(|end| end != "json" && end != "txt"));
        weights.filter_map(|file| std::fs::metadata(self.folder.join(file)).ok()).map(|file| file.len()).sum()
    }

    /// Every file that is read, with its digest; paths relative to the folder, with `/`, sorted. Digests of large files are
    /// remembered from start to start, in difftest's cache folder (`DIFFTEST_NO_DIGEST_CACHE` turns that off).
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn digests(&self) -> Result<Vec<(String, Digest)>, RepositoryError> {
        self.files
            .par_iter()
            .map(|file| {
                let digest = digest(&self.folder.join(file))
                    .map_err(|source| RepositoryError::Io { file: self.folder.join(file), source })?;
                Ok((slashes(file), digest))
            })
            .collect()
    }
}

/// What to call the model: its place in the hub's cache says more than the path to it.
fn named(reference: &str, folder: &Path) -> String {
    Origin::of(folder).map_or_else(|| reference.to_owned(), |origin| origin.model)
}

/// The folder that a reference means.
fn resolve(reference: &str, base: &Path) -> Result<PathBuf, RepositoryError> {
    if let Some(name) = reference.strip_prefix("builtin:") {
        return Ok(builtin::unpack(name)?);
    }
    let folder = base.join(reference);
    if folder.is_dir() {
        return Ok(folder);
    }
    if let Err(source) = std::fs::metadata(&folder)
        && !(is_nothing(&source) && folder.symlink_metadata().is_err())
    {
        // a link to nothing, or a folder that may not be looked into
        let source = files::regular(&folder).err().unwrap_or(source);
        return Err(RepositoryError::Io { file: folder, source });
    }
    if folder.exists() {
        return Err(match foreign::recognise(&folder) {
            Some(found) => found.at(&folder).into(),
            None => RepositoryError::AFile { path: folder },
        });
    }
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':']);
    match reference.split_once('/') {
        Some((owner, name)) if plain(owner) && plain(name) && !name.contains('/') => {
            Err(RepositoryError::HubId { reference: reference.to_owned(), looked: folder })
        }
        _ => Err(RepositoryError::NoFolder { folder }),
    }
}

/// Whether the hub could have a model of that name; its client knows all the rules.
fn may_be_on_the_hub(reference: &str) -> bool {
    let (name, revision) = reference.split_once('@').map_or((reference, None), |(name, at)| (name, Some(at)));
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c) || more.contains(c))
    };
    plain(name, "") && revision.is_none_or(|revision| plain(revision, "+"))
}

fn check_class(
    file: &Path,
    content: &Map<String, Value>,
    key: &str,
    supported: &[&str],
) -> Result<(), RepositoryError> {
    let found = content.get(key).unwrap_or(&Value::Null);
    if found.as_str().is_some_and(|class| supported.contains(&class)) {
        return Ok(());
    }
    Err(RepositoryError::Class {
        file: file.to_owned(),
        key: key.to_owned(),
        found: found.to_string(),
        supported: supported.join(", "),
    })
}

fn object(file: &Path) -> Result<Map<String, Value>, RepositoryError> {
    let text = files::read(file).map_err(|source| RepositoryError::Io { file: file.to_owned(), source })?;
    crate::json::object(&text)
        .map_err(|error| RepositoryError::Json { file: file.to_owned(), message: error.to_string() })
}

/// The same name on every system.
fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
