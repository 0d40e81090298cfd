//! Which other files an ONNX file needs.

use std::collections::BTreeSet;

use prost::Message;

use super::proto::StringStringEntryProto;

/// `ModelProto`, as far as it tells of files; everything else is skipped over.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Weight>,
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
struct Weight {
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<StringStringEntryProto>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// The `location` of every initialiser that lies outside of `model`, each once, sorted.
///
/// # Errors
/// When the bytes are not an ONNX model.
pub(crate) fn external_files(model: &[u8]) -> Result<Vec<String>, String> {
    let model = Model::decode(model).map_err(|error| error.to_string())?;
    let Some(graph) = model.graph.filter(|_| model.ir_version > 0) else {
        return Err("it has no graph".to_owned());
    };
    let outside = graph.initializer.into_iter().filter(|weight| weight.data_location == EXTERNAL);
    let locations = outside.flat_map(|weight| weight.external_data).filter(|entry| entry.key == "location");
    Ok(locations.map(|entry| entry.value).collect::<BTreeSet<_>>().into_iter().collect())
}
