//! The sandbox: WebAssembly components that score images and write prompts, run as if each of them were an attacker.
//!
//! ```text
//! folders -> discovery -> outline -> policy -> cache | compile -> describe -> check config -> measure -> check score
//!            a file       parsed,    imports   own compiled       a fresh store for every call, within `Limits`
//!            by name      not run    by name   code, by digest
//! ```
//!
//! Nothing of a plugin runs before its bytes were parsed whole and each of its imports was found in the policy; nothing it
//! says is believed before it was checked. See `README.md` beside this crate for the trust boundary and the table of limits.
//!
//! | module | holds |
//! |---|---|
//! | [`limits`] | every limit with its default and the reason for it |
//! | [`registry`] | plugins by name: the one type other crates start from |
//! | [`prompts`] | a plugin's prompt generator, as the trait of `difftest-core` |
//! | [`discovery`] | which file a name means, without reading it |
//! | [`lock`] | `difftest.lock`: which plugins a project uses, by digest |
//! | [`examine`](mod@examine) | a component read and judged, without compiling it: to pin, publish, verify |
//! | [`outline`], [`policy`] | what a file is and imports, parsed; what of that is allowed |
//! | [`compile`] | machine code from a component, in a child process with limits |
//! | [`report`] | what `difftest plugin list` and `inspect` print |
//! | [`conformance`] | what `difftest plugin check`, `test` and `bench` do |
//! | [`error`] | why a plugin is not there, not loaded or not believed |
//! | [`log`] | where the lines that plugins log go |
//!
//! Inside: `engine` (wasmtime's settings), `cache` (compiled code), `state` (what one store holds), `imports` (the host side
//! of the contract), `calls` (the interfaces that a component exports), `call` (one call from a fresh store to a checked end),
//! `metric` (a plugin's metrics of every kind, as the traits of `difftest-core`), `describe` and `schema` (what a plugin says
//! of itself), `misfit` (what is wrong with a config, in words), `backtrace` (where a plugin stopped), `names` (what there is,
//! for an error about what there is not).

mod backtrace;
mod bindings;
mod cache;
mod call;
mod calls;
pub mod compile;
pub mod conformance;
mod describe;
pub mod discovery;
mod engine;
pub mod error;
pub mod examine;
mod failure;
mod imports;
pub mod limits;
pub mod lock;
pub mod log;
mod metric;
mod misfit;
mod names;
pub mod outline;
mod plugin;
pub mod policy;
pub mod prompts;
pub mod registry;
pub mod report;
mod schema;
mod state;
mod text;

pub use compile::Compiler;
pub use error::{LoadError, RegistryError};
pub use limits::Limits;
pub use prompts::PluginPrompts;
pub use registry::Registry;

/// The version of the contract this host speaks: `difftest:plugin@0.1.0`.
pub const WIT_VERSION: &str = "0.1.0";

/// The wasmtime line that fuel numbers belong to: they may be compared only where this is equal.
pub const WASMTIME_VERSION: &str = "48";
