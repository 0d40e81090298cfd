//! The files of a new plugin in Rust.

use super::embedded::{LOCK, RUST_SDK, SDK_MANIFESTS, WORKSPACE};
use super::{Names, NewFile, of_kind, vendor};
use crate::args::plugin::Kind;
use crate::error::CliError;

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/rust/", $file))
    };
}

macro_rules! picture {
    ($file:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/images/", $file))
    };
}

/// Where the copy of the SDK lies.
const VENDOR: &str = "vendor/difftest-sdk";

const SOURCES: [&str; 4] =
    [template!("src/metric.rs"), template!("src/pair.rs"), template!("src/set.rs"), template!("src/prompts.rs")];
const CASES: [&str; 4] = [
    template!("tests/metric.toml"),
    template!("tests/pair.toml"),
    template!("tests/set.toml"),
    template!("tests/prompts.toml"),
];
/// They know nothing of a plugin's language.
pub(super) const SUITES: [&str; 4] = [
    template!("suites/metric.toml"),
    template!("suites/pair.toml"),
    template!("suites/set.toml"),
    template!("suites/prompts.toml"),
];

pub(super) fn files(names: &Names<'_>, kind: Kind) -> Result<Vec<NewFile>, CliError> {
    let texts = [
        ("Cargo.toml", template!("Cargo.toml")),
        (".cargo/config.toml", template!("cargo/config.toml")),
        (".gitignore", template!("gitignore")),
        ("README.md", template!("README.md")),
        ("src/lib.rs", of_kind(kind, SOURCES)),
        ("tests/golden.toml", of_kind(kind, CASES)),
        ("suite.toml", of_kind(kind, SUITES)),
    ];
    let mut files: Vec<NewFile> = texts.into_iter().map(|(path, text)| (path.into(), names.fill(text))).collect();
    files.extend(pictures(kind));
    files.extend(sdk()?);
    Ok(files)
}

/// The test images of a plugin that looks at images.
pub(super) fn pictures(kind: Kind) -> Vec<NewFile> {
    if kind == Kind::Prompts {
        return Vec::new();
    }
    let files: [(&str, &'static [u8]); 4] = [
        ("tests/picture.png", picture!("picture.png")),
        ("tests/changed.png", picture!("changed.png")),
        // what a suite of pairs goes by
        ("tests/images.jsonl", template!("suites/images.jsonl").as_bytes()),
        ("tests/references.jsonl", template!("suites/references.jsonl").as_bytes()),
    ];
    let wanted = if kind == Kind::Pair { &files[..] } else { &files[..2] };
    wanted.iter().map(|&(path, bytes)| (path.into(), bytes.into())).collect()
}

/// The SDK as a package of its own: manifests without a workspace around them, and the versions it was tested with.
fn sdk() -> Result<Vec<NewFile>, CliError> {
    let own = |error: vendor::Unsound| {
        CliError::new("internal", format!("this difftest carries a broken copy of its SDK: {error}"))
            .hint("please report this; an SDK from a clone of the repository can be used instead")
    };
    let mut files: Vec<NewFile> = Vec::new();
    for (path, text) in RUST_SDK {
        files.push((format!("{VENDOR}/{path}").into(), text.as_bytes().into()));
    }
    let mut used = Vec::new();
    for (path, text) in SDK_MANIFESTS {
        let manifest = vendor::manifest(text, WORKSPACE).map_err(own)?;
        used.extend(vendor::dependencies(&manifest));
        files.push((format!("{VENDOR}/{path}").into(), vendor::write(&manifest).into_bytes().into()));
    }
    files.push(("Cargo.lock".into(), vendor::lock(LOCK, &used).map_err(own)?.into_bytes().into()));
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::{Path, PathBuf};

    use super::*;
    use crate::commands::plugin::new::embedded::files_below;

    /// A file that is missing here would be missing from every new plugin.
    #[test]
    fn the_whole_sdk_is_embedded() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust");
        // its own tests stay at home
        let there = files_below(&base, &["README.md", "Cargo.toml", "src", "macros", "wit"]);
        let embedded = RUST_SDK.iter().chain(&SDK_MANIFESTS).map(|(path, _)| PathBuf::from(path)).collect();
        assert_eq!(there, embedded, "add the files to the list in embedded.rs, or take them out of it");
    }

    #[test]
    fn nothing_is_left_open() {
        let names = Names { name: "my-metric", module: "my_metric".into() };
        for kind in [Kind::Metric, Kind::Pair, Kind::Set, Kind::Prompts] {
            for (path, content) in files(&names, kind).unwrap() {
                let Ok(text) = std::str::from_utf8(&content) else { continue };
                assert!(!text.contains("{{name}}") && !text.contains("{{module}}"), "{}", path.display());
                assert!(!text.contains("workspace = true"), "{}", path.display());
            }
        }
    }
}
