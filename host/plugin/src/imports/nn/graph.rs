//! Graphs by name, and runs of them.

use std::collections::HashSet;
use std::sync::Arc;

use difftest_core::model::{Graph, ModelError};
use wasmtime::component::{Linker, Resource, ResourceType};

use super::tensor::{self, HostTensor};
use super::{Answer, HostError, Store, VERSION};
use crate::bindings::errors::ErrorCode;
use crate::bindings::graph::{ExecutionTarget, GraphEncoding};
use crate::imports::models;
use crate::limits::Limits;
use crate::state::{HostObject, State};
use crate::text;

/// Tensors that one run may take.
const MAX_INPUTS: usize = 64;

/// A declared model that a plugin may hold a handle of.
#[expect(unreachable_pub, reason = "the generated bindings name it, and are public inside their private module")]
pub struct HostGraph {
    name: String,
    graph: Arc<dyn Graph>,
}

/// The same, ready to run; nothing is kept between two runs.
#[expect(unreachable_pub, reason = "as above")]
pub struct HostContext {
    name: String,
    graph: Arc<dyn Graph>,
}

/// Models are the host's, whoever holds a handle.
impl HostObject for HostGraph {}
impl HostObject for HostContext {}

type Named = (String, Resource<HostTensor>);

pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut inference = linker.instance(&format!("wasi:nn/inference@{VERSION}"))?;
    inference.resource("graph-execution-context", ResourceType::host::<HostContext>(), |mut store, handle| {
        store.data_mut().remove::<HostContext>(handle)
    })?;
    inference.func_wrap(
        "[method]graph-execution-context.compute",
        |mut store: Store<'_>, (context, inputs): (Resource<HostContext>, Vec<Named>)| {
            Ok((compute(store.data_mut(), &context, inputs)?,))
        },
    )?;
    let mut graph = linker.instance(&format!("wasi:nn/graph@{VERSION}"))?;
    graph.resource("graph", ResourceType::host::<HostGraph>(), |mut store, handle| {
        store.data_mut().remove::<HostGraph>(handle)
    })?;
    graph.func_wrap(
        "[method]graph.init-execution-context",
        |mut store: Store<'_>, (graph,): (Resource<HostGraph>,)| {
            let state = store.data_mut();
            state.charge(0)?;
            let HostGraph { name, graph } = state.get(&graph)?;
            let context = HostContext { name: name.clone(), graph: graph.clone() };
            Ok((Answer::Ok(state.insert(context)?),))
        },
    )?;
    graph.func_wrap(
        "load",
        |mut store: Store<'_>, (bytes, _, _): (Vec<Vec<u8>>, GraphEncoding, ExecutionTarget)| {
            let state = store.data_mut();
            state.charge(bytes.iter().map(Vec::len).sum::<usize>() as u64 * Limits::BYTE_CREDITS)?;
            let said = "plugins bring no models of their own; declare it in the suite under `[models]` and use \
                        `load-by-name`";
            let error = HostError::new(ErrorCode::Security, said).give(state)?;
            Ok((Answer::<Resource<HostGraph>>::Err(error),))
        },
    )?;
    graph.func_wrap("load-by-name", |mut store: Store<'_>, (name,): (String,)| {
        let state = store.data_mut();
        state.charge(0)?;
        let answer = match open(state, name) {
            Ok(graph) => Ok(state.insert(graph)?),
            Err(error) => Err(error.give(state)?),
        };
        Ok((answer,))
    })
}

fn open(state: &mut State, name: String) -> Result<HostGraph, HostError> {
    let models = models::declared(state, &name).map_err(|said| HostError::new(ErrorCode::NotFound, said))?;
    let graph = state.aside(|| models.graph(&name)).map_err(failed)?;
    Ok(HostGraph { name, graph })
}

/// One run. The inputs are the host's from now on, whatever comes of it; the outputs are the plugin's.
fn compute(
    state: &mut State,
    context: &Resource<HostContext>,
    inputs: Vec<Named>,
) -> wasmtime::Result<Answer<Vec<Named>>> {
    let HostContext { name: model, graph } = state.get(context)?;
    let (model, graph) = (model.clone(), graph.clone());
    let inputs: Vec<_> =
        inputs.into_iter().map(|(name, tensor)| Ok((name, state.take(tensor)?))).collect::<wasmtime::Result<_>>()?;
    let bytes: usize = inputs.iter().map(|(_, tensor)| tensor.held()).sum();
    state.charge(Limits::COMPUTE_CREDITS.saturating_add(bytes as u64 * Limits::BYTE_CREDITS))?;
    let inputs = match believe(inputs) {
        Ok(inputs) => inputs,
        Err(said) => return Ok(Err(HostError::new(ErrorCode::InvalidArgument, said).give(state)?)),
    };
    let outputs = match state.aside(|| graph.compute(inputs)) {
        Ok(outputs) => outputs,
        Err(error) => return Ok(Err(failed(error).give(state)?)),
    };
    if let Some((name, what)) = outputs.iter().find_map(|(name, tensor)| Some((name, tensor::sound(tensor).err()?))) {
        let said = format!("the output `{}` of the model `{model}` {what}", text::line(name, 100));
        return Ok(Err(HostError::new(ErrorCode::RuntimeError, said).give(state)?));
    }
    let mut given = Vec::with_capacity(outputs.len());
    for (name, tensor) in outputs {
        state.charge(tensor::bytes(&tensor) as u64 * Limits::BYTE_CREDITS)?;
        given.push((name, HostTensor::give(tensor, state)?));
    }
    Ok(Ok(given))
}

/// The inputs as a graph may see them, or what is wrong with the first that it may not.
fn believe(inputs: Vec<(String, HostTensor)>) -> Result<Vec<(String, difftest_core::model::Tensor)>, String> {
    if inputs.len() > MAX_INPUTS {
        return Err(format!("{} inputs were given, {MAX_INPUTS} is the most", inputs.len()));
    }
    let mut seen = HashSet::new();
    if let Some((twice, _)) = inputs.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        return Err(format!("the input `{}` is given twice", text::line(twice, 100)));
    }
    let check = |(name, tensor): (String, HostTensor)| match tensor.believe() {
        Ok(tensor) => Ok((name, tensor)),
        Err(what) => Err(format!("the input `{}` {what}", text::line(&name, 100))),
    };
    inputs.into_iter().map(check).collect()
}

fn failed(error: ModelError) -> HostError {
    let code = match error {
        ModelError::NotFound(_) => ErrorCode::NotFound,
        ModelError::Input(_) => ErrorCode::InvalidArgument,
        ModelError::Failed(_) => ErrorCode::RuntimeError,
    };
    HostError::new(code, text::line(&error.to_string(), 1_000))
}
