//! Any ONNX file as a graph of named tensors.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use difftest_core::digest::{Digest, Hasher};
use difftest_core::model::{Element, Graph, ModelError, Tensor};
use ort::session::Session;
use ort::value::{DynValue, Outlet, ValueType};

use super::tensor;
use crate::onnx::GraphFile;
use crate::repository::digest;
use crate::session::{self, SessionOptions};

/// The largest `.onnx` file, which is a protobuf message; weights beyond it lie in files of their own.
const MOST_BYTES: u64 = 2 << 30;

/// An ONNX file with the files that its weights lie in.
#[derive(Clone, Debug)]
pub struct GraphFiles {
    /// One digest over all of them, by name and content.
    pub digest: Digest,
}

/// A graph, loaded. One call runs at a time.
pub struct OnnxGraph {
    session: Mutex<Session>,
    inputs: Vec<Port>,
}

/// What an input wants.
struct Port {
    name: String,
    /// `None` where `wasi:nn` has no such type.
    element: Option<Element>,
    /// Its type in words.
    described: String,
    /// Length of each dimension; `None` where any will do.
    dimensions: Vec<Option<u32>>,
}

/// Why an ONNX file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OnnxGraphError {
    /// The file, or one of its weights, cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no ONNX file, or one that reaches out of its folder.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// ONNX Runtime does not start, or does not accept it.
    #[error(transparent)]
    Runtime(#[from] crate::error::Error),
}

impl OnnxGraphError {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("paths under [models] start at the folder of the suite file".to_owned())
            }
            Self::Runtime(error) => error.hint(),
            _ => None,
        }
    }
}

impl GraphFiles {
    /// Reads and hashes `path` and the weights that lie beside it.
    ///
    /// # Errors
    /// [`OnnxGraphError`] names the file and the reason.
    pub fn read(path: &Path) -> Result<Self, OnnxGraphError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OnnxGraphError::Io { path, source }
        };
        let file = |reason: String| OnnxGraphError::File { path: path.to_owned(), reason };
        let bytes = crate::files::regular(path).map_err(io(path))?.len();
        if bytes > MOST_BYTES {
            return Err(file(format!("{bytes} bytes are more than an ONNX file can have ({MOST_BYTES})")));
        }
        let graph = GraphFile::read(path).map_err(|error| file(format!("not an ONNX model: {error}")))?;
        let weights = graph.weights(path.parent().unwrap_or(Path::new(""))).map_err(|error| file(error.to_string()))?;
        let mut hasher = Hasher::new();
        hasher.field(digest(path).map_err(io(path))?.to_string().as_bytes());
        for (name, weights) in weights {
            hasher.field(name.as_bytes());
            hasher.field(digest(&weights).map_err(io(&weights))?.to_string().as_bytes());
        }
        Ok(Self { digest: hasher.finish() })
    }
}

impl OnnxGraph {
    /// Loads the graph in `path`.
    ///
    /// # Errors
    /// [`OnnxGraphError`] names the file and the reason.
    pub fn open(path: &Path, options: &SessionOptions) -> Result<Self, OnnxGraphError> {
        GraphFiles::read(path)?;
        let session = session::open_file(path, options)?;
        let inputs = session.inputs().iter().map(Port::of).collect();
        Ok(Self { session: Mutex::new(session), inputs })
    }

    /// Refuses inputs that the graph does not have, and those that it wants and did not get.
    fn check(&self, inputs: &[(String, Tensor)]) -> Result<(), ModelError> {
        let wants = || self.inputs.iter().map(Port::to_string).collect::<Vec<_>>().join(", ");
        for (index, (name, tensor)) in inputs.iter().enumerate() {
            let Some(port) = self.inputs.iter().find(|port| port.name == *name) else {
                return Err(ModelError::Input(format!("the graph has no input `{name}`; it wants {}", wants())));
            };
            if inputs[..index].iter().any(|(other, _)| other == name) {
                return Err(ModelError::Input(format!("input `{name}` was given twice")));
            }
            port.check(tensor)?;
        }
        match self.inputs.iter().find(|port| inputs.iter().all(|(name, _)| *name != port.name)) {
            Some(missing) => {
                Err(ModelError::Input(format!("input `{}` was not given; the graph wants {}", missing.name, wants())))
            }
            None => Ok(()),
        }
    }
}

impl Graph for OnnxGraph {
    fn compute(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, ModelError> {
        self.check(&inputs)?;
        let failed = |error: ort::Error| ModelError::Failed(error.to_string());
        let mut values: Vec<(String, DynValue)> = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            values.push((name, tensor::to_value(&tensor).map_err(failed)?));
        }
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(values).map_err(failed)?;
        let take = |(name, value): (&str, ort::value::ValueRef<'_>)| {
            let tensor = tensor::from_value(&value);
            let tensor = tensor
                .map_err(|what| ModelError::Failed(format!("output `{name}` cannot be passed on: it is {what}")))?;
            Ok((name.to_owned(), tensor))
        };
        outputs.iter().map(take).collect()
    }
}

impl Port {
    fn of(outlet: &Outlet) -> Self {
        let (element, described, dimensions) = match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => {
                let lengths = shape.iter().map(|&length| u32::try_from(length).ok()).collect();
                (tensor::element(*ty), ty.to_string(), lengths)
            }
            other => (None, other.to_string(), Vec::new()),
        };
        Self { name: outlet.name().to_owned(), element, described, dimensions }
    }

    fn check(&self, tensor: &Tensor) -> Result<(), ModelError> {
        let wrong = |what: String| Err(ModelError::Input(format!("input `{}`: {what}", self.name)));
        let wanted = Tensor::wanted_bytes(tensor.element, &tensor.dimensions);
        if wanted != Some(tensor.data.len()) {
            let shape = shape(tensor.dimensions.iter().map(|&length| Some(length)));
            let (name, bytes) = (tensor.element.name(), tensor.data.len());
            return wrong(format!("{bytes} bytes do not make a tensor {name}{shape}"));
        }
        let fits = self.dimensions.len() == tensor.dimensions.len()
            && self.dimensions.iter().zip(&tensor.dimensions).all(|(want, got)| want.is_none_or(|want| want == *got));
        if self.element != Some(tensor.element) || !fits {
            let got = shape(tensor.dimensions.iter().map(|&length| Some(length)));
            return wrong(format!("the graph wants {self}, it was given {}{got}", tensor.element.name()));
        }
        Ok(())
    }
}

/// `name f32[1, 3, ?]`
impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let element = match self.element {
            Some(element) => element.name(),
            None => &self.described,
        };
        write!(f, "`{}` {element}{}", self.name, shape(self.dimensions.iter().copied()))
    }
}

fn shape(dimensions: impl Iterator<Item = Option<u32>>) -> String {
    let mut text = String::from("[");
    for (index, length) in dimensions.enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = match length {
            Some(length) => write!(text, "{comma}{length}"),
            None => write!(text, "{comma}?"),
        };
    }
    text + "]"
}
