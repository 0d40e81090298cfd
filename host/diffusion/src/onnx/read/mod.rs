//! What an ONNX file says about itself, read without its weights.
//!
//! ```text
//! file -> wire (fields) -> schema (which messages to follow) -> GraphFile { inputs, outputs, operators, weights beside it }
//! ```
//!
//! Invariants: the file is gone through once for the graph and once for its constants, with one small buffer; what is kept is
//! bounded whatever the file holds (names by length, inputs, outputs, operators and files by number, subgraphs by depth). Nodes of
//! subgraphs and functions count like those of the graph, because their weights and operators are needed too.

mod port;
mod schema;
mod tensor;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

pub(crate) use self::port::{Element, Extent, Port};
use self::port::{LONGEST, skip};
pub(super) use self::schema::Message;
pub(super) use self::wire::{Field, Value, Wire, WireError};

/// Most inputs or outputs. Old files list all constants among the inputs.
const MOST_PORTS: usize = 1 << 13;
/// Most different operators beside the standard ones.
const MOST_OPERATORS: usize = 1 << 10;
/// Most files of weights.
const MOST_FILES: usize = 1 << 12;
/// Deepest nesting of subgraphs.
const DEEPEST: usize = 32;

/// What an ONNX file says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct GraphFile {
    /// Who wrote it, with the version; may be empty.
    pub(crate) producer: String,
    /// The version of the standard operators.
    pub(crate) opset: u64,
    /// What a call must give it; constants are left out.
    pub(crate) inputs: Vec<Port>,
    /// What a call gives back.
    pub(crate) outputs: Vec<Port>,
    /// Operators outside of the standard set, by domain and name.
    pub(crate) operators: BTreeSet<(String, String)>,
    /// Files that weights lie in, relative to the folder of the file, and how long each must be at least.
    pub(crate) external: BTreeMap<String, u64>,
    /// Bytes of all weights in this file and in others, with half precision widened to `f32`, as the CPU computes.
    pub(crate) widened: Widened,
}

/// Bytes of weights, by where they lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Widened {
    /// In the file of the graph.
    pub(crate) inside: u64,
    /// In files beside it.
    pub(crate) beside: u64,
}

impl GraphFile {
    /// Reads `path`.
    ///
    /// # Errors
    /// In words, when the file cannot be read or is no ONNX model.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let open = || crate::files::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = open().map_err(|error| error.to_string())?;
        Self::parse(BufReader::new(file), length)
    }

    /// Reads `length` bytes of `source`.
    pub(crate) fn parse(mut source: impl BufRead + Seek, length: u64) -> Result<Self, String> {
        let mut reader = Reader { wire: Wire::new(&mut source), found: Self::default(), constants: BTreeSet::new() };
        let (is_model, graph) = reader.model(length).map_err(|error| error.to_string())?;
        let Some((start, end)) = graph.filter(|_| is_model) else { return Err("it has no graph".to_owned()) };
        let Reader { mut found, .. } = reader;
        source.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
        let mut reader = Reader { wire: Wire::new(&mut source), found: Self::default(), constants: BTreeSet::new() };
        let names: BTreeSet<&str> = found.inputs.iter().map(|port| port.name.as_str()).collect();
        reader.constants(start, end, &names).map_err(|error| error.to_string())?;
        found.inputs.retain(|port| !reader.constants.contains(&port.name));
        Ok(found)
    }
}

struct Reader<R> {
    wire: Wire<R>,
    found: GraphFile,
    /// Inputs that have a value of their own.
    constants: BTreeSet<String>,
}

impl<R: BufRead + Seek> Reader<R> {
    /// `ModelProto`: whether it has a version, and where its graph lies.
    fn model(&mut self, end: u64) -> Result<(bool, Option<(u64, u64)>), WireError> {
        let (mut is_model, mut graph) = (false, None);
        let mut producer = [String::new(), String::new()];
        while let Some(field) = self.wire.field(end)? {
            match field {
                Field { number: 1, value: Value::Varint(version) } => is_model = version > 0,
                Field { number: 2, value: Value::Until(end) } => producer[0] = self.wire.text(end, LONGEST)?,
                Field { number: 3, value: Value::Until(end) } => producer[1] = self.wire.text(end, LONGEST)?,
                Field { number: 7, value: Value::Until(end) } => {
                    graph = Some((self.wire.at(), end));
                    self.message(Message::Graph, end, 0)?;
                }
                Field { number: 8, value: Value::Until(end) } => self.opset(end)?,
                Field { value: Value::Until(end), number } => match Message::Model.inner(number) {
                    Some(inner) => self.message(inner, end, 0)?,
                    None => self.wire.skip_to(end)?,
                },
                other => skip(&mut self.wire, other)?,
            }
        }
        self.found.producer = producer.join(" ").trim().to_owned();
        Ok((is_model, graph))
    }

    /// `OperatorSetIdProto`
    fn opset(&mut self, end: u64) -> Result<(), WireError> {
        let (mut domain, mut version) = (String::new(), 0);
        while let Some(field) = self.wire.field(end)? {
            match field {
                Field { number: 1, value: Value::Until(end) } => domain = self.wire.text(end, LONGEST)?,
                Field { number: 2, value: Value::Varint(number) } => version = number,
                other => skip(&mut self.wire, other)?,
            }
        }
        if is_standard(&domain) {
            self.found.opset = version;
        }
        Ok(())
    }

    /// Follows a message to all nodes and tensors in it; inputs and outputs are those of the graph at `depth` 0.
    fn message(&mut self, message: Message, end: u64, depth: usize) -> Result<(), WireError> {
        if depth > DEEPEST {
            return Err(WireError::TooMuch(format!("subgraphs nested deeper than {DEEPEST}")));
        }
        match message {
            Message::Tensor => return self.weight(end),
            Message::Node => return self.node(end, depth),
            _ => {}
        }
        while let Some(field) = self.wire.field(end)? {
            match (field.value, message) {
                (Value::Until(end), Message::Graph) if depth == 0 && matches!(field.number, 11 | 12) => {
                    let port = port::read(&mut self.wire, end)?;
                    let ports = if field.number == 11 { &mut self.found.inputs } else { &mut self.found.outputs };
                    ports.push(port);
                    if ports.len() > MOST_PORTS {
                        return Err(WireError::TooMuch(format!("more than {MOST_PORTS} inputs or outputs")));
                    }
                }
                (Value::Until(end), _) => match message.inner(field.number) {
                    Some(inner) => self.message(inner, end, depth + usize::from(inner == Message::Graph))?,
                    None => self.wire.skip_to(end)?,
                },
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, end: u64, depth: usize) -> Result<(), WireError> {
        let (mut operator, mut domain) = (String::new(), String::new());
        while let Some(field) = self.wire.field(end)? {
            match field {
                Field { number: 4, value: Value::Until(end) } => operator = self.wire.text(end, LONGEST)?,
                Field { number: 7, value: Value::Until(end) } => domain = self.wire.text(end, LONGEST)?,
                Field { number: 5, value: Value::Until(end) } => self.message(Message::Attribute, end, depth)?,
                other => skip(&mut self.wire, other)?,
            }
        }
        if !is_standard(&domain) {
            self.found.operators.insert((domain, operator));
            if self.found.operators.len() > MOST_OPERATORS {
                return Err(WireError::TooMuch(format!("more than {MOST_OPERATORS} kinds of operators")));
            }
        }
        Ok(())
    }

    fn weight(&mut self, end: u64) -> Result<(), WireError> {
        let tensor = tensor::read(&mut self.wire, end)?;
        let Widened { inside, beside } = &mut self.found.widened;
        let sum = if tensor.place.is_some() { beside } else { inside };
        *sum = sum.saturating_add(tensor.widened);
        let Some(place) = tensor.place else { return Ok(()) };
        let external = &mut self.found.external;
        let known = external.entry(place.location).or_default();
        *known = place.end.max(*known);
        if external.len() > MOST_FILES {
            return Err(WireError::TooMuch(format!("weights in more than {MOST_FILES} files")));
        }
        Ok(())
    }

    /// The names among `inputs` of the graph between `start` and `end` that are constants.
    fn constants(&mut self, start: u64, end: u64, inputs: &BTreeSet<&str>) -> Result<(), WireError> {
        self.wire.skip_to(start)?;
        while let Some(field) = self.wire.field(end)? {
            match field {
                Field { number: 5, value: Value::Until(end) } => {
                    while let Some(field) = self.wire.field(end)? {
                        match field {
                            Field { number: 8, value: Value::Until(end) } => {
                                let name = self.wire.text(end, LONGEST)?;
                                if inputs.contains(name.as_str()) {
                                    self.constants.insert(name);
                                }
                            }
                            other => skip(&mut self.wire, other)?,
                        }
                    }
                }
                other => skip(&mut self.wire, other)?,
            }
        }
        Ok(())
    }
}

fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

#[cfg(test)]
mod tests;
