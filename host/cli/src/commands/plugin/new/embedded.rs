//! What new plugins carry, read into the program when it is built. Cargo knows every file here, so a change to the SDK is a
//! change to the program; a test compares the lists with the folders.

/// A path below the SDK's folder, and the text.
pub(super) type Embedded = (&'static str, &'static str);

macro_rules! below {
    ($folder:literal, $($file:literal),+ $(,)?) => {
        [$(($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), $folder, $file)))),+]
    };
}

/// The workspace's manifest, which the SDK's take from.
pub(super) const WORKSPACE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));

/// The workspace's lock file.
pub(super) const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));

/// Manifests of the Rust SDK, which need a change to stand alone.
pub(super) const SDK_MANIFESTS: [Embedded; 2] = below!["/../../sdk/rust/", "Cargo.toml", "macros/Cargo.toml"];

/// The rest of the Rust SDK, without its tests.
pub(super) const RUST_SDK: &[Embedded] = &below![
    "/../../sdk/rust/",
    "README.md",
    "macros/src/block.rs",
    "macros/src/config.rs",
    "macros/src/frame.rs",
    "macros/src/lib.rs",
    "macros/src/metric.rs",
    "macros/src/name.rs",
    "macros/src/options.rs",
    "macros/src/prompt.rs",
    "macros/src/subject.rs",
    "src/__private.rs",
    "src/bindings.rs",
    "src/color.rs",
    "src/doc/config.md",
    "src/doc/metrics.md",
    "src/doc/prompts.md",
    "src/double.rs",
    "src/error.rs",
    "src/image/host.rs",
    "src/image/memory.rs",
    "src/image/mod.rs",
    "src/image/set.rs",
    "src/lib.rs",
    "src/log.rs",
    "src/metric.rs",
    "src/models/embeddings.rs",
    "src/models/host.rs",
    "src/models/mod.rs",
    "src/models/testing.rs",
    "src/nn/half.rs",
    "src/nn/host.rs",
    "src/nn/mod.rs",
    "src/nn/tensor.rs",
    "src/nn/testing.rs",
    "src/prompt.rs",
    "src/random.rs",
    "wit/deps/wasi-nn/wasi-nn.wit",
    "wit/plugin.wit",
];

/// The Python SDK, without its tests.
pub(super) const PYTHON_SDK: &[Embedded] = &below![
    "/../../sdk/python/",
    "README.md",
    "difftest_sdk/__init__.py",
    "difftest_sdk/__main__.py",
    "difftest_sdk/_component.py",
    "difftest_sdk/_memory.py",
    "difftest_sdk/build.py",
    "difftest_sdk/color.py",
    "difftest_sdk/config.py",
    "difftest_sdk/declare.py",
    "difftest_sdk/errors.py",
    "difftest_sdk/image.py",
    "difftest_sdk/info.py",
    "difftest_sdk/log.py",
    "difftest_sdk/models.py",
    "difftest_sdk/plugin.py",
    "difftest_sdk/project.py",
    "difftest_sdk/prompt.py",
    "difftest_sdk/py.typed",
    "difftest_sdk/random.py",
    "difftest_sdk/score.py",
    "difftest_sdk/wit/deps/wasi-nn/wasi-nn.wit",
    "difftest_sdk/wit/plugin.wit",
];

/// The files of `folder` that are, or lie below, one of `tops`.
#[cfg(test)]
pub(super) fn files_below(folder: &std::path::Path, tops: &[&str]) -> std::collections::BTreeSet<std::path::PathBuf> {
    let mut open: Vec<_> = tops.iter().map(|top| folder.join(top)).collect();
    let mut found = std::collections::BTreeSet::new();
    while let Some(path) = open.pop() {
        if path.is_dir() && !path.ends_with("__pycache__") {
            open.extend(std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if path.is_file() {
            found.extend(path.strip_prefix(folder).map(std::path::Path::to_owned));
        }
    }
    found
}
