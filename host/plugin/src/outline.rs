//! What a component file is, read from its sections without compiling or running anything.

use std::path::Path;

use serde::Serialize;
use wasmparser::{Encoding, Parser, Payload};

use crate::compile::Refusal;
use crate::error::LoadCause;
use crate::limits::Limits;
use crate::text;

/// The outside of a component, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// Names of imports, such as `difftest:plugin/media@0.1.0`.
    pub imports: Vec<String>,
    /// Names of exports.
    pub exports: Vec<String>,
    /// The author's version of the plugin, where the metadata has one.
    pub version: Option<String>,
    /// Tools that made it, such as `Rust 1.95.0`.
    pub made_with: Vec<String>,
    /// Core modules inside.
    pub modules: u32,
    /// Functions with code, all modules together.
    pub functions: u32,
    /// Bytes of debug information, all modules together.
    pub debug_bytes: u64,
    /// Where in the file the names of its sections begin.
    #[serde(skip)]
    pub(crate) debug_names: Vec<usize>,
}

impl Outline {
    /// Makes the debug information of `wasm`, whose outline this is, unknown to whoever reads it: every `.debug_` becomes `.xebug_`.
    pub(crate) fn hide_debug_information(&self, wasm: &mut [u8]) {
        for name in &self.debug_names {
            wasm[name + 1] = b'x';
        }
    }
}

/// Reads the outline of the whole file: every section of every nested module is walked, so whatever is cut off or garbled is
/// found here.
///
/// # Errors
/// When `bytes` are not a component or are more complex than `limits` allow. `path` is for the message.
pub fn read(bytes: &[u8], path: &Path, limits: &Limits) -> Result<Outline, LoadCause> {
    if bytes.len() < 8 && b"\0asm".starts_with(&bytes[..bytes.len().min(4)]) {
        return Err(LoadCause::Truncated { path: path.to_owned(), offset: bytes.len() as u64 });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadCause::NotWasm { path: path.to_owned() });
    }
    let mut outline = Outline::default();
    // nesting of modules and components: only the outermost one's imports and exports are the plugin's
    let mut depth = 0_u32;
    let fail = |error: wasmparser::BinaryReaderError| malformed(&error, bytes.len(), path);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(fail)? {
            Payload::Version { encoding, .. } => {
                depth += 1;
                match encoding {
                    Encoding::Module if depth == 1 => return Err(LoadCause::CoreModule { path: path.to_owned() }),
                    Encoding::Module => outline.modules += 1,
                    Encoding::Component => {}
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    outline.imports.push(text::line(import.map_err(fail)?.name.0, 200));
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    outline.exports.push(text::line(export.map_err(fail)?.name.0, 200));
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                outline.functions = outline.functions.saturating_add(count);
                at_most("functions", outline.functions.into(), limits.functions.into(), path)?;
            }
            Payload::CodeSectionEntry(body) => {
                at_most("bytes in one function", body.as_bytes().len() as u64, limits.function_bytes, path)?;
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                outline.debug_bytes += section.data().len() as u64;
                // the name stands in front of the data
                outline.debug_names.push(section.data_offset() - section.name().len());
            }
            Payload::CustomSection(section) => custom(&mut outline, section.name(), section.data(), depth),
            _ => {}
        }
    }
    Ok(outline)
}

/// Checks everything inside, function bodies too, as a compiler would. Slower than [`read`], so only done before compiling.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn validate(bytes: &[u8]) -> Result<(), Refusal> {
    let mut features = wasmparser::WasmFeatures::default();
    features.remove(wasmparser::WasmFeatures::RELAXED_SIMD | wasmparser::WasmFeatures::MEMORY64);
    match wasmparser::Validator::new_with_features(features).validate_all(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(refusal(&error, bytes.len())),
    }
}

fn at_most(what: &'static str, found: u64, limit: u64, path: &Path) -> Result<(), LoadCause> {
    if found > limit { Err(LoadCause::TooComplex { path: path.to_owned(), what, found, limit }) } else { Ok(()) }
}

fn malformed(error: &wasmparser::BinaryReaderError, bytes: usize, path: &Path) -> LoadCause {
    LoadCause::refused(path, refusal(error, bytes))
}

fn refusal(error: &wasmparser::BinaryReaderError, bytes: usize) -> Refusal {
    let offset = error.offset() as u64;
    // the parser says "unexpected end" where it ran out of bytes, and where a section is shorter than it claims inside the file
    if error.message().contains("unexpected end") {
        return Refusal::Truncated { offset: offset.min(bytes as u64) };
    }
    Refusal::Malformed { offset, reason: text::line(error.message(), 300) }
}

/// Metadata: `version` of the component itself, or the package that SDKs name in a module inside (`name version` in lines of which
/// the first counts), and the `producers` of whatever is inside.
fn custom(outline: &mut Outline, name: &str, data: &[u8], depth: u32) {
    match name {
        "version" if depth == 1 => {
            outline.version = std::str::from_utf8(data).ok().map(|version| text::line(version, 64));
        }
        "difftest:package" if outline.version.is_none() => {
            let line = std::str::from_utf8(data).ok().and_then(|text| text.lines().next());
            let version = line.and_then(|line| line.split_whitespace().nth(1));
            outline.version = version.map(|version| text::line(version, 64));
        }
        "producers" => {
            let reader = wasmparser::BinaryReader::new(data, 0);
            let Ok(fields) = wasmparser::ProducersSectionReader::new(reader) else { return };
            for field in fields.into_iter().flatten().filter(|field| matches!(field.name, "language" | "processed-by"))
            {
                for value in field.values.into_iter().flatten() {
                    let tool = text::line(format!("{} {}", value.name, value.version).trim(), 80);
                    if !outline.made_with.contains(&tool) && outline.made_with.len() < 16 {
                        outline.made_with.push(tool);
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn version(inside: &str) -> Option<String> {
        let bytes = wat::parse_str(format!("(component {inside})")).unwrap();
        read(&bytes, Path::new("p.wasm"), &Limits::default()).unwrap().version
    }

    #[test]
    fn the_version_is_the_package_that_the_sdk_named() {
        let module = |text: &str| format!("(core module (@custom \"difftest:package\" \"{text}\"))");
        assert_eq!(version(&module("mine 1.2.3\\nmine 1.2.4\\n")).as_deref(), Some("1.2.3"));
        assert_eq!(version(&(module("mine 1.2.3\\n") + &module("other 9.0.0\\n"))).as_deref(), Some("1.2.3"));
        assert_eq!(version(&module("mine \\1b[31m\\n")).as_deref(), Some("\\u{1b}[31m"));
        for nonsense in ["", "mine", "\\ff\\fe 1"] {
            assert_eq!(version(&module(nonsense)), None, "{nonsense}");
        }
        assert_eq!(version(&(module("mine 1.2.3\\n") + "(@custom \"version\" \"2.0.0\")")).as_deref(), Some("2.0.0"));
    }
}
