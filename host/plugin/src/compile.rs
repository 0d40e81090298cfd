//! From the bytes of a component to machine code, within bounds.
//!
//! A compiler spends more than linear time and memory on some inputs, and components come from strangers. So difftest compiles in
//! a child process of its own program, which this module starts, feeds and ends:
//!
//! ```text
//! parent                                           child: `difftest __compile-plugin MEMORY CPU LENGTH`
//!   the bytes whose digest it holds  -- stdin -->    takes its limits, reads LENGTH bytes, checks them, compiles
//!   waits, at most so long           <- stdout --    the code, or why there is none
//!   keeps stdin open                                 ends when stdin ends: without its parent nobody needs it
//! ```
//!
//! The bytes go through a pipe, so a file that is replaced meanwhile changes nothing, and no file is left behind whoever is killed.
//!
//! # What is bounded
//! Real time, by the parent, everywhere. On Linux also memory ([`Limits::compile_memory`], as `RLIMIT_DATA`) and processor time,
//! and the child cannot open files or sockets any more once it sees the first byte. Other Unix systems are asked for the same and
//! may not hold to it; Windows bounds time alone.
//!
//! # What is trusted
//! The child runs wasmtime's validator and compiler on bytes from strangers, nothing of the plugin itself. Its answer is native
//! code, and the parent will run it: the sandbox of a plugin is what that compiler wrote. The child process bounds how much it
//! may spend; it is no second wall. Whoever finds a flaw that lets a component choose the machine code has left the sandbox,
//! with or without a child process; keeping wasmtime's security releases is the defence against that.

mod child;
mod parent;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::failure::bytes;
use crate::limits::Limits;
use crate::{outline, text};

pub use child::as_child;

/// The first argument of a child process.
const ARGUMENT: &str = "__compile-plugin";

/// How long a compilation must take before somebody is told that it is going on.
const NOTICE: Duration = Duration::from_millis(700);

/// Where plugins are compiled.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// In a child process of `program`, which must call [`as_child`] before anything else.
    Child {
        /// An executable file.
        program: PathBuf,
    },
    /// In this process, without a bound on memory or time: for components that are trusted not to exhaust the compiler.
    #[default]
    InProcess,
}

impl Compiler {
    /// In child processes of the program that is running, whose `main` must call [`as_child`] first.
    ///
    /// # Errors
    /// When the system does not tell where that program is.
    pub fn this_program() -> io::Result<Self> {
        // this very program, even after another version was installed over it
        let itself = PathBuf::from("/proc/self/exe");
        let program = if cfg!(target_os = "linux") && itself.exists() { itself } else { std::env::current_exe()? };
        Ok(Self::Child { program })
    }

    /// The code of `wasm` for `engine`, as wasmtime serialises it. `notice` is called once if it takes long; only a child process
    /// can be watched so.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        wasm: &[u8],
        limits: &Limits,
        notice: impl FnOnce(),
    ) -> Result<Vec<u8>, CompileError> {
        match self {
            Self::Child { program } => parent::compile(program, wasm, limits, notice),
            Self::InProcess => compile(engine.inner(), wasm).map_err(CompileError::Refused),
        }
    }
}

/// Why the compiler does not take a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The code inside is not valid.
    Malformed {
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// It ends early.
    Truncated {
        /// Where in the file.
        offset: u64,
    },
    /// wasmtime does not compile it.
    Unsupported {
        /// What wasmtime says.
        reason: String,
    },
}

/// Validates and compiles: the work itself, in whichever process.
fn compile(engine: &wasmtime::Engine, wasm: &[u8]) -> Result<Vec<u8>, Refusal> {
    outline::validate(wasm)?;
    let unsupported = |error: wasmtime::Error| Refusal::Unsupported { reason: text::line(&format!("{error:#}"), 300) };
    engine.precompile_component(wasm).map_err(unsupported)
}

/// Why there is no code.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum CompileError {
    #[error("{}", refused(.0))]
    Refused(Refusal),
    #[error("its compiler ran out of its {}", bytes(*limit))]
    Memory { limit: usize },
    #[error("compiling it took longer than {} s", limit.as_secs_f64())]
    Time { limit: Duration },
    #[error("its compiler crashed ({how})")]
    Crashed { how: String },
    #[error("its compiler did not start: {reason}")]
    NotStarted { reason: String },
    #[error("what its compiler wrote cannot be loaded: {reason}")]
    Unusable { reason: String },
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Malformed { offset, reason } => format!("{reason} (at byte {offset})"),
        Refusal::Truncated { offset } => format!("it ends in the middle, at byte {offset}"),
        Refusal::Unsupported { reason } => reason.clone(),
    }
}

impl CompileError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused(_) => return None,
            Self::Memory { .. } | Self::Time { .. } => {
                "honest plugins, Python ones too, need a small part of that: look for one very long function or for generated \
                 code, split it, and build with optimisation"
            }
            Self::Crashed { .. } => {
                "its author should see whether `wasmtime compile` fails on it too; if so, that is a bug of wasmtime"
            }
            Self::NotStarted { .. } | Self::Unusable { .. } => {
                "try again; if it stays so, install difftest anew: the program may have been replaced while it ran"
            }
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_told_with_their_size() {
        let memory = CompileError::Memory { limit: 512 << 20 };
        assert_eq!(memory.to_string(), "its compiler ran out of its 512 MiB");
        assert_eq!(
            CompileError::Time { limit: Duration::from_millis(1_500) }.to_string(),
            "compiling it took longer than 1.5 s"
        );
        assert!(memory.hint().unwrap().contains("very long function"));
    }

    #[test]
    fn in_process_and_out_of_it_the_work_is_the_same() {
        let engine = Engine::new().unwrap();
        let wasm = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
        let code = Compiler::InProcess.compile(&engine, &wasm, &Limits::default(), || ()).unwrap();
        assert_eq!(code, compile(engine.inner(), &wasm).unwrap(), "compiling is deterministic");
        let broken = wat::parse_str("(component (core module (func (result i32))))").unwrap();
        let error = Compiler::InProcess.compile(&engine, &broken, &Limits::default(), || ()).unwrap_err();
        assert!(error.to_string().contains("type mismatch"), "{error}");
        assert!(error.hint().is_none());
    }
}
