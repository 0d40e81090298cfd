//! Whether a component may be used at all: every step of loading it, one after the other, up to the first that fails.

use std::path::Path;

use super::{Check, Outcome, everywhere};
use crate::error::LoadCause;
use crate::failure::grouped;
use crate::limits::Limits;
use crate::report::{Inspection, Origin};
use crate::{Registry, RegistryError, WIT_VERSION, discovery, plugin, policy};

/// The steps, in order.
const STEPS: [&str; 7] = ["size", "parses", "contract", "imports", "exports", "compiles", "describes itself"];

/// Every step of loading the component at `path` within `limits`. What `registry` keeps of compiled code is used.
#[must_use]
pub fn check(path: &Path, registry: &Registry, limits: &Limits) -> (Vec<Check>, Option<Inspection>) {
    let of = discovery::name_of(path);
    let mut checks: Vec<Check> = Vec::new();
    let mut add = |what: &str, outcome| checks.push(Check { of: of.clone(), what: what.to_owned(), outcome });
    let refuse = |add: &mut dyn FnMut(&str, Outcome), at: usize, cause: &LoadCause| {
        add(STEPS[at], Outcome::failed(cause.to_string(), cause.hint()));
        for step in &STEPS[at + 1..] {
            add(step, Outcome::skipped(format!("not looked at, because of `{}`", STEPS[at])));
        }
    };
    let artifact = match plugin::read(path, limits) {
        Ok(artifact) => artifact,
        Err(cause) => {
            let at = usize::from(!matches!(cause, LoadCause::TooLarge { .. } | LoadCause::Io { .. }));
            if at == 1 {
                add(STEPS[0], Outcome::passed("as large as it may be"));
            }
            refuse(&mut add, at, &cause);
            return (checks, None);
        }
    };
    let outline = &artifact.outline;
    add(
        STEPS[0],
        Outcome::passed(format!(
            "{} bytes, {} is the most",
            grouped(artifact.wasm.len() as u64),
            grouped(limits.component_bytes)
        )),
    );
    add(
        STEPS[1],
        Outcome::passed(format!("a component of {} modules and {} functions", outline.modules, outline.functions)),
    );
    if let Err(cause) = policy::judge(outline, path) {
        let at = match cause {
            LoadCause::WrongVersion { .. } => 2,
            LoadCause::NoExport { .. } => 4,
            _ => 3,
        };
        for (i, step) in STEPS.iter().enumerate().take(at).skip(2) {
            add(step, Outcome::passed(if i == 2 { contract(outline) } else { imports(&outline.imports) }));
        }
        refuse(&mut add, at, &cause);
        return (checks, None);
    }
    add(STEPS[2], Outcome::passed(contract(outline)));
    add(STEPS[3], Outcome::passed(imports(&outline.imports)));
    let exported = outline.exports.clone();
    let inspection = match registry.inspect(&path.display().to_string()) {
        Ok(inspection) => inspection,
        Err(error) => {
            add(STEPS[4], Outcome::passed(exports(&exported, None)));
            add(STEPS[5], failed(&error));
            add(STEPS[6], Outcome::skipped("not looked at, because of `compiles`"));
            return (checks, None);
        }
    };
    add(STEPS[4], Outcome::passed(exports(&exported, Some(&inspection))));
    match &inspection.problem {
        None => {
            add(
                STEPS[5],
                Outcome::passed(match inspection.compiled {
                    Some(Origin::Cache) => "compiled earlier, and found",
                    _ => "validated and compiled",
                }),
            );
            add(STEPS[6], Outcome::passed(described(&inspection)));
        }
        Some(problem)
            if matches!(problem.kind.as_str(), "plugin-compile" | "plugin-malformed" | "plugin-not-a-component") =>
        {
            add(STEPS[5], Outcome::failed(problem.message.clone(), problem.hint.clone()));
            add(STEPS[6], Outcome::skipped("not looked at, because of `compiles`"));
        }
        Some(problem) => {
            add(STEPS[5], Outcome::passed("validated and compiled"));
            add(STEPS[6], Outcome::failed(problem.message.clone(), problem.hint.clone()));
        }
    }
    (checks, Some(inspection))
}

fn failed(error: &RegistryError) -> Outcome {
    Outcome::failed(error.to_string(), None)
}

fn contract(outline: &crate::outline::Outline) -> String {
    match policy::wit_version(outline) {
        Some(theirs) => format!("difftest:plugin {theirs}; this host speaks {WIT_VERSION}"),
        None => format!("names nothing of difftest:plugin; this host speaks {WIT_VERSION}"),
    }
}

/// Imports by package, since a standard library brings a dozen of one.
fn imports(imports: &[String]) -> String {
    let mut ours: Vec<&str> = Vec::new();
    let mut packages: Vec<(&str, u32)> = Vec::new();
    for import in imports {
        let (package, interface) = import.split_once('/').unwrap_or((import, ""));
        if package == "difftest:plugin" {
            ours.push(interface.split('@').next().unwrap_or(interface));
            continue;
        }
        match packages.iter_mut().find(|(known, _)| *known == package) {
            Some((_, count)) => *count += 1,
            None => packages.push((package, 1)),
        }
    }
    let mut text: Vec<String> = ours.into_iter().map(str::to_owned).collect();
    text.extend(packages.into_iter().map(|(package, count)| match count {
        1 => format!("1 interface of {package}"),
        count => format!("{count} interfaces of {package}"),
    }));
    if text.is_empty() { "none".to_owned() } else { text.join(", ") }
}

/// What is called, what is never called, and what that makes of the plugin.
fn exports(exports: &[String], inspection: Option<&Inspection>) -> String {
    let ours = |name: &&String| name.starts_with("difftest:plugin/");
    let interface = |name: &String| {
        let name = name.trim_start_matches("difftest:plugin/");
        name.split('@').next().unwrap_or(name).to_owned()
    };
    let mut text = exports.iter().filter(ours).map(interface).collect::<Vec<_>>().join(", ");
    // componentize-py keeps an instance of this name for itself in every component; no author put it there
    let others = exports.iter().filter(|name| !ours(name) && *name != "exports");
    let others: Vec<_> = others.map(|name| format!("`{name}`")).collect();
    if !others.is_empty() {
        text += &format!("; never called: {}", others.join(", "));
    }
    if let Some(class) = inspection.and_then(|inspection| inspection.class) {
        text += &format!("; {class}: {}", everywhere(Some(class)));
    }
    text
}

fn described(inspection: &Inspection) -> String {
    let count = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let schemas = inspection.metrics.iter().filter(|info| info.config_schema.is_some()).count()
        + inspection.prompt_generators.iter().filter(|info| info.config_schema.is_some()).count();
    let parts = [
        count(inspection.metrics.len(), "metric", "metrics"),
        count(inspection.prompt_generators.len(), "prompt generator", "prompt generators"),
        count(schemas, "config schema, which is valid", "config schemas, all valid"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
