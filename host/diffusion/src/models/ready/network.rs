//! A ready graph in sessions: values are given in the types that it declares, and taken as `f32`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use ort::session::Session;
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor};

use super::OnnxFault;
use super::part::Part;
use crate::error::{Error, Result};
use crate::onnx::{Element, Port, relocate};
use crate::session::{Lanes, Reach, SessionOptions, joined, open_file, open_model};
use crate::weights::{common_folder, portable};

/// A loaded graph.
pub(super) struct Network {
    name: &'static str,
    lanes: Lanes,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An input of a call.
pub(super) struct Feed<'d> {
    pub(super) port: &'d Port,
    pub(super) shape: Vec<usize>,
    pub(super) values: Values<'d>,
}

/// The values of an input, before they are what its port wants.
pub(super) enum Values<'d> {
    /// Numbers with a fraction; where the port wants integers, whoever makes the feed has seen that they are whole.
    Floats(&'d [f32]),
    /// Token ids.
    Ids(&'d [i64]),
    /// One number, so many times.
    Same(f32, usize),
    /// `false` for a flag.
    No,
}

impl Network {
    /// Loads `part`.
    pub(super) fn load(part: &Part, options: &SessionOptions) -> Result<Self> {
        let source = Source::of(part)?;
        if options.reach != Reach::Sessions {
            return Ok(Self { name: part.what, lanes: Lanes::new(Vec::new()) });
        }
        let sessions = std::thread::scope(|scope| {
            let lanes: Vec<_> =
                (0..options.lanes.max(1)).map(|_| scope.spawn(|| source.open(part.what, options))).collect();
            lanes.into_iter().map(joined).collect::<Result<Vec<_>>>()
        })?;
        Ok(Self { name: part.what, lanes: Lanes::new(sessions) })
    }

    /// Runs one call; returns the values of the outputs in `wanted`, each with the number of values that it must have.
    pub(super) fn run(&self, feeds: Vec<Feed<'_>>, wanted: &[(&str, usize)]) -> Result<Vec<Vec<f32>>> {
        let failed = |error: ort::Error| self.error(error.to_string());
        let mut inputs: Vec<(&str, DynValue)> = Vec::with_capacity(feeds.len());
        for feed in feeds {
            inputs.push((&feed.port.name, value(&feed).map_err(failed)?));
        }
        self.lanes.with(|session| {
            let outputs = session.run(inputs).map_err(failed)?;
            let take = |&(name, expected): &(&str, usize)| {
                let output = outputs.get(name).ok_or_else(|| self.error(format!("it gave no `{name}`")))?;
                let values = floats(output).map_err(failed)?;
                if values.len() == expected {
                    return Ok(values);
                }
                Err(self.error(format!("`{name}` has {} values where {expected} are expected", values.len())))
            };
            wanted.iter().map(take).collect()
        })
    }

    fn error(&self, detail: String) -> Error {
        Error::Network { network: self.name.to_owned(), detail }
    }
}

/// Where the runtime reads a graph from.
enum Source {
    /// A file with all weights in it.
    File(PathBuf),
    /// A graph whose weights lie below a folder. Links are followed before, because the runtime follows none that leave the
    /// folder of the model, and the hub's cache consists of them.
    Model { model: Vec<u8>, folder: PathBuf },
}

impl Source {
    fn of(part: &Part) -> Result<Self> {
        let real = |path: &Path| path.canonicalize().map_err(Error::io(path));
        let graph = real(&part.path)?;
        let folder = part.path.parent().unwrap_or(Path::new(""));
        let weights = part.file.weights(folder).map_err(|error| part.fault(error.into()))?;
        if weights.is_empty() {
            return Ok(Self::File(graph));
        }
        let places = weights.iter().map(|(name, path)| Ok((*name, real(path)?))).collect::<Result<Vec<_>>>()?;
        let elsewhere = |why: &str| Error::WeightsPlace { folder: folder.to_path_buf(), why: why.to_owned() };
        let files: Vec<PathBuf> = places.iter().map(|(_, path)| path.clone()).collect();
        let root = common_folder(&files).ok_or_else(|| elsewhere("they lie on different drives"))?;
        let places = places
            .iter()
            .map(|(name, path)| Some(((*name).to_owned(), portable(path.strip_prefix(&root).ok()?)?)))
            .collect::<Option<HashMap<_, _>>>()
            .ok_or_else(|| elsewhere("the name of a file is not Unicode"))?;
        let bytes = crate::files::read(&graph).map_err(Error::io(&graph))?;
        let model = relocate(&bytes, &places).map_err(|why| part.fault(OnnxFault::Damaged(why)))?;
        Ok(Self::Model { model, folder: root })
    }

    fn open(&self, name: &'static str, options: &SessionOptions) -> Result<Session> {
        match self {
            Self::File(path) => open_file(path, options),
            Self::Model { model, folder } => open_model(name, model, folder, &[], options),
        }
    }
}

/// The values of `feed` in the type of its port.
fn value(feed: &Feed<'_>) -> ort::Result<DynValue> {
    let shape = feed.shape.as_slice();
    match feed.values {
        Values::Floats(values) => numbers(shape, feed.port.element, values.iter().copied()),
        Values::Same(value, count) => numbers(shape, feed.port.element, std::iter::repeat_n(value, count)),
        Values::Ids(ids) if feed.port.element == Element::I32 => tensor(shape, ids.iter().map(|&id| id as i32)),
        Values::Ids(ids) => tensor(shape, ids.iter().copied()),
        Values::No if feed.port.element == Element::I64 => {
            tensor(shape, std::iter::repeat_n(0i64, shape.iter().product()))
        }
        Values::No => tensor(shape, std::iter::repeat_n(false, shape.iter().product())),
    }
}

fn numbers(shape: &[usize], element: Element, values: impl Iterator<Item = f32>) -> ort::Result<DynValue> {
    match element {
        Element::F16 => tensor(shape, values.map(f16::from_f32)),
        Element::Bf16 => tensor(shape, values.map(bf16::from_f32)),
        Element::F64 => tensor(shape, values.map(f64::from)),
        Element::I64 => tensor(shape, values.map(|value| value as i64)),
        Element::I32 => tensor(shape, values.map(|value| value as i32)),
        _ => tensor(shape, values),
    }
}

fn tensor<T>(shape: &[usize], values: impl Iterator<Item = T>) -> ort::Result<DynValue>
where
    T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
{
    Ok(Tensor::from_array((shape, values.collect::<Vec<_>>()))?.into_dyn())
}

/// The values of an output, whatever floats it gives.
fn floats(output: &DynValue) -> ort::Result<Vec<f32>> {
    if let Ok((_, values)) = output.try_extract_tensor::<f16>() {
        return Ok(values.iter().map(|value| value.to_f32()).collect());
    }
    if let Ok((_, values)) = output.try_extract_tensor::<bf16>() {
        return Ok(values.iter().map(|value| value.to_f32()).collect());
    }
    if let Ok((_, values)) = output.try_extract_tensor::<f64>() {
        return Ok(values.iter().map(|&value| value as f32).collect());
    }
    output.try_extract_tensor::<f32>().map(|(_, values)| values.to_vec())
}
