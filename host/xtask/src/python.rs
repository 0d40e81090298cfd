//! The Python SDK and the plugins written with it: a virtual environment with the pinned build tool, their tests, their components.
//! And one with the Python client of the Hugging Face hub, which the tests of `difftest-hub` share a cache with.
//!
//! Without Python 3.10, or without a way to install the tool, there is nothing to run: that is a reason to skip, not a failure.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::{self, Failure};
use crate::workspace::Workspace;

/// Folders of plugins in Python.
const PLUGINS: [&str; 1] = ["plugins/borders"];

/// How many tests ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tested {
    pub(crate) passed: u64,
    pub(crate) skipped: u64,
}

/// A Python with what `python -m difftest_sdk build` needs, in `target/python`; or why there is none.
pub(crate) fn prepare(workspace: &Workspace) -> Result<PathBuf, String> {
    let tool = "componentize-py";
    environment(workspace, "python", "sdk/python/requirements-build.txt", &["--require-hashes"], tool)
}

/// A Python with the hub's client, in `target/hub-python`; or why there is none.
pub(crate) fn prepare_hub(workspace: &Workspace) -> Result<PathBuf, String> {
    environment(workspace, "hub-python", "host/hub/tests/requirements.txt", &[], "huggingface_hub")
}

/// The virtual environment `name` of the target folder with `requirements` in it, which are `tool` and what it needs.
fn environment(
    workspace: &Workspace,
    name: &str,
    requirements: &str,
    options: &[&str],
    tool: &str,
) -> Result<PathBuf, String> {
    let venv = workspace.target.join(name);
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let requirements = workspace.root.join(requirements);
    let wanted = fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    // written last: a half-made environment has none
    let stamp = venv.join("requirements.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let system = system_python(workspace).ok_or("there is no Python 3.10 or later on the path")?;
    let mut make = workspace.command(system[0]);
    step::run(make.args(&system[1..]).args(["-m", "venv", "--clear"]).arg(&venv))
        .map_err(|_| "Python cannot make virtual environments (on Debian: apt install python3-venv)")?;
    let mut pip = workspace.command(&python);
    // a registry that does not answer is given up on soon
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "20"]);
    step::run(pip.args(["--only-binary", ":all:"]).args(options).arg("-r").arg(&requirements))
        .map_err(|_| format!("pip cannot install {tool}: no registry answers, or it has none for this system"))?;
    fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(python)
}

/// The first Python that is new enough.
fn system_python(workspace: &Workspace) -> Option<&'static [&'static str]> {
    const PYTHONS: [&[&str]; 3] = [&["python3"], &["python"], &["py", "-3"]];
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 10))";
    PYTHONS
        .into_iter()
        .find(|words| step::succeeds(workspace.command(words[0]).args(&words[1..]).args(["-c", new_enough])))
}

/// Builds the plugins in Python, then runs their tests and those of the SDK, which build components and score with them.
pub(crate) fn test(workspace: &Workspace, python: &Path) -> Result<Tested, Failure> {
    let sdk = workspace.root.join("sdk/python");
    for plugin in PLUGINS {
        let mut build = workspace.command(python);
        build.args(["-m", "difftest_sdk", "build"]).env("PYTHONPATH", &sdk);
        step::run(build.current_dir(workspace.root.join(plugin)))?;
    }
    let mut tested = Tested::default();
    for (folder, start) in PLUGINS.map(|plugin| (plugin, "tests")).into_iter().chain([("sdk/python", ".")]) {
        let mut command = workspace.command(python);
        command.args(["-m", "unittest", "discover", "-s", start]).current_dir(workspace.root.join(folder));
        command.env("PYTHONPATH", &sdk).env("PYTHONDONTWRITEBYTECODE", "1").env("DIFFTEST", workspace.difftest());
        let (ended, said) = step::said(&mut command)?;
        eprint!("{said}");
        ended?;
        let ran = count(&said).ok_or_else(|| Failure::new(format!("no test was run in {folder}")))?;
        tested.passed += ran.passed;
        tested.skipped += ran.skipped;
    }
    Ok(tested)
}

/// Reads `Ran 12 tests in 0.1s` and `OK (skipped=2)`.
fn count(said: &str) -> Option<Tested> {
    let first_number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse::<u64>().ok());
    let ran = said.lines().rev().find_map(|line| first_number(line.strip_prefix("Ran ")?)).filter(|ran| *ran > 0)?;
    let skipped = said.lines().rev().find_map(|line| first_number(line.split_once("skipped=")?.1)).unwrap_or(0);
    Some(Tested { passed: ran.saturating_sub(skipped), skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_are_counted() {
        let said = "..s\n-----\nRan 12 tests in 0.123s\n\nOK (skipped=2)\n";
        assert_eq!(count(said), Some(Tested { passed: 10, skipped: 2 }));
        assert_eq!(count("Ran 1 test in 0.0s\n\nOK\n"), Some(Tested { passed: 1, skipped: 0 }));
        assert_eq!(count("Ran 0 tests in 0.000s\n\nNO TESTS RAN\n"), None);
        assert_eq!(count("Traceback\n"), None);
    }
}
