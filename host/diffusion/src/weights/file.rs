//! Finding weight files and reading their headers.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;

use crate::error::{Error, Result};

/// One tensor of a file.
pub(super) struct TensorPlace {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// From the start of the file.
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// `*.safetensors.index.json`: which shard holds which tensor.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: std::collections::HashMap<String, String>,
}

/// The weight files of `folder`.
pub(super) fn find(folder: &Path, stem: &str) -> Result<Vec<PathBuf>> {
    let mut tried = Vec::new();
    for variant in ["", ".fp16"] {
        let single = format!("{stem}{variant}.safetensors");
        let path = folder.join(&single);
        if path.exists() {
            return Ok(vec![path]);
        }
        // diffusers puts the variant behind `safetensors.index`, transformers before it.
        for name in
            [format!("{stem}.safetensors.index{variant}.json"), format!("{stem}{variant}.safetensors.index.json")]
        {
            let index = folder.join(&name);
            if index.exists() {
                return shards(folder, &index);
            }
        }
        tried.push(single);
    }
    Err(Error::NoWeights { folder: folder.to_path_buf(), tried: tried.join(", "), hint: hint(folder) })
}

fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    let text = std::fs::read(index).map_err(Error::io(index))?;
    let parsed: ShardIndex = serde_json::from_slice(&text)
        .map_err(|error| Error::Json { path: index.to_path_buf(), detail: error.to_string() })?;
    let names: BTreeSet<String> = parsed.weight_map.into_values().collect();
    names
        .into_iter()
        .map(|name| {
            // A shard is a file of this folder; anything else in an index is an attempt to read elsewhere.
            if Path::new(&name).file_name().and_then(|file| file.to_str()) != Some(name.as_str()) {
                let why = format!("it names a shard outside of its folder: {name:?}");
                return Err(Error::WeightsFile { path: index.to_path_buf(), why });
            }
            Ok(folder.join(name))
        })
        .collect()
}

/// What to do when there are weights in another format.
fn hint(folder: &Path) -> String {
    let names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    if names.iter().any(|name| name.ends_with(".bin") || name.ends_with(".ckpt")) {
        "; it holds pickled weights: save the model once with safe_serialization=True".to_owned()
    } else if names.iter().any(|name| name.ends_with(".incomplete") || name.ends_with(".safetensors")) {
        format!("; it holds {}: is the download complete?", names.join(", "))
    } else {
        String::new()
    }
}

/// The tensors of a file, with every place checked to lie inside it.
pub(super) fn header(path: &Path) -> Result<Vec<TensorPlace>> {
    let file = File::open(path).map_err(Error::io(path))?;
    let size = file.metadata().map_err(Error::io(path))?.len();
    let bad = |why: String| Error::WeightsFile { path: path.to_path_buf(), why };
    if size < 8 {
        return Err(bad(format!("it is only {size} bytes long: the copy or download was cut off")));
    }
    #[expect(unsafe_code, reason = "the map lives for this function, which reads the header only")]
    // SAFETY: undefined behaviour would need another process to change the header while it is parsed.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io(path))?;
    let (header_length, metadata) = SafeTensors::read_metadata(&map).map_err(|error| {
        bad(match error {
            SafeTensorError::MetadataIncompleteBuffer | SafeTensorError::InvalidHeaderLength => {
                format!("its header describes another size than its {size} bytes: the copy or download was cut off")
            }
            other => other.to_string(),
        })
    })?;
    let data = 8 + header_length as u64;
    let place = |(name, info): (String, &safetensors::tensor::TensorInfo)| TensorPlace {
        name,
        dtype: info.dtype,
        shape: info.shape.clone(),
        offset: data + info.data_offsets.0 as u64,
        length: (info.data_offsets.1 - info.data_offsets.0) as u64,
    };
    Ok(metadata.tensors().into_iter().map(place).collect())
}
