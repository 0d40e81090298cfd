//! `difftest doctor`: everything a run needs, checked; where something is missing, what to do.

use std::path::{Path, PathBuf};
use std::process::Command;

use difftest_diffusion::runtime::{self, Provider};
use difftest_report::terminal::Verbosity;

use crate::args::DoctorArgs;
use crate::commands;
use crate::environment;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

/// What a check found.
enum Finding {
    Good(String),
    /// Not needed to run suites, but good to know.
    Note(String, Option<String>),
    /// Runs will fail: what is wrong, what to do.
    Bad(String, String),
}

use Finding::{Bad, Good, Note};

pub(crate) fn doctor(args: &DoctorArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let mut checks: Vec<(&str, Finding)> = vec![("ONNX Runtime", onnx_runtime())];
    checks.extend(devices());
    checks.push(("builtin model", builtin_model()));
    checks.extend(plugins(&args.plugins)?);
    checks.push(("toolchain", toolchain()));
    checks.extend(folders(commands::registry(&args.plugins, None)?.cache_folder()));
    let mut exit = Exit::Success;
    for (name, finding) in checks {
        let (mark, text, next) = match finding {
            Good(text) => ("ok  ", text, None),
            Note(text, next) => ("note", text, next),
            Bad(text, next) => {
                exit = Exit::Error;
                ("BAD ", text, Some(next))
            }
        };
        if mark == "ok  " && ui.verbosity() == Verbosity::Quiet {
            continue;
        }
        ui.data(&format!("{mark}  {name:<14} {text}\n"))?;
        if let Some(next) = next {
            ui.data(&format!("      {:<14} next: {next}\n", ""))?;
        }
    }
    Ok(exit)
}

fn onnx_runtime() -> Finding {
    match runtime::find() {
        Err(error) => Bad(error.to_string(), error.hint()),
        Ok(found) => {
            let version = found.version.map_or_else(|| "of unknown version".to_owned(), |version| version.to_string());
            match difftest_diffusion::session::start_runtime() {
                Ok(()) => Good(format!("{version} ({}, {})", found.source, found.path.display())),
                Err(error) => Bad(
                    format!("{version} at {} does not load: {error}", found.path.display()),
                    "difftest runtime install cpu".into(),
                ),
            }
        }
    }
}

fn devices() -> Vec<(&'static str, Finding)> {
    let mut found = vec![("device cpu", Good(format!("{} threads", environment::threads(None))))];
    let accelerator = |provider: Provider| match runtime::find_for(provider) {
        Ok(library) => Note(format!("library at {}; not probed", library.path.display()), None),
        Err(_) => Note("no library".into(), Some(format!("difftest runtime install {provider}"))),
    };
    found.push(("device cuda", accelerator(Provider::Cuda)));
    found.push(("device openvino", accelerator(Provider::OpenVino)));
    found
}

fn builtin_model() -> Finding {
    match difftest_diffusion::builtin::unpack("shapes") {
        Ok(folder) => Good(folder.display().to_string()),
        Err(error) => {
            Bad(error.to_string(), error.hint().unwrap_or_else(|| "free some space or mend its rights".into()))
        }
    }
}

fn plugins(named: &[PathBuf]) -> Result<Vec<(&'static str, Finding)>, CliError> {
    let folders = environment::plugin_folders(named)?;
    if folders.is_empty() {
        let next = "name a folder with `--plugins DIR`, or keep plugins in ./plugins".to_owned();
        return Ok(vec![("plugins", Note("no folder".into(), Some(next)))]);
    }
    let registry = commands::registry(named, None)?;
    let findings = registry.list().into_iter().map(|listed| {
        let problem = match listed.problem {
            Some(problem) => Some(problem),
            None => registry.inspect(&listed.name).map_or_else(
                |error| {
                    Some(difftest_core::metric::MetricError {
                        kind: "plugin".into(),
                        message: error.to_string(),
                        hint: None,
                    })
                },
                |inspection| inspection.problem,
            ),
        };
        let finding = match problem {
            None => Good(listed.name),
            Some(problem) => Note(format!("{}: {}", listed.name, problem.message), problem.hint),
        };
        ("plugins", finding)
    });
    let findings: Vec<_> = findings.collect();
    if findings.is_empty() {
        return Ok(vec![("plugins", Note("the folders hold none".into(), None))]);
    }
    if findings.iter().all(|(_, finding)| !matches!(finding, Good(_))) {
        let next = "build them (`difftest plugin build DIR`), or name another folder with `--plugins DIR`";
        return Ok(findings
            .into_iter()
            .chain([("plugins", Bad("none of them can be used".into(), next.into()))])
            .collect());
    }
    Ok(findings)
}

/// Only authors of plugins need one.
fn toolchain() -> Finding {
    let installed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    match installed {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("wasm32-wasip2") => {
            Good("wasm32-wasip2 is installed: plugins can be built".into())
        }
        _ => Note(
            "no wasm32-wasip2: plugins cannot be built here, only run".into(),
            Some("rustup target add wasm32-wasip2".into()),
        ),
    }
}

fn folders(cache: Option<&Path>) -> Vec<(&'static str, Finding)> {
    let mut found = Vec::new();
    let mut add = |name, path: Option<PathBuf>, what: &str| {
        found.push(match path {
            Some(path) => (name, Good(format!("{} ({}, {what})", path.display(), megabytes(&path)))),
            None => (name, Note("no home folder: nothing is kept between runs".into(), None)),
        });
    };
    add("data", runtime::data_folder(), "runtimes and builtin models");
    add("cache", cache.map(Path::to_owned), "compiled plugins and digests of model files, safe to delete");
    add(
        "runs",
        Some(Path::new(difftest_store::run_folder::DEFAULT_ROOT).to_owned()),
        "images of past runs here, safe to delete",
    );
    found
}

fn megabytes(folder: &Path) -> String {
    fn bytes(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.file_type() {
                Ok(kind) if kind.is_dir() => bytes(&entry.path()),
                _ => entry.metadata().map_or(0, |metadata| metadata.len()),
            })
            .sum()
    }
    format!("{:.1} MB", bytes(folder) as f64 / 1e6)
}
