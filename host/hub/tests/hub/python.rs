//! The same cache, used by the Python client: what one of the two has fetched, the other finds.
//!
//! Needs Python with `huggingface_hub`: `DIFFTEST_HUB_PYTHON`, or the environment that `cargo xtask test` makes in
//! `target/hub-python`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{CONFIG, LENGTH, MODEL, WEIGHTS, World, id, weights};

/// An interpreter with `huggingface_hub`, or a word why the test says nothing.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let usual = target.join("hub-python").join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let python = std::env::var_os("DIFFTEST_HUB_PYTHON").map_or(usual, PathBuf::from);
    let works = Command::new(&python).args(["-c", "import huggingface_hub"]).output();
    if works.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {} has no huggingface_hub; `cargo xtask test` makes it", python.display());
    None
}

/// Runs a script with the client's settings of this world, and gives what it printed.
fn run(world: &World, python: &Path, script: &str) -> String {
    let mut command = Command::new(python);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HF_") {
            command.env_remove(name);
        }
    }
    command.env("HF_ENDPOINT", world.hub.url()).env("HF_HUB_CACHE", world.cache.path());
    command.env("HF_HOME", world.cache.path().join("home")).env("HF_HUB_DISABLE_TELEMETRY", "1");
    command.env("HF_HUB_DISABLE_UPDATE_CHECK", "1").env("HF_HUB_DISABLE_PROGRESS_BARS", "1").env("NO_PROXY", "*");
    let output = command.args(["-c", script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.trim().to_owned()
}

#[test]
fn python_finds_what_was_fetched_here() {
    let Some(python) = python() else { return };
    let world = World::new();
    let snapshot = world.fetch(&["model_index.json", CONFIG, WEIGHTS]).unwrap();
    world.hub.forget();
    let script = format!(
        "from huggingface_hub import snapshot_download, hf_hub_download, try_to_load_from_cache\n\
         print(snapshot_download('{MODEL}', local_files_only=True))\n\
         print(hf_hub_download('{MODEL}', '{WEIGHTS}', local_files_only=True))\n\
         print(try_to_load_from_cache('{MODEL}', '{CONFIG}'))"
    );
    let found = run(&world, &python, &script);
    let folder = fs::canonicalize(&snapshot.folder).unwrap();
    let found: Vec<&str> = found.lines().collect();
    assert_eq!(Path::new(found[0]), folder);
    assert_eq!(Path::new(found[1]), folder.join(WEIGHTS));
    assert_eq!(fs::canonicalize(found[2]).unwrap(), fs::canonicalize(folder.join(CONFIG)).unwrap());
    assert!(world.hub.requests().is_empty(), "it asked the hub");

    // with a network, Python asks what there is, and fetches nothing of what is here
    let script = format!(
        "from huggingface_hub import snapshot_download\n\
         print(snapshot_download('{MODEL}', allow_patterns=['unet/*', 'model_index.json']))\n\
         from huggingface_hub import scan_cache_dir\n\
         info = scan_cache_dir()\n\
         assert not info.warnings, info.warnings\n\
         print(sum(repo.nb_files for repo in info.repos))"
    );
    let found = run(&world, &python, &script);
    assert!(found.ends_with("\n3"), "{found}");
    assert!(world.ranges().is_empty());
}

#[test]
fn what_python_fetched_is_found_here() {
    let Some(python) = python() else { return };
    let world = World::new();
    let script = format!("from huggingface_hub import snapshot_download\nprint(snapshot_download('{MODEL}'))");
    let folder = run(&world, &python, &script);
    assert!(!world.ranges().is_empty(), "Python fetched nothing");
    world.hub.forget();
    let cached = world.client().cached(&id()).unwrap();
    assert_eq!(fs::canonicalize(&cached.folder).unwrap(), fs::canonicalize(folder).unwrap());
    let snapshot = world.fetch(&[CONFIG, WEIGHTS, "README.md", "model_index.json"]).unwrap();
    assert_eq!(world.hub.requests().len(), 1, "one question about the commit, and no file");
    assert_eq!(fs::read(snapshot.folder.join(WEIGHTS)).unwrap(), weights(LENGTH));
    let checked = world.client().check(&snapshot, None, &mut |_, _| {}).unwrap();
    assert!(checked.len() == 4 && checked.iter().all(|file| file.damage.is_none()), "{checked:?}");
}

#[test]
fn python_and_this_wait_for_each_other() {
    let Some(python) = python() else { return };
    let world = World::new();
    let name = difftest_core::digest::Digest::of(&weights(LENGTH)).to_string();
    let lock = world.cache.path().join(".locks/models--acme--tiny").join(format!("{name}.lock"));
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    // Python holds the lock while it says so, and lets go after it has the file
    let script = format!(
        "import sys, time\n\
         from huggingface_hub.utils import WeakFileLock\n\
         with WeakFileLock({:?}):\n\
        \x20   open({:?}, 'w').close()\n\
        \x20   time.sleep(1.5)\n",
        lock,
        world.cache.path().join("held"),
    );
    std::thread::scope(|scope| {
        let held = scope.spawn(|| run(&world, &python, &script));
        while !world.cache.path().join("held").exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let diary = crate::support::Diary::default();
        let began = std::time::Instant::now();
        world.fetch_with(&world.client(), &[WEIGHTS], &diary).unwrap();
        assert!(diary.says("Locked"), "it did not wait");
        assert!(began.elapsed() > std::time::Duration::from_millis(500));
        held.join().unwrap();
    });
}

#[test]
fn diffusers_loads_what_was_fetched_here() {
    let Some(python) = python() else { return };
    let there = Command::new(&python).args(["-c", "import diffusers, transformers"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {} has no diffusers", python.display());
        return;
    }
    let world = World::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/models/shapes");
    world.hub.commit_folder(MODEL, "main", &model);
    let client = world.client();
    let listing = client.list(&id(), &()).unwrap();
    let files: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    client.fetch(&listing, &files, &()).unwrap();
    let script = format!(
        "from diffusers import DiffusionPipeline\n\
         print(type(DiffusionPipeline.from_pretrained('{MODEL}', local_files_only=True)).__name__)"
    );
    assert!(run(&world, &python, &script).ends_with("StableDiffusionPipeline"));
}
