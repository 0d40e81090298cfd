//! `difftest plugin build`: sources to a component, with the tools of their language, which are named where they are missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::check;
use super::locate::locate;
use crate::args::Format;
use crate::args::plugin::{BuildArgs, WhichPlugin};
use crate::error::{CliError, Exit};
use crate::ui::Ui;

const TARGET: &str = "wasm32-wasip2";
/// The version that the Python SDK is tested with.
const COMPONENTIZE: &str = "componentize-py==0.25.1";

pub(crate) fn build(args: &BuildArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let folder = &args.path;
    let wasm = match (folder.join("Cargo.toml").is_file(), folder.join("pyproject.toml").is_file()) {
        (true, _) => rust(folder, ui)?,
        (false, true) => python(folder, ui)?,
        (false, false) => {
            let message = format!("{} has neither a Cargo.toml nor a pyproject.toml", folder.display());
            return Err(CliError::new("not-found", message)
                .hint("name the folder of a plugin's sources; `difftest plugin new` writes one"));
        }
    };
    let bytes = std::fs::metadata(&wasm)
        .map_err(|error| CliError::new("build", format!("{} was built and is not there: {error}", wasm.display())))?
        .len();
    ui.note(&format!("built {} ({} kB)", shown(&wasm).display(), bytes.div_ceil(1000)));
    let which = WhichPlugin { plugin: wasm.display().to_string(), plugins: Vec::new() };
    check::report(&locate(&which)?, Format::Human, ui)
}

/// Builds the crate in `folder`; answers its component.
fn rust(folder: &Path, ui: &mut Ui) -> Result<PathBuf, CliError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let missing = |error: std::io::Error| {
        CliError::new("toolchain", format!("cargo cannot be started: {error}"))
            .hint("install Rust with https://rustup.rs, then: rustup target add wasm32-wasip2")
    };
    ui.note(&format!("cargo build --release --target {TARGET}  (in {})", folder.display()));
    let output = Command::new(&cargo)
        .current_dir(folder)
        .args(["build", "--release", "--lib", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(missing)?;
    if !output.status.success() {
        if !has_target() {
            return Err(CliError::new("toolchain", format!("the target {TARGET} is not installed"))
                .hint(format!("rustup target add {TARGET}")));
        }
        return Err(CliError::new("build", format!("cargo could not build {}", folder.display()))
            .hint("see what cargo said above"));
    }
    // One JSON object on each line; the last component is the package's own, after those of dependencies.
    let messages = String::from_utf8_lossy(&output.stdout);
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut components = artifacts.filter(|message| message["reason"] == "compiler-artifact").filter_map(|message| {
        let mut files = message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from);
        files.rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"))
    });
    components.next_back().ok_or_else(|| {
        CliError::new("build", format!("{} makes no component", folder.join("Cargo.toml").display()))
            .hint("it needs:  [lib]  crate-type = [\"cdylib\"]")
    })
}

/// Whether the standard library for components is there.
fn has_target() -> bool {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Builds the project in `folder`; answers its component.
fn python(folder: &Path, ui: &mut Ui) -> Result<PathBuf, CliError> {
    let python = interpreter(folder);
    ui.note(&format!("{} -m difftest_sdk build  (in {})", python.display(), folder.display()));
    let missing = |error: std::io::Error| {
        CliError::new("toolchain", format!("Python cannot be started as {}: {error}", python.display()))
            .hint("install Python 3.10 or newer, or activate a virtual environment that has it")
    };
    let paths = import_paths(folder);
    let start = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.current_dir(folder).args(arguments).stdout(Stdio::null());
        if let Some(paths) = &paths {
            command.env("PYTHONPATH", paths);
        }
        command.status()
    };
    if !start(&["-m", "difftest_sdk", "build"]).map_err(missing)?.success() {
        let has = |module: &str| {
            let script = format!("import importlib.util, sys; sys.exit(importlib.util.find_spec({module:?}) is None)");
            start(&["-c", &script]).is_ok_and(|status| status.success())
        };
        let hint = if !has("difftest_sdk") {
            "the SDK is not there: `difftest plugin new` writes it into vendor/; or put sdk/python of difftest's repository on \
             PYTHONPATH"
                .to_owned()
        } else if !has("componentize_py") {
            format!("{} -m pip install {COMPONENTIZE}", python.display())
        } else {
            "see what Python said above".to_owned()
        };
        return Err(CliError::new("build", format!("{} could not be built", folder.display())).hint(hint));
    }
    let which = WhichPlugin { plugin: folder.display().to_string(), plugins: Vec::new() };
    Ok(locate(&which)?.wasm)
}

/// `PYTHONPATH` with the copy of the SDK that `plugin new` wrote, where there is one; what is there already comes after it.
fn import_paths(folder: &Path) -> Option<OsString> {
    let vendor = folder.join("vendor");
    if !vendor.join("difftest_sdk").is_dir() {
        return None;
    }
    // absolute, because Python is started in another folder
    let vendor = std::path::absolute(&vendor).unwrap_or(vendor);
    let before = std::env::var_os("PYTHONPATH").unwrap_or_default();
    let before = std::env::split_paths(&before).filter(|path| path != Path::new(""));
    std::env::join_paths(std::iter::once(vendor).chain(before)).ok()
}

/// The Python of the active virtual environment, of the project's own `.venv`, or `python3`.
fn interpreter(folder: &Path) -> PathBuf {
    let (inside, default) = if cfg!(windows) { ("Scripts/python.exe", "python") } else { ("bin/python", "python3") };
    let active = std::env::var_os("VIRTUAL_ENV").filter(|active| !active.is_empty()).map(PathBuf::from);
    let environments = active.into_iter().chain([folder.join(".venv")]);
    let mut found = environments.map(|environment| environment.join(inside)).filter(|python| python.is_file());
    // absolute, because it is started in another folder
    found.next().and_then(|python| std::path::absolute(python).ok()).unwrap_or_else(|| default.into())
}

/// A path as short as it can be said here.
fn shown(path: &Path) -> &Path {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path)
}
