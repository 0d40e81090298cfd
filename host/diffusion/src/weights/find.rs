//! Which files hold a component's weights.
//!
//! A component may lie in one file or in shards with an index, and may be there in several number formats side by side: the
//! plain files, and variants (`fp16`, `bf16`). Both diffusers and transformers are read, which place the variant differently.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::foreign;
use crate::error::{Error, Result};
use crate::files;
use crate::session::Precision;

/// The files of a component.
pub(super) struct Found {
    pub(super) files: Vec<PathBuf>,
    /// What says which shard holds which tensor, where there are shards.
    pub(super) index: Option<Index>,
}

/// `*.safetensors.index.json`.
pub(super) struct Index {
    pub(super) path: PathBuf,
    /// Name of the shard's file by tensor.
    pub(super) shards: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct IndexFile {
    weight_map: BTreeMap<String, String>,
}

/// Variants in the order in which they are taken: the wanted format first, so that nothing is rounded or widened without need, then
/// what loses least.
pub(crate) fn variants(precision: Precision) -> [&'static str; 3] {
    match precision {
        Precision::F32 => ["", ".fp16", ".bf16"],
        Precision::F16 => [".fp16", "", ".bf16"],
        Precision::Bf16 => [".bf16", "", ".fp16"],
    }
}

/// The weight files of `folder` for a network of `precision`.
pub(super) fn find(folder: &Path, stem: &str, precision: Precision) -> Result<Found> {
    let mut tried = Vec::new();
    for variant in variants(precision) {
        let single = format!("{stem}{variant}.safetensors");
        let path = folder.join(&single);
        if files::there(&path) {
            return Ok(Found { files: vec![path], index: None });
        }
        for name in
            [format!("{stem}.safetensors.index{variant}.json"), format!("{stem}{variant}.safetensors.index.json")]
        {
            let index = folder.join(&name);
            if files::there(&index) {
                return shards(folder, index);
            }
        }
        tried.push(single);
    }
    Err(Error::NoWeights { folder: folder.to_path_buf(), tried: tried.join(", "), hint: foreign::instead(folder) })
}

fn shards(folder: &Path, path: PathBuf) -> Result<Found> {
    let text = files::read(&path).map_err(Error::io(&path))?;
    let IndexFile { weight_map: shards } =
        serde_json::from_slice(&text).map_err(|error| Error::Json { path: path.clone(), detail: error.to_string() })?;
    let bad = |why: String| Error::WeightsFile { path: path.clone(), why };
    let names: BTreeSet<&String> = shards.values().collect();
    if names.is_empty() {
        return Err(bad("it is an index of shards that lists none".to_owned()));
    }
    // A shard is a file of this folder; anything else in an index is an attempt to read elsewhere.
    let own = |name: &str| Path::new(name).file_name().and_then(|file| file.to_str()) == Some(name);
    if let Some(name) = names.iter().find(|name| !own(name)) {
        return Err(bad(format!("it names a shard outside of its folder: {name:?}")));
    }
    if let Some(name) = names.iter().find(|name| !name.ends_with(".safetensors")) {
        return Err(bad(format!("it names a shard that is no safetensors file: {name:?}")));
    }
    let files = names.into_iter().map(|name| folder.join(name)).collect();
    Ok(Found { files, index: Some(Index { path, shards }) })
}
