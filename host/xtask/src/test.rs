//! Every check and test: what CI runs.

use std::process::Command;

use crate::count::{self, Count};
use crate::python::{self, Tested};
use crate::step::{self, Failure, Steps};
use crate::tools;
use crate::workspace::Workspace;

/// The components that tests load: every crate of `plugins/`.
const PLUGINS: [&str; 9] = [
    "image-stats",
    "color-words",
    "ssim",
    "phash",
    "set-stats",
    "aesthetic",
    "prompt-matrix",
    "prompt-wildcards",
    "hostile",
];

/// What no machine without the thing itself can check.
const SKIPPED: [&str; 2] = [
    "skipped: execution on a GPU: this version computes on the CPU",
    "skipped: models from the public hub: the tests have a hub of their own on the loopback interface",
];

pub(crate) const HELP: &str = "\
Every check and test; this is what CI runs.

Usage: cargo xtask test [--quick]

Steps; the first that fails ends it, with the command that repeats it:
  1  tools: cargo, a Python package client, the Rust target wasm32-wasip2 (added through rustup),
     Debian's registry server, unpacked into target/tools where it is missing and apt-get can fetch it, and Chromium with its
     WebDriver, installed where this is root of such a system (screenshots of the HTML report go to target/screenshots)
  2  format: cargo fmt --all --check
  3  plugins: all of plugins/ are built to WebAssembly components, which tests load
  4  clippy over everything, warnings are errors
  5  documentation: every link in it leads somewhere
  6  tests are compiled, and the program with them
  7  ONNX Runtime: `difftest runtime install cpu` fetches the pinned library through the Python package client
  8  Python: plugins/borders is built by componentize-py, pinned in a virtual environment of target/python, and its tests and those
     of sdk/python are run; and the hub's Python client is put into target/hub-python, for tests that share a cache with it;
     skipped where there is no Python 3.10 or no registry
  9  cargo test --workspace: unit, SDK, plugin, golden, documentation and command-line tests

Options:
  --quick  Only format, clippy, and the unit tests beside the code of `core`, `metrics`, `store` and `report`: needs no plugin
           and no ONNX Runtime";

pub(crate) fn test(arguments: &[&str]) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    match arguments {
        [] => whole(&workspace),
        ["--quick"] => quick(&workspace),
        _ => Err(Failure::usage(format!("test takes no `{}`\n\n{HELP}", arguments.join(" ")))),
    }
}

/// Dependencies are compiled once for checking and once for running, all in the development profile, so build scripts and
/// procedural macros are shared by all steps.
fn whole(workspace: &Workspace) -> Result<(), Failure> {
    let mut steps = Steps::new(9);
    steps.run("tools", || {
        tools::prepare(workspace)?;
        tools::browser(workspace);
        tools::registry_server(workspace)
    })?;
    steps.run("format", || step::run(&mut format(workspace)))?;
    steps.run("plugins to WebAssembly components", || step::run(&mut workspace.build_plugins(&PLUGINS)))?;
    steps.run("clippy", || step::run(&mut clippy(workspace)))?;
    steps.run("documentation", || {
        let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
        step::run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
    })?;
    steps.run("compile the tests", || {
        step::run(&mut workspace.cargo(&["test", "--workspace", "--no-run", "--quiet"]))
    })?;
    steps.run("ONNX Runtime library", || {
        step::run(workspace.command(workspace.difftest()).args(["runtime", "install", "cpu"]))
    })?;
    let mut python_tests = Tested::default();
    steps.run("Python SDK and plugins", || {
        python_tests = match python::prepare(workspace) {
            Ok(python) => python::test(workspace, &python)?,
            Err(reason) => {
                eprintln!("skipped: the Python SDK and plugins: {reason}");
                Tested { passed: 0, skipped: 1 }
            }
        };
        if let Err(reason) = python::prepare_hub(workspace) {
            // the tests that need it say so too, each for itself
            eprintln!("skipped: the hub's Python client: {reason}");
        }
        Ok(())
    })?;
    for line in SKIPPED {
        eprintln!("{line}");
    }
    let mut count = Count::default();
    steps.run("tests", || {
        count = count::run(&mut workspace.cargo(&["test", "--workspace"]))?;
        Ok(())
    })?;
    eprintln!("\neverything passed in {:.0} s", steps.seconds());
    let skipped = count.skipped + python_tests.skipped + SKIPPED.len() as u64;
    println!("{} passed, {} failed, {skipped} skipped", count.passed + python_tests.passed, count.failed);
    Ok(())
}

fn quick(workspace: &Workspace) -> Result<(), Failure> {
    let mut steps = Steps::new(3);
    steps.run("format", || step::run(&mut format(workspace)))?;
    steps.run("clippy", || step::run(&mut clippy(workspace)))?;
    steps.run("unit tests of the pure crates", || {
        let pure = ["difftest-core", "difftest-metrics", "difftest-store", "difftest-report"];
        let mut command = workspace.cargo(&["test", "--lib"]);
        for package in pure {
            command.args(["-p", package]);
        }
        step::run(&mut command)
    })?;
    eprintln!("\nthe quick part passed in {:.0} s; `cargo xtask test` runs everything", steps.seconds());
    Ok(())
}

fn format(workspace: &Workspace) -> Command {
    workspace.cargo(&["fmt", "--all", "--check"])
}

fn clippy(workspace: &Workspace) -> Command {
    workspace.cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_plugins_is_built() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let crates = entries.filter(|path| path.join("Cargo.toml").is_file());
        let mut found: Vec<String> = crates.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        let mut built = PLUGINS.map(str::to_owned).to_vec();
        found.sort();
        built.sort();
        assert_eq!(built, found);
    }
}
