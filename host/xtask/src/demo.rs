//! From a clone to a result.

use crate::step::{self, Failure, Steps};
use crate::tools;
use crate::workspace::Workspace;

/// The components that the quickstart suite needs.
const PLUGINS: [&str; 3] = ["image-stats", "color-words", "prompt-matrix"];

pub(crate) const HELP: &str = "\
From a clone to a result: images from a small diffusion model that ships with difftest, scored and judged.

Usage: cargo xtask demo

Steps, each of them skipped or finished at once where nothing has changed:
  1  tools: cargo, a Python package client, the Rust target wasm32-wasip2 (added through rustup)
  2  plugins: plugins/image-stats, color-words and prompt-matrix are built to WebAssembly components
  3  difftest: the program is built into target/debug (its dependencies are optimised in this profile)
  4  ONNX Runtime: `difftest runtime install cpu` fetches the pinned library through the Python package client
  5  run: `difftest run suites/quickstart.toml --plugins plugins --no-locked --output target/results.json`

The first time takes some minutes of compiling. The exit code is that of the run: 0 all tests passed, 1 a test failed,
2 an error.";

pub(crate) fn demo(arguments: &[&str]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(Failure::usage(format!("demo takes no `{unknown}`\n\n{HELP}")));
    }
    let workspace = Workspace::find()?;
    let mut steps = Steps::new(5);
    steps.run("tools", || tools::prepare(&workspace))?;
    steps.run("plugins to WebAssembly components", || step::run(&mut workspace.build_plugins(&PLUGINS)))?;
    steps.run("difftest (the first time: some minutes)", || {
        step::run(&mut workspace.cargo(&["build", "-p", "difftest"]))
    })?;
    steps.run("ONNX Runtime library", || {
        step::run(workspace.command(workspace.difftest()).args(["runtime", "install", "cpu"]))
    })?;
    let results = workspace.target.join("results.json");
    steps.run("run suites/quickstart.toml", || {
        let mut run = workspace.command(workspace.difftest());
        // the components were built a moment ago, and are other files on every machine: there is nothing to hold them against
        run.args(["run", "suites/quickstart.toml", "--plugins", "plugins", "--no-locked", "--output"]);
        step::run(run.arg(&results))
    })?;
    eprintln!("\nall scores: {}", results.display());
    Ok(())
}
