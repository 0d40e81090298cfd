//! A registry with a lock: what is not pinned, or is not what was pinned, is refused before anything in its file is looked at.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{component, refusal};
use difftest_core::digest::Digest;
use difftest_plugin::examine::examine;
use difftest_plugin::lock::{Entry, FILE, Lock, Source};
use difftest_plugin::{Limits, Registry};
use serde_json::Value;

/// A folder with `image-stats` and a file that is no component, and a place for compiled code that nobody else uses.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("plugins")).unwrap();
        fs::copy(component("image_stats"), folder.path().join("plugins/image-stats.wasm")).unwrap();
        fs::write(folder.path().join("plugins/garbage.wasm"), "no component").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn registry(&self, lock: Lock) -> Registry {
        let registry = Registry::discover(&[self.path("plugins")], Limits::default()).unwrap();
        registry.with_cache(Some(self.path("compiled"))).with_lock(lock)
    }

    fn compiled(&self) -> usize {
        fs::read_dir(self.path("compiled")).map_or(0, Iterator::count)
    }
}

/// What pins the component at `path` under `name`.
fn pin(name: &str, path: &Path) -> Lock {
    let examined = examine(path, &Limits::default()).unwrap();
    let mut lock = Lock::missing(Path::new(FILE));
    lock.insert(Entry::of(name, &examined, None, Source::Path("plugins/x.wasm".into())));
    lock
}

#[test]
fn what_is_pinned_runs() {
    let project = Project::new();
    let registry = project.registry(pin("image-stats", &project.path("plugins/image-stats.wasm")));
    assert!(registry.metric("image-stats/brightness", &Value::Null, None).is_ok());
}

#[test]
fn without_a_lock_file_nothing_is_read_and_the_command_that_writes_one_is_named() {
    let project = Project::new();
    let registry = project.registry(Lock::missing(Path::new(FILE)));
    // the file is no component, which is not found out
    let error = refusal(&registry, "garbage/metric");
    assert_eq!(error.kind, "plugin-not-locked");
    assert!(error.message.contains("there is no difftest.lock"), "{error}");
    assert!(error.hint.as_ref().unwrap().contains("difftest plugin lock"), "{error:?}");
}

#[test]
fn a_plugin_that_is_not_in_the_lock_is_not_compiled_not_even_to_list_names() {
    let project = Project::new();
    let lock = Lock::parse(Path::new(FILE), "version = 1\n").unwrap();
    let registry = project.registry(lock);
    let error = refusal(&registry, "image-stats/brightness");
    assert_eq!(error.kind, "plugin-not-locked");
    assert!(
        error.message.contains("plugin `image-stats`") && error.message.contains("is not in difftest.lock"),
        "{error}"
    );
    assert!(error.hint.as_ref().unwrap().contains("difftest plugin lock image-stats"), "{error:?}");
    // a misspelt name opens the plugins to offer what they have
    let _ = registry.metric("image-statz/brightness", &Value::Null, None);
    assert_eq!(project.compiled(), 0);
}

#[test]
fn a_file_that_differs_is_refused_with_both_digests() {
    let project = Project::new();
    let path = project.path("plugins/image-stats.wasm");
    let lock = pin("image-stats", &path);
    let before = Digest::of(&fs::read(&path).unwrap());
    // an empty custom section: the component is as sound as before, and another file
    let changed = [fs::read(&path).unwrap(), b"\0\x02\x01x".to_vec()].concat();
    fs::write(&path, &changed).unwrap();
    let error = refusal(&project.registry(lock.clone()), "image-stats/brightness");
    assert_eq!(error.kind, "plugin-differs");
    for part in [before.to_string(), Digest::of(&changed).to_string(), "image-stats.wasm".into(), FILE.into()] {
        assert!(error.message.contains(&part), "{part}: {error}");
    }
    assert_eq!(project.compiled(), 0);
    // so is one that is no component any more: that it differs is what counts
    fs::write(&path, "no component").unwrap();
    assert_eq!(refusal(&project.registry(lock), "image-stats/brightness").kind, "plugin-differs");
}

#[test]
fn the_plugin_that_was_planned_is_the_one_that_runs() {
    let project = Project::new();
    let path = project.path("plugins/image-stats.wasm");
    let registry = project.registry(pin("image-stats", &path));
    assert!(registry.metric("image-stats/brightness", &Value::Null, None).is_ok());
    fs::remove_file(&path).unwrap();
    assert!(registry.metric("image-stats/contrast", &Value::Null, None).is_ok(), "it is read once");
    // and one that goes away before it is named is told
    let registry = project.registry(pin("garbage", component("image_stats")));
    fs::remove_file(project.path("plugins/garbage.wasm")).unwrap();
    assert_eq!(refusal(&registry, "garbage/metric").kind, "plugin-io");
}
