//! Weights in other forms than safetensors of one component: recognised, and explained with the command that converts them.
//!
//! None of them is read further. Pickles can run code when they are opened; single-file checkpoints name their tensors as the
//! training code did, and which network they make has to be guessed.

use std::path::{Path, PathBuf};

use super::file;
use crate::error::{Error, Result};

/// Prefix of the denoiser's tensors in a single-file checkpoint.
const CHECKPOINT: &str = "model.diffusion_model.";

/// A file of weights that is no component, told by its name and, for safetensors, by the names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// What it is: "a single-file checkpoint of Stable Diffusion XL".
    pub what: String,
    /// What to do with it.
    pub advice: String,
}

impl Foreign {
    /// The error that the file at `path` is this.
    pub fn at(self, path: &Path) -> Error {
        Error::ForeignWeights { path: path.to_path_buf(), what: self.what, advice: self.advice }
    }
}

/// What the file at `path` is, where it is one that people take for a model; `None` for every other file.
pub fn recognise(path: &Path) -> Option<Foreign> {
    match path.extension()?.to_str()? {
        "safetensors" => {
            let tensors = file::header(path).ok()?;
            by_names(path, &tensors.iter().map(|tensor| tensor.name.as_str()).collect::<Vec<_>>())
        }
        "ckpt" | "pt" | "pth" | "bin" => Some(Foreign {
            what: "a file of pickled weights, which can run code when it is opened".to_owned(),
            advice: convert("StableDiffusionPipeline", path) + "; for an XL model it is StableDiffusionXLPipeline",
        }),
        "gguf" => Some(Foreign {
            what: "a file of quantised weights".to_owned(),
            advice: "name a folder in the layout of diffusers instead".to_owned(),
        }),
        _ => None,
    }
}

/// The first checkpoint at the root of a folder that is no diffusers model.
pub fn checkpoint_in(folder: &Path) -> Option<(PathBuf, Foreign)> {
    let mut files: Vec<_> = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // by what it is, not by what it may be: pickles tell nothing of themselves
    files.sort_by_key(|path| (path.extension().is_none_or(|kind| kind != "safetensors"), path.clone()));
    let checkpoint = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "safetensors" || kind == "ckpt");
    files.into_iter().filter(checkpoint).find_map(|path| recognise(&path).map(|found| (path, found)))
}

/// Refuses a file whose tensors are those of something else than a component.
pub(super) fn refuse<'n>(path: &Path, names: impl Iterator<Item = &'n str>) -> Result<()> {
    match by_names(path, &names.collect::<Vec<_>>()) {
        None => Ok(()),
        Some(found) => Err(found.at(path)),
    }
}

fn by_names(path: &Path, names: &[&str]) -> Option<Foreign> {
    let any = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
    if any(CHECKPOINT) {
        let (family, pipeline) = if any("conditioner.embedders.") {
            ("Stable Diffusion XL", Some("StableDiffusionXLPipeline"))
        } else if any("cond_stage_model.") {
            ("Stable Diffusion", Some("StableDiffusionPipeline"))
        } else if any("model.diffusion_model.joint_blocks.") {
            ("Stable Diffusion 3", None)
        } else if any("model.diffusion_model.double_blocks.") {
            ("Flux", None)
        } else {
            ("a denoiser alone", None)
        };
        let other = || "name a folder in the layout of diffusers of a Stable Diffusion 1, 2 or XL model".to_owned();
        let advice = pipeline.map_or_else(other, |pipeline| convert(pipeline, path));
        return Some(Foreign { what: format!("a single-file checkpoint of {family}"), advice });
    }
    let lora = |name: &&str| name.contains(".lora_") || name.starts_with("lora_");
    if !names.is_empty() && names.iter().filter(|name| lora(name)).count() * 2 > names.len() {
        return Some(Foreign {
            what: "a LoRA file".to_owned(),
            advice: "name the model it was made for as the model, and this file in `loras` or with `--lora`".to_owned(),
        });
    }
    None
}

fn convert(pipeline: &str, path: &Path) -> String {
    let file = path.display();
    let folder = path.file_stem().unwrap_or_default().to_string_lossy();
    format!(
        "convert it once with `python -c \"from diffusers import {pipeline} as P; \
         P.from_single_file('{file}').save_pretrained('{folder}')\"` and name the folder {folder}"
    )
}

/// What lies in a component's folder instead of safetensors weights, and what to do about it, to end a message; may be empty.
pub(super) fn instead(folder: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    let with = |ends: &[&str]| names.iter().find(|name| ends.iter().any(|end| name.ends_with(end)));
    if let Some(name) = with(&[".incomplete", ".safetensors"]) {
        format!("; it holds {name}: is the download complete?")
    } else if let Some(name) = with(&[".bin", ".ckpt", ".pt", ".pth"]) {
        format!(
            "; it holds pickled weights ({name}), which can run code when they are opened: convert the model once with \
             `python -c \"from diffusers import DiffusionPipeline as P; \
             P.from_pretrained('MODEL', use_safetensors=False).save_pretrained('FOLDER', safe_serialization=True)\"`"
        )
    } else if let Some(name) = with(&[".msgpack", ".h5"]) {
        format!("; it holds weights of another framework ({name}): get the safetensors files of this model")
    } else {
        String::new()
    }
}
