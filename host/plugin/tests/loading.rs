//! Files that are no plugin, or one that must not be loaded; each with one clear error.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::fs;
use std::path::Path;

use common::{component, refusal, registry_of, workspace};
use difftest_core::plan::Unknown;
use difftest_plugin::{Limits, Registry, RegistryError};
use serde_json::{Value, json};

/// A component without code that imports and exports empty interfaces of these names.
fn component_with(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let mut text = String::from("(component\n");
    for name in imports {
        text += &format!("(import \"{name}\" (instance))\n");
    }
    text += "(instance $empty)\n";
    for name in exports {
        text += &format!("(export \"{name}\" (instance $empty))\n");
    }
    wat::parse_str(text + ")").unwrap()
}

fn load_error(bytes: &[u8]) -> difftest_core::metric::MetricError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.wasm");
    fs::write(&path, bytes).unwrap();
    let error = refusal(&registry_of(&[&path], Limits::default()).0, "odd/metric");
    assert!(error.message.starts_with("plugin `odd` cannot be used: "), "{error}");
    common::assert_harmless(&error.message);
    error
}

#[test]
fn files_that_are_no_plugin() {
    let good = fs::read(component("image_stats")).unwrap();
    let module = wat::parse_str("(module)").unwrap();
    let metric = "difftest:plugin/metric@0.1.0";
    // the sections are sound, the code inside is not
    let untyped = wat::parse_str(
        "(component (core module (func (result i32))) (instance $empty) (export \"difftest:plugin/metric@0.1.0\" (instance $empty)))",
    );
    let mut garbled = good.clone();
    garbled[200..264].fill(0xff);
    for (bytes, kind, says, hint) in [
        (Vec::new(), "plugin-malformed", "it was cut off", "again"),
        (good[..4].to_vec(), "plugin-malformed", "it was cut off", "again"),
        (good[..good.len() / 2].to_vec(), "plugin-malformed", "it was cut off", "again"),
        (good[..good.len() - 1].to_vec(), "plugin-malformed", "it was cut off", "again"),
        (untyped.unwrap(), "plugin-malformed", "is not valid WebAssembly: type mismatch", ""),
        (garbled, "plugin-malformed", "is not valid WebAssembly", ""),
        (b"<html>not found</html>".to_vec(), "plugin-malformed", "is not WebAssembly", "again"),
        (module, "plugin-not-a-component", "is a core module, not a component", "wasm32-wasip2"),
        (component_with(&[], &["run"]), "plugin-not-a-component", "it exports `run`", "SDK"),
        (component_with(&[], &[]), "plugin-not-a-component", "it exports nothing", "SDK"),
        (
            component_with(&[], &[metric]),
            "plugin-not-a-component",
            "does not fit the contract difftest:plugin 0.1.0",
            "",
        ),
        (
            component_with(&[], &["difftest:plugin/metric@0.2.0"]),
            "plugin-version",
            "was built for difftest:plugin 0.2.0, this host has 0.1.0",
            "SDK of this host's version",
        ),
        (
            component_with(&["difftest:plugin/media@0.3.0"], &[metric]),
            "plugin-version",
            "was built for difftest:plugin 0.3.0, this host has 0.1.0",
            "SDK",
        ),
        (component_with(&["wasi:sockets/tcp@0.2.6"], &[metric]), "plugin-import", "plugins get no network", "take out"),
        (component_with(&["acme:spy/listen@1.0.0"], &[metric]), "plugin-import", "imports `acme:spy/listen@1.0.0`", ""),
        (
            component_with(&[], &["difftest:plugin/pair-metric@0.1.9"]),
            "plugin-version",
            "was built for difftest:plugin 0.1.9, this host has 0.1.0",
            "use a difftest that speaks the plugin's",
        ),
        (
            component_with(&["wasi:nn/graph@0.2.0-rc-2025-01-01"], &[metric]),
            "plugin-import",
            "`wasi:nn/graph@0.2.0-rc-2025-01-01` (of wasi:nn only tensor, graph, inference and errors of \
             0.2.0-rc-2024-10-28 are known)",
            "take out",
        ),
        (
            component_with(&[], &["difftest:plugin/set-metric@0.1.0"]),
            "plugin-not-a-component",
            "does not fit the contract difftest:plugin 0.1.0",
            "",
        ),
    ] {
        let error = load_error(&bytes);
        println!("{}: {error}", error.kind);
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(says), "{says}: {error}");
        assert!(error.hint.clone().unwrap_or_default().contains(hint), "{error}: {:?}", error.hint);
    }
}

#[test]
fn what_a_real_plugin_must_not_import_is_refused_by_name() {
    for (name, import, reason) in [
        ("forbidden_sockets", "wasi:sockets/", "plugins get no network"),
        ("forbidden_files", "wasi:filesystem/", "plugins get no files"),
        ("forbidden_clock", "wasi:clocks/", "plugins get no clock"),
    ] {
        let (registry, _) = registry_of(&[component(name)], Limits::default());
        let listed = registry.list().remove(0);
        assert!(listed.problem.is_none(), "listing opens nothing");
        let error = refusal(&registry, &format!("{}/metric", listed.name));
        assert_eq!(error.kind, "plugin-import");
        assert!(error.message.contains(import) && error.message.contains(reason), "{error}");
        // it can still be looked at
        let inspection = registry.inspect(&listed.name).unwrap();
        assert!(inspection.imports.iter().any(|name| name.starts_with(import)));
        assert_eq!(inspection.class, None, "what gives no scores has no class");
        let problem = inspection.problem.unwrap();
        assert_eq!((&problem.kind, &problem.hint), (&error.kind, &error.hint));
        assert!(!problem.message.contains("cannot be used"), "{problem}");
        assert!(error.message.ends_with(&problem.message), "{problem}");
    }
}

#[test]
fn unknown_names_say_what_there_is() {
    let (registry, _) = registry_of(&[component("image_stats"), component("prompt_matrix")], Limits::default());
    let not_found = |name: &str| match registry.metric(name, &Value::Null, None) {
        Err(error @ RegistryError::NotFound { .. }) => (error.to_string(), error),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("`{name}` was found"),
    };
    let (text, _) = not_found("image-stat/sharpness");
    assert!(text.contains("did you mean `image-stats/sharpness`?"), "{text}");
    assert!(!text.contains("prompt-matrix"), "it has no metrics: {text}");
    let (text, _) = not_found("imagestats/brightness");
    assert!(text.contains("did you mean `image-stats/brightness`?"), "{text}");
    let (text, error) = not_found("image-stats/sharpnes");
    assert!(
        text.starts_with("nothing is called `image-stats/sharpnes`; did you mean `image-stats/sharpness`?"),
        "{text}"
    );
    let Unknown::NotFound { available } = error.into() else { panic!("not found") };
    assert!(available.contains(&"image-stats/brightness".to_owned()));
    assert!(not_found("prompt-matrix/anything").0.contains("; there is `image-stats/brightness`"));
    for (asked, there) in [
        ("image-stats", "prompt-matrix"),
        ("prompt-matrx", "prompt-matrix"),
        ("prompt-matrx/prompt-matrix", "prompt-matrix/prompt-matrix"),
        ("prompt-matrix/matrx", "prompt-matrix/prompt-matrix"),
    ] {
        match registry.prompt_generator(asked) {
            Err(RegistryError::NotFound { available, .. }) => assert_eq!(available, [there], "{asked}"),
            _ => panic!("`{asked}` was found"),
        }
    }
    assert!(registry.prompt_generator("prompt-matrix").is_ok(), "a plugin with one generator needs no second name");
}

/// A plugin that does not open cannot say what it holds; its name leads to the error that tells why.
#[test]
fn a_slip_in_the_name_of_a_broken_plugin_still_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image-stats.wasm");
    std::fs::write(&file, "not a component").unwrap();
    let (registry, _) = registry_of(&[&file, component("prompt_matrix")], Limits::default());
    match registry.metric("image-stat/sharpness", &Value::Null, None) {
        Err(RegistryError::NotFound { available, .. }) => assert_eq!(available, ["image-stats/sharpness"]),
        _ => panic!("it was found"),
    }
    assert_eq!(refusal(&registry, "image-stats/sharpness").kind, "plugin-malformed");
}

#[test]
fn crates_are_loaded_from_where_cargo_put_them() {
    component("image_stats");
    let folder = workspace().join("plugins");
    let registry = Registry::discover(&[folder], Limits::default()).unwrap().with_cache(None);
    let names: Vec<_> = registry.list().into_iter().map(|listed| listed.name).collect();
    assert!(
        ["hostile", "image-stats", "prompt-matrix"].iter().all(|name| names.contains(&(*name).to_owned())),
        "{names:?}"
    );
    let metric = registry.metric("image-stats/brightness", &json!({}), None).unwrap();
    let difftest_core::metric::MetricSource::Plugin(id) = &metric.info().source else { panic!("a plugin's metric") };
    assert!(id.version.is_some(), "the version is the package's");
}

#[test]
fn a_crate_that_is_not_built_says_how_to_build_it() {
    let folder = tempfile::tempdir().unwrap();
    let krate = folder.path().join("fresh");
    fs::create_dir(&krate).unwrap();
    fs::write(krate.join("Cargo.toml"), "[package]\nname = \"fresh\"\n[lib]\ncrate-type = [\"cdylib\"]\n").unwrap();
    let registry = Registry::discover(&[folder.path().to_owned()], Limits::default()).unwrap();
    let error = refusal(&registry, "fresh/metric");
    assert_eq!(error.kind, "plugin-not-built");
    assert_eq!(error.hint, Some(format!("difftest plugin build {}", krate.display())));
    let problem = registry.list()[0].problem.clone().unwrap();
    assert_eq!(format!("plugin `fresh` cannot be used: {problem}"), error.message);
    assert_eq!(problem.kind, error.kind);
}

#[test]
fn two_plugins_of_one_name_are_an_error_once_it_is_used() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&a, &b] {
        fs::copy(component("image_stats"), folder.path().join("same.wasm")).unwrap();
    }
    fs::copy(component("image_stats"), a.path().join("other.wasm")).unwrap();
    let folders = [a.path().to_owned(), b.path().to_owned()];
    let registry = Registry::discover(&folders, Limits::default()).unwrap();
    let error = refusal(&registry, "same/brightness");
    assert_eq!(error.kind, "plugin-clash");
    assert!(
        folders.iter().all(|folder| error.message.contains(folder.canonicalize().unwrap().to_str().unwrap())),
        "{error}"
    );
    assert!(registry.metric("other/brightness", &Value::Null, None).is_ok(), "its neighbours can be used");
}

#[test]
fn a_plugin_can_be_inspected_by_name_and_by_path() {
    let path = component("image_stats");
    let (registry, _) = registry_of(&[path], Limits::default());
    let by_name = serde_json::to_value(registry.inspect("image-stats").unwrap()).unwrap();
    let mut by_path = serde_json::to_value(registry.inspect(path.to_str().unwrap()).unwrap()).unwrap();
    by_path["compiled"] = by_name["compiled"].clone();
    assert_eq!(by_name, by_path);
    assert_eq!(by_name["class"], "exact");
    assert_eq!(by_name["wit_version"], "0.1.0");
    assert_eq!(by_name["version"], env!("CARGO_PKG_VERSION"), "the workspace's, which the SDK left in the file");
    assert_eq!(by_name["digest"], difftest_core::digest::Digest::of(&fs::read(path).unwrap()).to_string());
    assert!(by_name["metrics"].as_array().unwrap().iter().any(|metric| metric["name"] == "image-stats/sharpness"));
    assert!(by_name["made_with"].as_array().unwrap().iter().any(|tool| tool.as_str().unwrap().starts_with("Rust")));
    assert!(registry.inspect(Path::new("no").join("file.wasm").to_str().unwrap()).is_err());
}
