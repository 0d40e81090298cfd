//! The plugin contract in `wit/` keeps its promises: it parses, a released text never changes, and what is built for a release
//! fits the live track. `wit/README.md` states the policy.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wit_component::semver_check;
use wit_parser::{Package, Resolve, UnresolvedPackageGroup, WorldItem};

fn wit(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").join(path)
}

fn text(folder: &Path) -> String {
    fs::read_to_string(folder.join("plugin.wit")).unwrap()
}

fn version(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("package difftest:plugin@")?.strip_suffix(';')).unwrap()
}

/// Every release.
fn releases() -> Vec<PathBuf> {
    let folders: Vec<_> = fs::read_dir(wit("released")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!folders.is_empty(), "there is no release to compare with");
    folders
}

/// The contract in one of the two versions that [`both`] holds.
fn contract(resolve: &Resolve, released: bool) -> &Package {
    let wanted = |package: &&Package| {
        let name = &package.name;
        name.namespace == "difftest" && name.version.as_ref().unwrap().build.is_empty() != released
    };
    resolve.packages.iter().map(|(_, package)| package).find(wanted).unwrap()
}

/// Both texts in one place, the older one marked so that the two can live together. (Build metadata is part of a package's
/// name and of no comparison of versions, so `@since` gates keep their meaning.)
fn both(old: &str, new: &str) -> Resolve {
    let marked = old.replacen(&format!("@{};", version(old)), &format!("@{}+released;", version(old)), 1);
    assert_ne!(marked, old);
    let mut resolve = Resolve::default();
    resolve.push_dir(wit("v0.1/deps/wasi-nn")).unwrap();
    for (name, text) in [("old.wit", marked.as_str()), ("new.wit", new)] {
        resolve.push_group(UnresolvedPackageGroup::parse(name, text).unwrap()).unwrap();
    }
    resolve
}

/// The functions of all interfaces that plugins export, as `interface.function`.
fn exported(resolve: &Resolve, package: &Package) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for &world in package.worlds.values() {
        for item in resolve.worlds[world].exports.values() {
            let WorldItem::Interface { id, .. } = item else { continue };
            let interface = &resolve.interfaces[*id];
            let name = interface.name.as_deref().unwrap();
            names.extend(interface.functions.keys().map(|function| format!("{name}.{function}")));
        }
    }
    names
}

/// Everything in `new` that breaks a promise made by `old`.
fn breaks(old: &str, new: &str) -> Vec<String> {
    let resolve = both(old, new);
    let [old, new] = [true, false].map(|released| contract(&resolve, released));
    let mut broken = Vec::new();
    for (name, &world) in &old.worlds {
        match new.worlds.get(name) {
            None => broken.push(format!("world `{name}` is gone")),
            Some(&live) => {
                if let Err(error) = semver_check(resolve.clone(), world, live) {
                    broken.push(format!("world `{name}`: {error:#}"));
                }
            }
        }
    }
    let gone = old.interfaces.keys().filter(|name| !new.interfaces.contains_key(*name));
    broken.extend(gone.map(|name| format!("interface `{name}` is gone")));
    let gone: BTreeSet<_> = exported(&resolve, old).difference(&exported(&resolve, new)).cloned().collect();
    broken.extend(gone.iter().map(|name| format!("exported function `{name}` is gone")));
    broken
}

#[test]
fn the_contract_parses_with_and_without_its_unstable_features() {
    for all_features in [false, true] {
        for folder in releases().into_iter().chain([wit("v0.1")]) {
            let mut resolve = Resolve { all_features, ..Resolve::default() };
            let (package, _) = resolve.push_dir(&folder).unwrap();
            let package = &resolve.packages[package];
            assert_eq!(package.interfaces.contains_key("attachments"), all_features);
            for world in [
                "metric-plugin",
                "pair-metric-plugin",
                "prompt-plugin",
                "models",
                "model-metric-plugin",
                "model-pair-metric-plugin",
                "set-metric-plugin",
            ] {
                assert!(package.worlds.contains_key(world), "{} has no {world}", folder.display());
            }
        }
    }
}

#[test]
fn what_is_built_for_a_release_fits_the_live_track() {
    let live = text(&wit("v0.1"));
    for folder in releases() {
        let broken = breaks(&text(&folder), &live);
        assert!(broken.is_empty(), "against {}:\n{}", folder.display(), broken.join("\n"));
    }
}

/// A version number names one text: once released, it takes a new number to say something else.
#[test]
fn the_live_text_is_the_release_of_its_number() {
    let live = text(&wit("v0.1"));
    for folder in releases() {
        let released = text(&folder);
        assert_eq!(folder.file_name().unwrap().to_str().unwrap(), version(&released), "a release in the wrong folder");
        if version(&released) == version(&live) {
            assert!(released == live, "wit/v0.1 says {} and differs from what was released as that", version(&live));
        }
    }
}

#[test]
fn the_sdk_carries_the_live_text() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    for file in ["plugin.wit", "deps/wasi-nn/wasi-nn.wit"] {
        let [live, own] = [wit("v0.1").join(file), own.join(file)].map(|path| fs::read(path).unwrap());
        assert!(live == own, "copy wit/v0.1/{file} to sdk/rust/wit/{file}");
    }
}

/// The live text with one edit, which must apply.
fn edited(what: &str, from: &str, to: &str) -> (String, String) {
    let live = text(&wit("v0.1"));
    let edited = live.replacen(from, to, 1);
    assert_ne!(edited, live, "{what}: the edit did not apply");
    (live, edited)
}

/// A checker that finds nothing proves nothing: each of these edits breaks a plugin or an older host, and is found.
#[test]
fn breaking_edits_are_found() {
    for (what, from, to) in [
        ("a host function removed", "        digest: func() -> string;", "       "),
        ("a host function renamed", "luma8: func", "grey8: func"),
        ("a parameter changed", "rows: func(first: u32, count: u32)", "rows: func(first: u64, count: u32)"),
        ("a result changed", "len: func() -> u32", "len: func() -> u64"),
        ("a field added", "detail { name: string, value: f64 }", "detail { name: string, value: f64, unit: string }"),
        ("a field removed", "detail { name: string, value: f64 }", "detail { value: f64 }"),
        ("a case added to a variant", "        other(string),\n", "        other(string),\n        busy,\n"),
        ("a case added to an enum", "{ nearest, bilinear, lanczos3 }", "{ nearest, bilinear, bicubic, lanczos3 }"),
        ("an exported function added", "interface metric {", "interface metric { version: func() -> string;"),
        ("an exported function removed", "    describe: func() -> list<generator-info>;\n", ""),
        ("a world renamed", "world prompt-plugin {", "world prompts-plugin {"),
        ("an import removed", "world prompt-plugin { import log;", "world prompt-plugin {"),
    ] {
        let (live, edited) = edited(what, from, to);
        assert!(!breaks(&live, &edited).is_empty(), "{what} was not found");
    }
}

/// What the policy allows passes.
#[test]
fn growth_is_allowed() {
    for (what, from, to) in [
        ("a host function added", "len: func() -> u32;", "len: func() -> u32; name: func() -> string;"),
        ("an interface added", "/// Files shown", "interface masks { mask: func() -> list<u8>; }\n/// Files shown"),
        ("a world added", "/// May ask", "world both { import media; export metric; export prompts; }\n/// May ask"),
        ("an import added", "world prompt-plugin { import log;", "world prompt-plugin { import log; import media;"),
    ] {
        let (live, edited) = edited(what, from, to);
        let broken = breaks(&live, &edited);
        assert!(broken.is_empty(), "{what}: {broken:?}");
    }
}
