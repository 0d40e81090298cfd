//! What can go wrong between a component's folder and its output.
//!
//! Every variant names the file, the part of it and, where one exists, the next step. Messages are lower-case fragments,
//! so they can follow "cannot load model X: ".

use std::fmt;
use std::path::{Path, PathBuf};

/// An error of loading or running a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A config file is not JSON, or not a JSON object.
    #[error("{} is not a JSON object: {detail}", path.display())]
    Json {
        /// The config file.
        path: PathBuf,
        /// Where and why.
        detail: String,
    },
    /// A config value has the wrong type, or a required one is missing.
    #[error("{}: {key} must be {expected}, found {found}", path.display())]
    ConfigValue {
        /// The config file.
        path: PathBuf,
        /// The key, dotted for nested objects.
        key: String,
        /// What would be right.
        expected: String,
        /// The value as JSON, or `nothing`.
        found: String,
    },
    /// A config value, or a key not known here, asks for a network that is not implemented.
    #[error("{}: {key} = {value} is not supported{supported}", path.display())]
    Unsupported {
        /// The config file.
        path: PathBuf,
        /// The key, dotted for nested objects.
        key: String,
        /// The value as JSON.
        value: String,
        /// ` (supported: ...)` with values that would do, or nothing for a key that is not known here.
        supported: String,
    },
    /// No weights in a readable format lie in the folder.
    #[error("no safetensors weights in {} (looked for {tried}){hint}", folder.display())]
    NoWeights {
        /// The component's folder.
        folder: PathBuf,
        /// File names that were looked for.
        tried: String,
        /// What lies there instead, and what to do about it; may be empty.
        hint: String,
    },
    /// The weights are of something else than a component in the layout of diffusers.
    #[error("{} is {what}", path.display())]
    ForeignWeights {
        /// The weights file.
        path: PathBuf,
        /// What it is.
        what: String,
        /// What to do with it.
        advice: String,
    },
    /// The shards of one component cannot be addressed from one folder.
    #[error("weights of {} cannot be used in place: {why}", folder.display())]
    WeightsPlace {
        /// The component's folder.
        folder: PathBuf,
        /// The reason.
        why: String,
    },
    /// A weights file is damaged.
    #[error("{} is not a usable safetensors file: {why}", path.display())]
    WeightsFile {
        /// The weights file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A tensor is missing, has another shape or type, or holds NaN.
    #[error("{}: tensor {name} {fault}", path.display())]
    Tensor {
        /// The weights file, or the folder when no file holds the tensor.
        path: PathBuf,
        /// The tensor's key.
        name: String,
        /// What is wrong with it.
        fault: TensorFault,
    },
    /// A caller's array does not have the size its shape asks for.
    #[error("{what}: expected {expected} values, got {actual}")]
    InputSize {
        /// Which input.
        what: &'static str,
        /// Product of its shape.
        expected: usize,
        /// Length of the slice.
        actual: usize,
    },
    /// A token id lies outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocabulary} tokens: the tokenizer belongs to another model")]
    TokenId {
        /// The offending id.
        id: i64,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// More layers are to be left out than there are.
    #[error("the text encoder has {layers} layers, so {skip} cannot be left out")]
    SkippedLayers {
        /// How many are to be left out.
        skip: usize,
        /// How many there are.
        layers: usize,
    },
    /// A pooled embedding is asked of an encoder without a projection.
    #[error("the text encoder in {} has no projection (it is no CLIPTextModelWithProjection)", folder.display())]
    NoProjection {
        /// The encoder's folder.
        folder: PathBuf,
    },
    /// A network reads something that it was not given, or the reverse.
    #[error("{network} {why}")]
    Conditioning {
        /// Which network.
        network: &'static str,
        /// What it reads.
        why: String,
    },
    /// A ready ONNX file is damaged, of an unknown dialect, or cannot do what is asked.
    #[error("{} {fault}", path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or with what is asked.
        fault: Box<crate::models::OnnxFault>,
    },
    /// There is no ONNX Runtime to load; its `hint` says what to do.
    #[error(transparent)]
    Runtime(#[from] crate::runtime::RuntimeError),
    /// The ONNX Runtime library that was found does not work.
    #[error("cannot use the ONNX Runtime library {}: {why}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// LoRA files that cannot be applied.
    #[error(transparent)]
    Lora(Box<crate::lora::LoraError>),
    /// The device cannot be used; its `hint` says what to do.
    #[error(transparent)]
    Device(#[from] crate::session::DeviceError),
    /// ONNX Runtime refused a graph or failed to run it.
    #[error("ONNX Runtime failed on {network}: {detail}")]
    Network {
        /// Which network.
        network: String,
        /// The runtime's own words.
        detail: String,
    },
}

impl Error {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Runtime(error) => Some(error.hint()),
            Self::Lora(error) => error.hint(),
            Self::Onnx { fault, .. } => fault.hint().map(str::to_owned),
            Self::Device(error) => Some(error.hint()),
            Self::Library { .. } => Some("run `difftest runtime install cpu`, or correct ORT_DYLIB_PATH".to_owned()),
            Self::Json { .. } | Self::WeightsFile { .. } => Some("copy or download the file again".to_owned()),
            Self::ConfigValue { .. } => {
                Some("copy or download the config again, or undo what was changed in it".to_owned())
            }
            Self::Unsupported { .. } => Some(MODELS.to_owned()),
            Self::NoWeights { hint, .. } if hint.is_empty() => Some("copy the folder again".to_owned()),
            Self::Tensor { fault, .. } => Some(fault.hint().to_owned()),
            Self::ForeignWeights { advice, .. } => Some(advice.clone()),
            Self::Network { .. } if self.is_out_of_memory() => Some(
                "memory ran out: images of half the side take a quarter of it, and `-j 1` makes one at a time"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Whether the runtime was refused memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Network { detail, .. } if out_of_memory(detail))
    }
}

/// What to do about a model of a kind that is not implemented.
pub(crate) const MODELS: &str = "models that run are Stable Diffusion 1, 2 and XL, and their distilled, turbo and latent \
                                 consistency versions, as diffusers saves them";

/// The runtime's words for it, on the processor and on GPUs.
fn out_of_memory(detail: &str) -> bool {
    ["Failed to allocate memory", "bad_alloc", "out of memory", "bad allocation"]
        .iter()
        .any(|words| detail.contains(words))
}

impl From<crate::lora::LoraError> for Error {
    fn from(error: crate::lora::LoraError) -> Self {
        Self::Lora(Box::new(error))
    }
}

/// What is wrong with a tensor of a weights file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorFault {
    /// Not there.
    Missing,
    /// Another shape than the config asks for.
    Shape {
        /// What the config asks for.
        expected: Vec<usize>,
        /// What the file holds.
        found: Vec<usize>,
    },
    /// An element type other than F32, F16, BF16.
    DType(String),
    /// The network has no place for it.
    Extra {
        /// How many more there are.
        others: usize,
    },
    /// NaN or infinity at this element.
    NotFinite {
        /// Index into the flattened tensor.
        index: usize,
    },
}

impl TensorFault {
    /// What to do about it.
    fn hint(&self) -> &'static str {
        match self {
            Self::Missing | Self::Shape { .. } | Self::Extra { .. } => {
                "copy config.json and the weights again, both from the same version of the same model"
            }
            Self::DType(_) => "save the model in float16 or float32, or choose a version that is",
            Self::NotFinite { .. } => "copy or download the file again, or choose the float32 version of the model",
        }
    }
}

impl fmt::Display for TensorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing: the weights do not belong to this config.json"),
            Self::Shape { expected, found } => {
                write!(f, "has shape {found:?} where config.json asks for {expected:?}")
            }
            Self::DType(found) => write!(f, "has element type {found}; F32, F16 and BF16 are supported"),
            Self::Extra { others } => {
                let more = if *others == 0 { String::new() } else { format!(", nor have {others} more") };
                write!(
                    f,
                    "has no place in the network that config.json describes{more}: the weights are of another one"
                )
            }
            Self::NotFinite { index } => write!(f, "holds NaN or infinity (element {index}): the weights are damaged"),
        }
    }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        |source| Self::Io { path, source }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_to_do_when_memory_runs_out() {
        // As ONNX Runtime 1.31 says it.
        let detail = "bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 16777216".to_owned();
        let error = Error::Network { network: "the VAE decoder".to_owned(), detail };
        assert!(error.hint().unwrap().contains("half the side"));
    }
}
