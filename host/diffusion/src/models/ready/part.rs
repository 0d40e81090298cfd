//! An ONNX file that is going to be a network: found, read and checked, not loaded.

use std::path::{Path, PathBuf};

use super::OnnxFault;
use crate::error::{Error, Result};
use crate::onnx::{GraphFile, Port, Widened, unknown_to};
use crate::session::Device;

/// The name of every component's graph.
const FILE: &str = "model.onnx";

/// An ONNX file and what it says about itself.
#[derive(Debug)]
pub(super) struct Part {
    /// What it is, for messages of the runtime.
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) file: GraphFile,
}

/// The graph of a component's folder, where there is one.
pub(crate) fn graph_in(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(FILE)).filter(|path| crate::files::there(path))
}

/// The graph in `folder` and the files of its weights, seen to be there.
pub(crate) fn graph_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let part = Part::read("a graph", folder)?;
    let weights = part.file.weights(folder).map_err(|error| part.fault(error.into()))?;
    Ok(std::iter::once(folder.join(FILE)).chain(weights.into_iter().map(|(_, path)| path)).collect())
}

/// Bytes of the weights of the graph in `folder`, as the CPU computes with them.
pub(crate) fn graph_weights(folder: &Path) -> Result<Widened> {
    Ok(Part::read("a graph", folder)?.file.widened)
}

impl Part {
    fn read(what: &'static str, folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match GraphFile::read(&path) {
            Ok(file) => Ok(Self { what, path, file }),
            Err(why) => Err(Error::Onnx { path, fault: Box::new(OnnxFault::Damaged(why)) }),
        }
    }

    /// Reads and checks the graph in `folder`: the weights beside it are there, and `device` has its operators.
    pub(super) fn open(what: &'static str, folder: &Path, device: Device) -> Result<Self> {
        let part = Self::read(what, folder)?;
        part.file.weights(folder).map_err(|error| part.fault(error.into()))?;
        match unknown_to(device, &part.file) {
            Some((names, why)) => Err(part.fault(OnnxFault::Operators { device, names, why })),
            None => Ok(part),
        }
    }

    /// The error that `fault` is of this file.
    pub(super) fn fault(&self, fault: OnnxFault) -> Error {
        Error::Onnx { path: self.path.clone(), fault: Box::new(fault) }
    }

    /// Refuses inputs that are not among `known`: nothing could be given to them.
    pub(super) fn only_inputs(&self, known: &[&str]) -> Result<()> {
        match self.file.inputs.iter().find(|port| !known.contains(&port.name.as_str())) {
            Some(port) => Err(self.fault(OnnxFault::UnknownInput { input: port.to_string(), known: known.join(", ") })),
            None => Ok(()),
        }
    }

    /// The first input with one of these names.
    pub(super) fn input(&self, names: &[&str]) -> Option<Port> {
        find(&self.file.inputs, names).cloned()
    }

    /// The same where the network cannot do without.
    pub(super) fn needed_input(&self, names: &[&str]) -> Result<Port> {
        self.input(names).ok_or_else(|| self.missing("input", names, &self.file.inputs))
    }

    /// The first output with one of these names.
    pub(super) fn output(&self, names: &[&str]) -> Option<Port> {
        find(&self.file.outputs, names).cloned()
    }

    /// The same where the network cannot do without; a graph with one output may call it as it likes.
    pub(super) fn needed_output(&self, names: &[&str]) -> Result<Port> {
        match (self.output(names), self.file.outputs.as_slice()) {
            (Some(port), _) => Ok(port),
            (None, [only]) => Ok(only.clone()),
            (None, outputs) => Err(self.missing("output", names, outputs)),
        }
    }

    fn missing(&self, kind: &'static str, names: &[&str], ports: &[Port]) -> Error {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        self.fault(OnnxFault::Missing { kind, wanted: quoted.join(" or "), found: listed(ports) })
    }

    /// Refuses a port that does not hold floats, or not in `rank` dimensions.
    pub(super) fn floats(&self, port: &Port, rank: usize, expected: &'static str) -> Result<()> {
        if port.element.is_float() && port.rank().is_none_or(|found| found == rank) {
            return Ok(());
        }
        Err(self.wrong_type(port, expected))
    }

    /// The error for a port of a type that makes no sense.
    pub(super) fn wrong_type(&self, port: &Port, expected: &'static str) -> Error {
        self.fault(OnnxFault::Type { port: port.to_string(), expected })
    }

    /// Refuses `asked` where the graph was exported for another size of that dimension.
    pub(super) fn accepts(&self, port: &Port, dimension: usize, what: &'static str, asked: usize) -> Result<()> {
        match port.fixed(dimension) {
            Some(fixed) if fixed != asked => Err(self.fault(OnnxFault::Frozen { what, fixed, asked })),
            _ => Ok(()),
        }
    }

    /// How many rows of a batch go into one call: as many as the graph was exported for, otherwise one on the CPU, where results
    /// must not depend on what else is asked, and all on other devices.
    pub(super) fn together(&self, port: &Port, batch: usize, device: Device) -> Result<usize> {
        match port.fixed(0) {
            Some(fixed) if batch.is_multiple_of(fixed) => Ok(fixed),
            Some(fixed) => Err(self.fault(OnnxFault::Frozen { what: "a batch of", fixed, asked: batch })),
            None if device == Device::Cpu => Ok(1),
            None => Ok(batch.max(1)),
        }
    }

    /// A size by the graph, or by the config where the graph leaves it open; they must agree where both say it.
    pub(super) fn size(
        &self,
        what: &'static str,
        graph: Option<usize>,
        config: &Path,
        told: Option<usize>,
    ) -> Result<usize> {
        let config = || config.display().to_string();
        match (graph, told) {
            (Some(graph), Some(told)) if graph != told => {
                Err(self.fault(OnnxFault::OtherConfig { what, graph, config: config(), told }))
            }
            (Some(size), _) | (None, Some(size)) => Ok(size),
            (None, None) => Err(self.fault(OnnxFault::Config { what, config: config() })),
        }
    }
}

fn find<'p>(ports: &'p [Port], names: &[&str]) -> Option<&'p Port> {
    names.iter().find_map(|name| ports.iter().find(|port| port.name == *name))
}

/// Ports as messages list them.
pub(super) fn listed(ports: &[Port]) -> String {
    let ports: Vec<String> = ports.iter().map(Port::to_string).collect();
    if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
}
