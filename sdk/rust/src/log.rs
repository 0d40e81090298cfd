//! Messages to the person who runs the suite. The host caps them, escapes control characters, and names the plugin and case.
//!
//! On targets other than WebAssembly they go to stderr.

use std::fmt::Display;

/// For the author of the plugin; hidden unless asked for.
pub fn debug(message: impl Display) {
    emit(Level::Debug, &message.to_string());
}

/// Worth knowing.
pub fn info(message: impl Display) {
    emit(Level::Info, &message.to_string());
}

/// Worth acting on. What must not pass unseen is an [`Error`](crate::Error) instead.
pub fn warn(message: impl Display) {
    emit(Level::Warn, &message.to_string());
}

#[derive(Debug)]
enum Level {
    Debug,
    Info,
    Warn,
}

#[cfg(target_family = "wasm")]
fn emit(level: Level, message: &str) {
    use crate::bindings::host::difftest::plugin::log;
    let level = match level {
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
    };
    log::emit(level, message);
}

#[cfg(not(target_family = "wasm"))]
#[expect(clippy::print_stderr, reason = "the test harness captures what eprintln prints, and nothing else")]
fn emit(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
