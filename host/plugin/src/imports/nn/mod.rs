//! `wasi:nn` 0.2.0-rc-2024-10-28 over the suite's models: graphs by name, tensors in and out.
//!
//! Only half of that interface is served. A graph comes from the suite, never from the plugin: bytes of a model would be a
//! program that the sandbox does not see. Whatever is wrong with a name, a shape or a type is an ordinary error that the plugin
//! may handle; only what goes beyond a limit ends the call.
//!
//! | module | serves |
//! |---|---|
//! | [`tensor`] | tensors: held for the plugin, paid for by the byte, checked when they are used |
//! | [`graph`] | graphs and runs of them |
//! | here | errors |
//!
//! The version is a release candidate, which matches itself alone; another one is another interface.

mod graph;
mod tensor;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use crate::bindings::errors::ErrorCode;
use crate::state::{HostObject, State};

#[expect(unreachable_pub, reason = "the generated bindings name them, and are public inside their private module")]
pub use self::graph::{HostContext, HostGraph};
#[expect(unreachable_pub, reason = "as above")]
pub use self::tensor::HostTensor;

/// The version that is served, as it stands in names of imports.
pub(crate) const VERSION: &str = "0.2.0-rc-2024-10-28";

/// Why something did not work, as a plugin may ask it.
#[expect(unreachable_pub, reason = "as above")]
pub struct HostError {
    code: ErrorCode,
    said: String,
}

impl HostObject for HostError {
    fn held(&self) -> usize {
        self.said.len()
    }
}

impl HostError {
    fn new(code: ErrorCode, said: impl Into<String>) -> Self {
        Self { code, said: said.into() }
    }

    /// Puts the error where the plugin can get a handle of it.
    fn give(self, state: &mut State) -> wasmtime::Result<Resource<Self>> {
        state.hold(self.held())?;
        Ok(state.insert(self)?)
    }
}

type Store<'a> = StoreContextMut<'a, State>;
/// An answer as the interface has it: an error is an object, too.
type Answer<T> = Result<T, Resource<HostError>>;

pub(crate) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    tensor::add(&mut linker.instance(&format!("wasi:nn/tensor@{VERSION}"))?)?;
    graph::add(linker)?;
    let mut errors = linker.instance(&format!("wasi:nn/errors@{VERSION}"))?;
    errors.resource("error", ResourceType::host::<HostError>(), |mut store, handle| {
        store.data_mut().remove::<HostError>(handle)
    })?;
    errors.func_wrap("[method]error.code", |mut store: Store<'_>, (error,): (Resource<HostError>,)| {
        let state = store.data_mut();
        state.charge(0)?;
        Ok((state.get(&error)?.code,))
    })?;
    errors.func_wrap("[method]error.data", |mut store: Store<'_>, (error,): (Resource<HostError>,)| {
        let state = store.data_mut();
        state.charge(0)?;
        Ok((state.get(&error)?.said.clone(),))
    })
}
