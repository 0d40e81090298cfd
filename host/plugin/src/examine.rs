//! A component file read and judged, but neither compiled nor run: enough to pin, publish and verify it, in milliseconds.

use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::metric::ReproducibilityClass;

use crate::error::LoadCause;
use crate::limits::Limits;
use crate::{plugin, policy};

/// A component that this host would run, as far as its outside tells.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The file, read once: whatever is done with the component is done with these bytes.
    pub wasm: Vec<u8>,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// The author's version, where the file has one.
    pub version: Option<String>,
    /// What its scores can depend on, by its imports.
    pub class: ReproducibilityClass,
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
}

/// Reads the file at `path` within `limits`, parses all of it and holds its imports against the policy.
///
/// # Errors
/// When it cannot be read, is no component, is too large or too complex, or imports what no plugin gets.
pub fn examine(path: &Path, limits: &Limits) -> Result<Examined, LoadCause> {
    let read = plugin::read(path, limits)?;
    let class = policy::judge(&read.outline, path)?.class;
    let outline = read.outline;
    Ok(Examined {
        wasm: read.wasm,
        digest: read.digest,
        version: outline.version,
        class,
        imports: outline.imports,
        exports: outline.exports,
    })
}

impl Examined {
    /// The interfaces of the contract that it exports, sorted. Some languages leave others behind, which nobody calls.
    #[must_use]
    pub fn contract_exports(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.exports.iter().filter(|name| name.starts_with("difftest:plugin/")).cloned().collect();
        names.sort();
        names
    }
}
