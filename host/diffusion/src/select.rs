//! Which files of a repository a run needs, told by their names alone.
//!
//! ```text
//! paths of a listing, precision -> pipeline() -> Selection { layout, files, .. } | SelectError
//!                               -> clip()
//! ```
//!
//! A repository on the hub often holds the same weights several times: fp32 and fp16, safetensors and pickles, ONNX, OpenVINO, Flax,
//! and a single file at its root. `stabilityai/sdxl-turbo` has 60 GB of them, and a run needs 5 to 10. Taken are:
//!
//! - `model_index.json`, the scheduler's config, tokenizers, and the components that text-to-image uses, each with `config.json`;
//! - of each component's safetensors, those without a variant for fp32, those of the variant `fp16` for half precision, and the
//!   other ones where there is nothing else; with all shards and their index;
//! - of a component that has no safetensors but a graph, `model.onnx` with its external data; the VAE's lies in `vae_decoder`.
//!
//! Never pickles (`.bin`, `.ckpt`, `.pt`), `.msgpack`, `.h5`, OpenVINO, `safety_checker`, `feature_extractor`, `vae_encoder`.
//! The names are those that [`crate::weights`] looks for, in the same order.

use std::collections::BTreeSet;

use crate::session::Precision;

/// How a model's networks are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Components with `config.json` and safetensors.
    Safetensors,
    /// Components with `model.onnx`.
    Onnx,
    /// A CLIP model: everything in one folder.
    Clip,
}

impl Layout {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "diffusers, safetensors",
            Self::Onnx => "ONNX graphs",
            Self::Clip => "CLIP, safetensors",
        }
    }
}

/// The files to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// How the networks are stored.
    pub layout: Layout,
    /// Paths, sorted.
    pub files: Vec<String>,
}

/// Why a repository has nothing that could be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Neither a pipeline nor a CLIP model.
    #[error("it is not a {kind}: it has no {file}")]
    NotAModel {
        /// What was expected.
        kind: &'static str,
        /// The file that would have told.
        file: &'static str,
    },
    /// A single-file checkpoint.
    #[error("it is a single-file checkpoint ({file}), not a model in diffusers layout")]
    SingleFile {
        /// The file.
        file: String,
    },
    /// A LoRA.
    #[error("it is a LoRA ({file}), not a model")]
    Lora {
        /// The file.
        file: String,
    },
    /// Only pickled weights, which are programs.
    #[error("its {component} has pickled weights only ({file}), which are programs and not read")]
    Pickle {
        /// The component.
        component: String,
        /// The file.
        file: String,
    },
    /// No weights at all, or shards without their siblings.
    #[error("its {component} has no safetensors weights (looked for {looked})")]
    NoWeights {
        /// The component.
        component: String,
        /// The names.
        looked: String,
    },
    /// A family that is not supported.
    #[error("it has a `{component}`: Stable Diffusion 3, Flux and their kin are not supported")]
    Transformer {
        /// The component.
        component: &'static str,
    },
}

impl SelectError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SingleFile { .. } => {
                "load it in diffusers with `from_single_file`, save it with `save_pretrained`, and name that folder"
                    .into()
            }
            Self::Lora { .. } => "name the model it was made for, and give this to `loras`".into(),
            Self::Pickle { .. } => {
                "another revision may have safetensors (ORG/NAME@refs/pr/1 often does); or load it in diffusers \
                 and save it with `save_pretrained`, which writes safetensors"
                    .into()
            }
            Self::NotAModel { .. } | Self::NoWeights { .. } | Self::Transformer { .. } => return None,
        })
    }
}

/// Text encoders, networks, and what the files of their weights are called.
const COMPONENTS: [(&str, &str); 4] = [
    ("text_encoder", "model"),
    ("text_encoder_2", "model"),
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
];

/// What tokenizers may have.
const TOKENIZER: [&str; 6] = [
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// The files of a text-to-image pipeline.
///
/// # Errors
/// When there is none, or none that can be used.
pub fn pipeline(paths: &[&str], precision: Precision) -> Result<Selection, SelectError> {
    let listing = Listing(paths.iter().copied().collect());
    if !listing.has("model_index.json") {
        return Err(listing.no_pipeline());
    }
    if let Some(component) = ["transformer", "text_encoder_3"].into_iter().find(|name| listing.has_folder(name)) {
        return Err(SelectError::Transformer { component });
    }
    let mut files: Vec<String> = vec!["model_index.json".into(), "scheduler/scheduler_config.json".into()];
    for folder in ["tokenizer/", "tokenizer_2/"] {
        files.extend(TOKENIZER.iter().map(|name| format!("{folder}{name}")));
    }
    let mut layout = Layout::Safetensors;
    for (component, stem) in COMPONENTS {
        let graph = if component == "vae" { "vae_decoder" } else { component };
        let exported = listing.has(&format!("{graph}/model.onnx"));
        // of the UNet it is always told what is missing
        if !exported && !listing.has_folder(component) && component != "unet" {
            continue;
        }
        files.push(format!("{component}/config.json"));
        match listing.weights(&format!("{component}/"), stem, precision) {
            Ok(weights) => files.extend(weights),
            Err(_) if exported => {
                files.extend(listing.graph(graph));
                layout = if component == "unet" { Layout::Onnx } else { layout };
            }
            Err(error) => return Err(error),
        }
    }
    Ok(listing.selection(layout, files))
}

/// The files of a CLIP model as transformers saves it.
///
/// # Errors
/// When there is none, or none that can be used.
pub fn clip(paths: &[&str], precision: Precision) -> Result<Selection, SelectError> {
    let listing = Listing(paths.iter().copied().collect());
    if !listing.has("config.json") {
        return Err(SelectError::NotAModel { kind: "CLIP model", file: "config.json" });
    }
    let mut files = listing.weights("", "model", precision)?;
    files.extend(["config.json", "preprocessor_config.json"].map(str::to_owned));
    files.extend(TOKENIZER.map(str::to_owned));
    Ok(listing.selection(Layout::Clip, files))
}

/// A pipeline where there is one, a CLIP model otherwise.
///
/// # Errors
/// When it is neither, or cannot be used.
pub fn any(paths: &[&str], precision: Precision) -> Result<Selection, SelectError> {
    let is_clip = paths.contains(&"config.json") && !paths.contains(&"model_index.json");
    if is_clip { clip(paths, precision) } else { pipeline(paths, precision) }
}

struct Listing<'a>(BTreeSet<&'a str>);

impl Listing<'_> {
    fn has(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    fn has_folder(&self, name: &str) -> bool {
        self.0.iter().any(|path| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Of what was wanted, what is there.
    fn selection(&self, layout: Layout, wanted: Vec<String>) -> Selection {
        let wanted: BTreeSet<String> = wanted.into_iter().filter(|path| self.has(path)).collect();
        Selection { layout, files: wanted.into_iter().collect() }
    }

    /// The weights of the component in `folder`, which ends with `/` or is empty.
    fn weights(&self, folder: &str, stem: &str, precision: Precision) -> Result<Vec<String>, SelectError> {
        for variant in crate::weights::variants(precision) {
            let single = format!("{folder}{stem}{variant}.safetensors");
            if self.has(&single) {
                return Ok(vec![single]);
            }
            let indices = [
                format!("{folder}{stem}.safetensors.index{variant}.json"),
                format!("{folder}{stem}{variant}.safetensors.index.json"),
            ];
            let shards = self.shards(&format!("{folder}{stem}{variant}-"));
            if let (Some(index), Some(shards)) = (indices.iter().find(|index| self.has(index)), shards) {
                return Ok(shards.into_iter().chain([index.clone()]).collect());
            }
        }
        let component = folder.trim_end_matches('/');
        let component = if component.is_empty() { "model" } else { component }.to_owned();
        let pickle = |path: &&&str| {
            let name = path.strip_prefix(folder).unwrap_or("/");
            !name.contains('/') && [".bin", ".ckpt", ".pt", ".pth"].iter().any(|end| name.ends_with(end))
        };
        Err(match self.0.iter().find(pickle) {
            Some(file) => SelectError::Pickle { component, file: (*file).to_owned() },
            None => SelectError::NoWeights { component, looked: format!("{folder}{stem}.safetensors") },
        })
    }

    /// `STEM-00001-of-00003.safetensors` and its siblings, if all of them are there.
    fn shards(&self, prefix: &str) -> Option<Vec<String>> {
        let numbers = |path: &str| {
            let (number, all) = path.strip_prefix(prefix)?.strip_suffix(".safetensors")?.split_once("-of-")?;
            Some((number.parse::<usize>().ok()?, all.parse::<usize>().ok()?))
        };
        let found: Vec<(&str, (usize, usize))> =
            self.0.iter().filter_map(|path| Some((*path, numbers(path)?))).collect();
        let all = found.first()?.1.1;
        let whole = found.len() == all && found.iter().all(|(_, (_, of))| *of == all);
        whole.then(|| found.into_iter().map(|(path, _)| path.to_owned()).collect())
    }

    /// `model.onnx` with its config and external data, whatever that is called: only the graph knows, but it lies beside it.
    fn graph(&self, component: &str) -> Vec<String> {
        let wanted = |name: &str| {
            let data = name.starts_with("model.onnx") || ["weights.pb", "model.data"].contains(&name);
            name == "config.json" || data
        };
        let inside =
            |path: &&&str| path.strip_prefix(component).and_then(|rest| rest.strip_prefix('/')).is_some_and(wanted);
        self.0.iter().filter(inside).map(|path| (*path).to_owned()).collect()
    }

    /// What it is instead.
    fn no_pipeline(&self) -> SelectError {
        let at_root = |ends: &[&str]| {
            let found = self.0.iter().find(|path| !path.contains('/') && ends.iter().any(|end| path.ends_with(end)));
            found.map(|path| (*path).to_owned())
        };
        if let Some(file) = at_root(&["lora_weights.safetensors", "lora.safetensors", "adapter_model.safetensors"]) {
            return SelectError::Lora { file };
        }
        match at_root(&[".safetensors", ".ckpt"]).filter(|_| !self.has("config.json")) {
            Some(file) => SelectError::SingleFile { file },
            None => SelectError::NotAModel { kind: "diffusers model", file: "model_index.json" },
        }
    }
}

#[cfg(test)]
mod tests;
