//! The host side of the contract: everything a plugin can reach.
//!
//! | module | serves | charges |
//! |---|---|---|
//! | [`media`], [`set`] | pixels, sets of images | credits by bytes and pixels, room for what it makes or reads |
//! | [`embeddings`] | texts and images through a declared model | a fixed price for each, room for what is under way |
//! | [`nn`] | tensors through a declared model | a fixed price for each run, credits and room by bytes |
//! | [`log`] | lines | credits; keeps a few |
//! | [`wasi`] | what a standard library cannot start without | credits; keeps a little |
//!
//! Whatever is not served here is not in the linker at all. To serve one more interface: a file here, a line in `link`, a
//! line in `policy::verdict`, and an attack on it in `plugins/hostile`.

pub(crate) mod embeddings;
pub(crate) mod log;
pub(crate) mod media;
mod models;
pub(crate) mod nn;
pub(crate) mod set;
pub(crate) mod wasi;

use wasmtime::component::{Component, Linker};

use crate::engine::Engine;
use crate::state::State;

/// A linker that serves what `component` imports. The policy has already refused whatever is not served.
pub(crate) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine.inner());
    linker.instance("difftest:plugin/types@0.1.0")?;
    media::add(&mut linker)?;
    log::add(&mut linker)?;
    embeddings::add(&mut linker)?;
    nn::add(&mut linker)?;
    wasi::add(&mut linker, engine, component)?;
    Ok(linker)
}
