//! `difftest doctor`: everything a run needs, checked; where something is missing, what to do.

mod devices;

use std::path::{Path, PathBuf};
use std::process::Command;

use difftest_diffusion::runtime;
use difftest_diffusion::session::{self, Device};
use difftest_report::terminal::Verbosity;

use crate::args::{DoctorArgs, Format};
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

impl Finding {
    /// Status, text and next step.
    fn parts(&self) -> (&'static str, &str, Option<&str>) {
        match self {
            Good(text) => ("ok", text, None),
            Note(text, next) => ("note", text, next.as_deref()),
            Bad(text, next) => ("bad", text, Some(next)),
        }
    }
}

pub(crate) fn doctor(args: &DoctorArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let device = commands::device(&args.device)?;
    // The device that is asked for comes first: its library serves the CPU too, and a process loads one.
    let mut checks: Vec<(&str, Finding)> = vec![("ONNX Runtime", onnx_runtime(device))];
    checks.extend(devices::all(device));
    checks.push(("builtin model", builtin_model()));
    checks.push(("determinism", devices::determinism(device)));
    checks.push(("hub", hub()));
    checks.extend(plugins(&args.plugins)?);
    checks.push(("toolchain", toolchain()));
    checks.extend(folders(commands::registry(&args.plugins, None)?.cache_folder()));
    let bad = checks.iter().any(|(_, finding)| matches!(finding, Bad(..)));
    match args.message_format {
        Format::Human => print(&checks, ui)?,
        Format::Json => ui.data(&format!("{:#}\n", json(&checks)))?,
    }
    Ok(if bad { Exit::Error } else { Exit::Success })
}

fn print(checks: &[(&str, Finding)], ui: &mut Ui) -> Result<(), CliError> {
    for (name, finding) in checks {
        let (mark, text, next) = finding.parts();
        if mark == "ok" && ui.verbosity() == Verbosity::Quiet {
            continue;
        }
        let mark = if mark == "bad" { "BAD" } else { mark };
        ui.data(&format!("{mark:<4}  {name:<15} {text}\n"))?;
        if let Some(next) = next {
            ui.data(&format!("      {:<15} next: {next}\n", ""))?;
        }
    }
    Ok(())
}

/// `{"ok": ..., "checks": [{"name", "status": "ok" | "note" | "bad", "text", "next"}]}`.
fn json(checks: &[(&str, Finding)]) -> serde_json::Value {
    let checks: Vec<_> = checks
        .iter()
        .map(|(name, finding)| {
            let (status, text, next) = finding.parts();
            serde_json::json!({ "name": name, "status": status, "text": text, "next": next })
        })
        .collect();
    let ok = checks.iter().all(|check| check["status"] != "bad");
    serde_json::json!({ "ok": ok, "checks": checks })
}

fn onnx_runtime(device: Device) -> Finding {
    if let Err(error) = session::start_device(device) {
        let next = error.hint().unwrap_or_else(|| format!("difftest runtime install {}", device.install_name()));
        return Bad(format!("device {device}: {error}"), next);
    }
    match session::library() {
        None => Bad("nothing is loaded".into(), "difftest runtime install cpu".into()),
        Some(found) => {
            let version = found.version.map_or_else(|| "of unknown version".to_owned(), |version| version.to_string());
            let providers = session::providers().join(", ");
            Good(format!("{version} ({}, {}) with {providers}", found.source, found.path.display()))
        }
    }
}

fn builtin_model() -> Finding {
    match difftest_diffusion::builtin::unpack("shapes") {
        Ok(folder) => Good(folder.display().to_string()),
        Err(error) => {
            Bad(error.to_string(), error.hint().unwrap_or_else(|| "free some space or mend its rights".into()))
        }
    }
}

/// Where models of the hub come from and lie. Nothing is asked of it.
fn hub() -> Finding {
    match difftest_hub::Settings::from_env(false) {
        Ok(settings) => {
            let token = if settings.token.is_some() { "a token" } else { "no token" };
            let offline = settings.offline.map(|switch| format!(", offline ({switch})")).unwrap_or_default();
            let fallback = settings.fallback.map(|url| format!(", fallback {url}")).unwrap_or_default();
            let cache = format!("{} ({})", settings.cache.display(), megabytes(&settings.cache));
            Good(format!("models in {cache}, from {}{fallback}, {token}{offline}", settings.endpoint))
        }
        Err(error) => {
            let next = error.hint().unwrap_or_else(|| "correct the variable".into());
            Note(format!("models cannot be fetched by name: {error}"), Some(next))
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
