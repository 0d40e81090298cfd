//! Finding and installing the ONNX Runtime library.
//!
//! difftest links no inference engine: it loads one shared library when a model is first needed. The library comes from the
//! Python package of ONNX Runtime, which is the one build that its makers publish for every platform; no Python runs with it.
//!
//! ```text
//! find:     ORT_DYLIB_PATH -> next to the binary -> data folder -> an installed `onnxruntime` Python package
//! install:  pins for provider and platform -> [ pip download -> SHA-256 -> unpack the libraries ] -> rename into the data folder
//! ```
//!
//! Invariants: nothing unverified is ever unpacked; a folder under its final name is complete; two installs at the same time end
//! with one result; a library that is known to be older than [`MINIMUM`] is never chosen. The version is read from names and
//! package metadata, because asking the library means running it; whoever loads it checks again.

mod error;
mod install;
pub mod nvidia;
mod package;
mod pins;
mod pip;
mod search;
#[cfg(test)]
mod tests;
mod unpack;
mod version;

use std::path::{Path, PathBuf};

pub use error::RuntimeError;
pub use install::{InstallStep, install, install_in};
pub use package::{InstallSize, PACKAGE_VERSION, Provider};
pub use search::{DYLIB_VARIABLE, RuntimeLibrary, Search, Source};
pub use version::{MINIMUM, Version};

/// The environment variable that moves difftest's data folder.
pub const DATA_DIR_VARIABLE: &str = "DIFFTEST_DATA_DIR";

/// The best library for any work on the CPU.
///
/// # Errors
/// See [`Search::find`].
pub fn find() -> Result<RuntimeLibrary, RuntimeError> {
    Search::of_this_process().find(Provider::Cpu)
}

/// The best library for that execution provider.
///
/// # Errors
/// See [`Search::find`].
pub fn find_for(provider: Provider) -> Result<RuntimeLibrary, RuntimeError> {
    Search::of_this_process().find(provider)
}

/// Every library that can be found, in the order [`find`] looks at them, too old ones included.
#[must_use]
pub fn list() -> Vec<RuntimeLibrary> {
    Search::of_this_process().list()
}

/// Where installed libraries live: `$DIFFTEST_DATA_DIR`, or the data folder that the platform gives to programs; `None` where
/// neither is known (no home folder).
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(DATA_DIR_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Some(folder.into());
    }
    directories::ProjectDirs::from("", "", "difftest").map(|folders| folders.data_local_dir().to_owned())
}

/// The folder of one installed provider under a data folder: `runtime/onnxruntime-1.31.1-cpu`.
fn provider_folder(data_folder: &Path, provider: Provider) -> PathBuf {
    runtimes_folder(data_folder).join(format!("onnxruntime-{PACKAGE_VERSION}-{provider}"))
}

/// Everything that [`install()`] makes lies below it.
fn runtimes_folder(data_folder: &Path) -> PathBuf {
    data_folder.join("runtime")
}
