//! As much of `wasi:cli`, `wasi:io` and `wasi:random/insecure-seed` as a standard library cannot start or panic without.
//!
//! Constant answers (no environment, no arguments, no terminal, one fixed hash seed), a standard error that is kept so that
//! the text of a panic reaches the report, and a trap that names the function for everything else.

use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType};

use crate::engine::Engine;
use crate::failure::Breach;
use crate::limits::Limits;
use crate::state::State;

/// Standard output or standard error; both are kept together.
enum OutputStream {}
/// An error of a stream, which no stream here ever has.
enum StreamFault {}
/// Something to wait for, always ready.
enum Pollable {}
/// Any other resource of `wasi:`, of which nothing is ever made.
enum Never {}

#[derive(ComponentType, Lower)]
#[component(variant)]
#[expect(dead_code, reason = "the type has to be whole, though no stream here ever fails")]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<StreamFault>),
    #[component(name = "closed")]
    Closed,
}

/// What a `HashMap` of the plugin is seeded with: always this.
const HASH_SEED: (u64, u64) = (0x6469_6666_7465_7374, 0x706c_7567_696e_2031);
/// Bytes that a stream offers to take at once.
const STREAM_ROOM: u64 = 4_096;

type Store<'a> = StoreContextMut<'a, State>;
type Output = Resource<OutputStream>;

/// Defines each function and resource of `wasi:` that `component` imports, under the version it imports.
pub(crate) fn add(linker: &mut Linker<State>, engine: &Engine, component: &Component) -> wasmtime::Result<()> {
    for (interface, item) in component.component_type().imports(engine.inner()) {
        let (Some(plain), ComponentItem::ComponentInstance(instance)) = (interface.strip_prefix("wasi:"), item.ty)
        else {
            continue;
        };
        let plain = plain.split('@').next().unwrap_or(plain);
        if plain.starts_with("nn/") {
            continue; // of the models, see `nn`
        }
        let mut at = linker.instance(interface)?;
        for (name, item) in instance.exports(engine.inner()) {
            match item.ty {
                ComponentItem::Resource(_) => at.resource(name, resource(name), |_, _| Ok(()))?,
                ComponentItem::ComponentFunc(_) => function(&mut at, plain, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn resource(name: &str) -> ResourceType {
    match name {
        "output-stream" => ResourceType::host::<OutputStream>(),
        "error" => ResourceType::host::<StreamFault>(),
        "pollable" => ResourceType::host::<Pollable>(),
        _ => ResourceType::host::<Never>(),
    }
}

fn function(at: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match (interface, name) {
        ("cli/stderr", "get-stderr") | ("cli/stdout", "get-stdout") => {
            at.func_wrap(name, |mut store: Store<'_>, ()| {
                store.data_mut().charge(0)?;
                Ok((Output::new_own(0),))
            })
        }
        ("cli/environment", "get-environment") => at.func_wrap(name, |mut store: Store<'_>, ()| {
            store.data_mut().charge(0)?;
            Ok((Vec::<(String, String)>::new(),))
        }),
        ("cli/environment", "get-arguments") => at.func_wrap(name, |mut store: Store<'_>, ()| {
            store.data_mut().charge(0)?;
            Ok((Vec::<String>::new(),))
        }),
        ("cli/terminal-stderr", "get-terminal-stderr") | ("cli/terminal-stdout", "get-terminal-stdout") => at
            .func_wrap(name, |mut store: Store<'_>, ()| {
                store.data_mut().charge(0)?;
                Ok((Option::<Resource<Never>>::None,))
            }),
        ("io/streams", "[method]output-stream.check-write") => {
            at.func_wrap(name, |mut store: Store<'_>, (_,): (Output,)| {
                store.data_mut().charge(0)?;
                Ok((Ok::<u64, StreamError>(STREAM_ROOM),))
            })
        }
        ("io/streams", "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush") => at
            .func_wrap(name, |mut store: Store<'_>, (_, bytes): (Output, Vec<u8>)| {
                let state = store.data_mut();
                state.charge(bytes.len() as u64 * Limits::BYTE_CREDITS)?;
                state.write_stderr(&bytes);
                Ok((Ok::<(), StreamError>(()),))
            }),
        ("io/streams", "[method]output-stream.flush" | "[method]output-stream.blocking-flush") => {
            at.func_wrap(name, |mut store: Store<'_>, (_,): (Output,)| {
                store.data_mut().charge(0)?;
                Ok((Ok::<(), StreamError>(()),))
            })
        }
        ("io/streams", "[method]output-stream.subscribe") => {
            at.func_wrap(name, |mut store: Store<'_>, (_,): (Output,)| {
                store.data_mut().charge(0)?;
                Ok((Resource::<Pollable>::new_own(0),))
            })
        }
        ("io/poll", "[method]pollable.block") => {
            at.func_wrap(name, |mut store: Store<'_>, (_,): (Resource<Pollable>,)| {
                store.data_mut().charge(0)?;
                Ok(())
            })
        }
        ("random/insecure-seed", "insecure-seed") => at.func_wrap(name, |mut store: Store<'_>, ()| {
            store.data_mut().charge(0)?;
            Ok((HASH_SEED,))
        }),
        _ => {
            let full = format!("wasi:{interface}#{name}");
            at.func_new(name, move |_, _, _, _| {
                let reason = "plugins get nothing of the system".to_owned();
                Err(Breach::Import { name: full.clone(), reason }.into())
            })
        }
    }
}
