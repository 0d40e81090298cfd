//! What `config.json` says beside the graph: sizes that a graph leaves open, and the numbers that are applied around it.
//!
//! Options of the network are in the graph already, so other keys than these are left alone.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// A component's `config.json`.
#[derive(Debug)]
pub(super) struct Config {
    /// Where it lies, or should.
    pub(super) path: PathBuf,
    content: Map<String, Value>,
}

impl Config {
    /// Reads the first of `paths` that exists; none is as good as an empty one.
    ///
    /// diffusers' old pipeline wrote no configs: what they would say is in its code. It is recognised by `model_index.json`.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self> {
        let Some(path) = paths.iter().find(|path| crate::files::there(path)).or(paths.first()) else {
            return Ok(Self { path: PathBuf::new(), content: Map::new() });
        };
        let content = if crate::files::there(path) { object(path)? } else { told_by_the_pipeline(path) };
        Ok(Self { path: path.clone(), content })
    }

    /// A size of at least 1.
    pub(super) fn size(&self, key: &str) -> Result<Option<usize>> {
        const EXPECTED: &str = "a positive integer";
        let size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
        self.get(key).map(|value| size(value).ok_or_else(|| self.wrong(key, EXPECTED))).transpose()
    }

    /// A height and a width, or one size for both.
    pub(super) fn area(&self, key: &str) -> Result<Option<[usize; 2]>> {
        match self.get(key) {
            Some(Value::Array(sides)) => match serde_json::from_value::<[usize; 2]>(Value::Array(sides.clone())) {
                Ok(sides) if !sides.contains(&0) => Ok(Some(sides)),
                _ => Err(self.wrong(key, "a size, or a height and a width")),
            },
            _ => Ok(self.size(key)?.map(|side| [side; 2])),
        }
    }

    /// A number that something is divided by.
    pub(super) fn divisor(&self, key: &str, default: f32) -> Result<f32> {
        let found = self.number(key, default)?;
        if found.is_finite() && found > 0.0 { Ok(found) } else { Err(self.wrong(key, "a number above 0")) }
    }

    /// A number.
    pub(super) fn number(&self, key: &str, default: f32) -> Result<f32> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value.as_f64().map(|x| x as f32).ok_or_else(|| self.wrong(key, "a number")),
        }
    }

    /// A list of so many numbers.
    pub(super) fn numbers(&self, key: &str, count: usize) -> Result<Option<Vec<f32>>> {
        let list =
            |value: &Value| serde_json::from_value(value.clone()).ok().filter(|list: &Vec<f32>| list.len() == count);
        self.get(key).map(|value| list(value).ok_or_else(|| self.wrong(key, "a number for each channel"))).transpose()
    }

    /// Length of a list.
    pub(super) fn count(&self, key: &str) -> Option<usize> {
        self.get(key)?.as_array().map(Vec::len)
    }

    /// The value of `key`; null is as good as none.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.content.get(key).filter(|value| !value.is_null())
    }

    /// Whether it says nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        Error::ConfigValue {
            path: self.path.clone(),
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: self.get(key).map_or_else(|| "nothing".to_owned(), Value::to_string),
        }
    }
}

fn object(path: &Path) -> Result<Map<String, Value>> {
    let text = crate::files::read(path).map_err(Error::io(path))?;
    match serde_json::from_slice(&text) {
        Ok(Value::Object(content)) => Ok(content),
        Ok(_) => Err("it holds another kind of value".to_owned()),
        Err(error) => Err(error.to_string()),
    }
    .map_err(|detail| Error::Json { path: path.to_path_buf(), detail })
}

/// What the config of a missing `path` would say: nothing, or the constants in the code of diffusers' `OnnxStableDiffusionPipeline`.
fn told_by_the_pipeline(path: &Path) -> Map<String, Value> {
    let component = path.parent().unwrap_or(Path::new(""));
    let root = component.parent().unwrap_or(Path::new(""));
    let class = object(&root.join("model_index.json")).ok().and_then(|index| index.get("_class_name").cloned());
    let name = component.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match class.as_ref().and_then(Value::as_str).and_then(|class| constants(class, name)) {
        Some(Value::Object(content)) => content,
        _ => Map::new(),
    }
}

/// What the code of a pipeline says of a component whose folder has no config: latents of 4 channels, a scale of 0.18215, images 8
/// times as large, and 512 pixels where nobody says otherwise.
pub(crate) fn constants(class: &str, component: &str) -> Option<Value> {
    if class != "OnnxStableDiffusionPipeline" {
        return None;
    }
    match component {
        "unet" => Some(json!({ "sample_size": 64, "in_channels": 4, "out_channels": 4 })),
        "vae_decoder" => Some(json!({
            "latent_channels": 4, "scaling_factor": 0.18215, "block_out_channels": [128, 256, 512, 512],
        })),
        _ => None,
    }
}
