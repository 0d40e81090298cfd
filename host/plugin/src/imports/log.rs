//! `difftest:plugin/log`.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::bindings::log as wit;
use crate::limits::Limits;
use crate::log::Level;
use crate::state::State;

pub(crate) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut log = linker.instance("difftest:plugin/log@0.1.0")?;
    log.func_wrap("emit", |mut store: StoreContextMut<'_, State>, (level, message): (wit::Level, String)| {
        let state = store.data_mut();
        state.charge(message.len() as u64 * Limits::BYTE_CREDITS)?;
        let level = match level {
            wit::Level::Debug => Level::Debug,
            wit::Level::Info => Level::Info,
            wit::Level::Warn => Level::Warn,
        };
        state.log(level, &message);
        Ok(())
    })
}
