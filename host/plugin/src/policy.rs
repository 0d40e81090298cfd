//! What a component may import, and what its imports and exports make of it.
//!
//! A standard-library Rust plugin imports parts of `wasi:cli` and `wasi:io` whether it uses them or not, so these are
//! answered with stubs. Everything else a system could offer would make scores differ from machine to machine or let a
//! plugin reach out, so it is refused before a byte of it is compiled.

use std::path::Path;

use difftest_core::metric::ReproducibilityClass;
use serde::Serialize;

use crate::error::LoadCause;
use crate::outline::Outline;

/// What a plugin is, by the interfaces it exports and imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// Exports `metric`.
    pub metric: bool,
    /// Exports `pair-metric`.
    pub pair: bool,
    /// Exports `set-metric`.
    pub set: bool,
    /// Exports `prompts`.
    pub prompts: bool,
    /// Imports `wasi:nn`, so that tensors cross whole.
    pub tensors: bool,
    /// What its scores can depend on.
    pub class: ReproducibilityClass,
}

/// Whether this host can run a component of that outline.
///
/// # Errors
/// The imports or the version that it cannot serve, or that there is nothing to call.
pub fn judge(outline: &Outline, path: &Path) -> Result<Abilities, LoadCause> {
    for name in outline.imports.iter().chain(&outline.exports) {
        if let Some(theirs) = foreign_version(name) {
            return Err(LoadCause::WrongVersion { path: path.to_owned(), theirs });
        }
    }
    let class = class(outline);
    let mut refused: Vec<(String, &'static str)> = Vec::new();
    for import in &outline.imports {
        match verdict(import) {
            Verdict::Served => {}
            // one import tells of its package; std brings a dozen of each
            Verdict::Refused(_) if refused.iter().any(|(known, _)| package(known) == package(import)) => {}
            Verdict::Refused(reason) => refused.push((import.clone(), reason)),
        }
    }
    if !refused.is_empty() {
        return Err(LoadCause::ForbiddenImport { path: path.to_owned(), imports: refused });
    }
    let exports = |wanted: &str| outline.exports.iter().any(|name| ours(name) == Some(wanted));
    let abilities = Abilities {
        metric: exports("metric"),
        pair: exports("pair-metric"),
        set: exports("set-metric"),
        prompts: exports("prompts"),
        tensors: outline.imports.iter().any(|import| import.starts_with("wasi:nn/")),
        class,
    };
    let callable = [abilities.metric, abilities.pair, abilities.set, abilities.prompts];
    if callable.contains(&true) {
        return Ok(abilities);
    }
    Err(LoadCause::NoExport { path: path.to_owned(), exports: outline.exports.clone() })
}

/// What the scores of a component can depend on, by its imports alone: nothing its author promises is asked.
#[must_use]
pub fn class(outline: &Outline) -> ReproducibilityClass {
    let asks_a_model = |name: &String| ours(name) == Some("embeddings") || name.starts_with("wasi:nn/");
    if outline.imports.iter().any(asks_a_model) {
        ReproducibilityClass::ModelDependent
    } else {
        ReproducibilityClass::Exact
    }
}

/// The version of `difftest:plugin` that a component was built for.
#[must_use]
pub fn wit_version(outline: &Outline) -> Option<String> {
    let names = outline.exports.iter().chain(&outline.imports);
    names.filter(|name| ours(name).is_some()).find_map(|name| Some(name.split_once('@')?.1.to_owned()))
}

/// Those of `exports` that are interfaces of the contract, sorted.
pub(crate) fn contract_exports(exports: &[String]) -> Vec<String> {
    let mut names: Vec<_> = exports.iter().filter(|name| ours(name).is_some()).cloned().collect();
    names.sort();
    names
}

/// `wasi:sockets` of `wasi:sockets/tcp@0.2.6`.
fn package(name: &str) -> &str {
    name.split(['/', '@']).next().unwrap_or(name)
}

/// The interface's name, where it belongs to `difftest:plugin`.
fn ours(name: &str) -> Option<&str> {
    let interface = name.strip_prefix("difftest:plugin/")?;
    Some(interface.split_once('@').map_or(interface, |(interface, _)| interface))
}

/// The version in `name`, where it is one of `difftest:plugin` that this host does not speak: another track, or a newer
/// release of this one, which may call functions that are not here.
fn foreign_version(name: &str) -> Option<String> {
    ours(name)?;
    let Some((_, theirs)) = name.split_once('@') else { return Some("without a version".to_owned()) };
    let number = |version: &str| -> Option<(u64, u64, u64)> {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        let version = (parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    };
    let (host, plugin) = (number(crate::WIT_VERSION)?, number(theirs));
    let spoken = plugin.is_some_and(|p| (p.0, p.1) == (host.0, host.1) && p.2 <= host.2);
    (!spoken).then(|| theirs.to_owned())
}

/// What is served of `wasi:nn`. A release candidate matches itself alone.
const NN: [&str; 4] = [
    "wasi:nn/tensor@0.2.0-rc-2024-10-28",
    "wasi:nn/graph@0.2.0-rc-2024-10-28",
    "wasi:nn/inference@0.2.0-rc-2024-10-28",
    "wasi:nn/errors@0.2.0-rc-2024-10-28",
];

enum Verdict {
    Served,
    Refused(&'static str),
}

fn verdict(import: &str) -> Verdict {
    if let Some(interface) = ours(import) {
        return match interface {
            "types" | "media" | "log" | "embeddings" => Verdict::Served,
            "attachments" => Verdict::Refused("it is still unstable"),
            _ => Verdict::Refused("the contract has no such interface"),
        };
    }
    let Some(rest) = import.strip_prefix("wasi:") else {
        return Verdict::Refused("this host serves no such interface");
    };
    // 0.2 is the track whose interfaces the stubs are typed for
    let preview2 = import.split_once('@').is_some_and(|(_, version)| version.starts_with("0.2."));
    match package(rest) {
        "cli" | "io" if preview2 => Verdict::Served,
        "random" if preview2 && rest.starts_with("random/insecure-seed@") => Verdict::Served,
        "nn" if NN.contains(&import) => Verdict::Served,
        "nn" => {
            Verdict::Refused("of wasi:nn only tensor, graph, inference and errors of 0.2.0-rc-2024-10-28 are known")
        }
        "cli" | "io" => Verdict::Refused("only its 0.2 releases are known"),
        "random" => {
            Verdict::Refused("randomness would make scores differ from run to run; draw from the sample's seed")
        }
        "clocks" => Verdict::Refused("time would make scores differ from run to run; plugins get no clock"),
        "filesystem" => Verdict::Refused("plugins get no files; put data into the component with include_bytes!"),
        "sockets" | "http" => Verdict::Refused("plugins get no network"),
        _ => Verdict::Refused("plugins get nothing of the system"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(imports: &[&str], exports: &[&str]) -> Result<Abilities, String> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let outline = Outline { imports: owned(imports), exports: owned(exports), ..Outline::default() };
        judge(&outline, Path::new("p.wasm")).map_err(|cause| cause.to_string())
    }

    const METRIC: &str = "difftest:plugin/metric@0.1.0";

    #[test]
    fn what_rust_always_imports_is_served() {
        let imports = ["difftest:plugin/media@0.1.0", "wasi:cli/stderr@0.2.6", "wasi:io/streams@0.2.6"];
        let abilities = of(&imports, &[METRIC, "exports#init"]).ok();
        let abilities = abilities.map(|it| (it.metric, it.prompts, it.tensors, it.class));
        assert_eq!(abilities, Some((true, false, false, ReproducibilityClass::Exact)));
        assert!(of(&["wasi:random/insecure-seed@0.2.6"], &[METRIC]).is_ok());
    }

    #[test]
    fn the_system_is_refused_by_name() {
        for (import, says) in [
            ("wasi:sockets/tcp@0.2.6", "no network"),
            ("wasi:http/outgoing-handler@0.2.6", "no network"),
            ("wasi:filesystem/preopens@0.2.6", "no files"),
            ("wasi:clocks/monotonic-clock@0.2.6", "no clock"),
            ("wasi:random/random@0.2.6", "the sample's seed"),
            ("wasi:random/insecure-seed-plus@0.2.6", "the sample's seed"),
            ("wasi:cli/stderr@0.3.0", "0.2 releases"),
            ("wasi:keyvalue/store@0.2.0", "nothing of the system"),
            ("acme:spy/listen", "no such interface"),
            ("listen", "no such interface"),
            ("wasi:nn/graph@0.2.0-rc-2024-08-19", "only tensor, graph, inference and errors of 0.2.0-rc-2024-10-28"),
            ("wasi:nn/graph@0.2.0", "of 0.2.0-rc-2024-10-28 are known"),
            ("wasi:nn/training@0.2.0-rc-2024-10-28", "only tensor, graph, inference and errors"),
            ("difftest:plugin/attachments@0.1.0", "unstable"),
        ] {
            let error = of(&[import], &[METRIC]).expect_err(import);
            assert!(error.contains(import) && error.contains(says), "{error}");
        }
    }

    #[test]
    fn versions_in_words() {
        for theirs in ["0.2.0", "0.1.1", "0.1.9", "1.0.0", "0.1.0-rc.1", "nonsense"] {
            let error = of(&[], &[&format!("difftest:plugin/metric@{theirs}")]).expect_err(theirs);
            assert_eq!(error, format!("p.wasm was built for difftest:plugin {theirs}, this host has 0.1.0"));
        }
        assert!(of(&[], &["difftest:plugin/metric"]).is_err_and(|error| error.contains("without a version")));
    }

    #[test]
    fn every_interface_of_the_contract_can_be_called() {
        for (export, is) in [
            ("metric", [true, false, false, false]),
            ("pair-metric", [false, true, false, false]),
            ("set-metric", [false, false, true, false]),
            ("prompts", [false, false, false, true]),
        ] {
            let it = of(&[], &[&format!("difftest:plugin/{export}@0.1.0")]).expect(export);
            assert_eq!([it.metric, it.pair, it.set, it.prompts], is, "{export}");
        }
        let nothing = of(&[], &["run"]).expect_err("nothing");
        assert!(nothing.contains("it exports `run`"), "{nothing}");
    }

    #[test]
    fn asking_a_model_is_told_by_the_imports() {
        for (imports, tensors) in [
            (&["difftest:plugin/embeddings@0.1.0"][..], false),
            (&["difftest:plugin/embeddings@0.1.0", NN[0]], true),
            (&NN, true),
        ] {
            let it = of(imports, &[METRIC]).expect("served");
            assert_eq!((it.class, it.tensors), (ReproducibilityClass::ModelDependent, tensors));
        }
    }
}
