//! A component file read and judged, but neither compiled nor run: enough to pin, publish and verify it, in milliseconds.

use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::metric::ReproducibilityClass;
use wasmparser::{Parser, Payload};

use crate::error::LoadCause;
use crate::limits::Limits;
use crate::{plugin, policy, text};

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
    /// What its author wrote into it for registries: `authors`, `description`, `licenses`, `source`, `homepage`, `revision`.
    pub metadata: Vec<(&'static str, String)>,
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
        metadata: metadata(&read.wasm),
        wasm: read.wasm,
        digest: read.digest,
        version: outline.version,
        class,
        imports: outline.imports,
        exports: outline.exports,
    })
}

/// The registry metadata of the outermost component: sections of these names, each one text.
fn metadata(wasm: &[u8]) -> Vec<(&'static str, String)> {
    const NAMES: [&str; 6] = ["authors", "description", "licenses", "source", "homepage", "revision"];
    let mut found: Vec<(&'static str, String)> = Vec::new();
    let mut depth = 0_u32;
    // the outline has walked the same bytes, so there is no error left to meet
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 1 => {
                let name = NAMES.into_iter().find(|name| *name == section.name());
                if let (Some(name), Ok(value)) = (name, std::str::from_utf8(section.data())) {
                    found.push((name, text::line(value, 500)));
                }
            }
            _ => {}
        }
    }
    found
}

impl Examined {
    /// The interfaces of the contract that it exports, sorted. Some languages leave others behind, which nobody calls.
    #[must_use]
    pub fn contract_exports(&self) -> Vec<String> {
        policy::contract_exports(&self.exports)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_the_outermost_component_s_own() {
        let text = r#"(component
            (core module (@custom "licenses" "GPL-3.0") (@custom "description" "of a library"))
            (@custom "licenses" "MIT") (@custom "homepage" "https://a.b/\1b[2J") (@custom "unknown" "x"))"#;
        let found = metadata(&wat::parse_str(text).unwrap());
        assert_eq!(found, [("licenses", "MIT".to_owned()), ("homepage", "https://a.b/\\u{1b}[2J".to_owned())]);
    }
}
