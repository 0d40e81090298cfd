//! Components that cost more to compile than they should, and everything that can happen to compiled code.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{component, refusal};
use difftest_plugin::report::Origin;
use difftest_plugin::{Compiler, Limits, Registry};
use serde_json::{Value, json};

/// Names whose compilation was told to take long.
type Told = Arc<Mutex<Vec<String>>>;

/// A registry that compiles in child processes.
fn registry(files: &[&Path], limits: Limits, cache: Option<&Path>) -> (Registry, Told) {
    let told = Told::default();
    let files: Vec<PathBuf> = files.iter().map(|file| file.to_path_buf()).collect();
    let program = env!("CARGO_BIN_EXE_difftest-compile-plugin").into();
    let registry = Registry::discover(&files, limits)
        .unwrap()
        .with_cache(cache.map(Into::into))
        .with_compiler(Compiler::Child { program })
        .with_notice({
            let told = told.clone();
            move |name| told.lock().unwrap().push(name.to_owned())
        });
    (registry, told)
}

/// A component that looks like a metric from outside; inside, `functions` with as much for a register allocator to do as fits:
/// many values that live for long across many branches.
fn bomb(functions: usize, blocks: usize) -> Vec<u8> {
    let mut text = String::from("(component (core module\n");
    for _ in 0..functions {
        text += "(func (param i32) (result i64)";
        for i in 0..100 {
            let _ = write!(text, "(local $l{i} i64)");
        }
        for block in 0..blocks {
            let [a, b, c] = [block % 100, (block * 7 + 3) % 100, (block * 31 + 5) % 100];
            let _ = write!(
                text,
                "(if (i32.eq (local.get 0) (i32.const {block})) (then (local.set $l{a} (i64.mul (local.get $l{b}) (i64.add \
                 (local.get $l{c}) (i64.const {block}))))) (else (local.set $l{c} (i64.div_s (local.get $l{a}) (local.get $l{b})))))"
            );
        }
        text += "local.get $l1)\n";
    }
    text += ") (instance $empty) (export \"difftest:plugin/metric@0.1.0\" (instance $empty)))";
    wat::parse_str(text).unwrap()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_component_that_takes_too_long_to_compile_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "bomb.wasm", &bomb(40, 4_000));
    let cache = folder.path().join("cache");
    let limits = Limits { compile_time: Duration::from_secs(1), ..Limits::default() };
    let (registry, told) = registry(&[&path], limits, Some(&cache));
    let started = Instant::now();
    let error = refusal(&registry, "bomb/metric");
    let took = started.elapsed();
    println!("{error}\n{:?} after {took:?}", error.hint);
    assert_eq!(error.kind, "plugin-compile");
    assert!(error.message.ends_with("bomb.wasm cannot be compiled: compiling it took longer than 1 s"), "{error}");
    assert!(error.hint.unwrap().contains("very long function"));
    assert!((1_000..20_000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(*told.lock().unwrap(), ["bomb"], "whoever waits is told");
    assert!(!cache.exists(), "nothing is left behind");
}

#[cfg(target_os = "linux")]
#[test]
fn a_component_that_needs_too_much_memory_to_compile_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "bomb.wasm", &bomb(4, 20_000));
    let limits = Limits { compile_memory: 64 << 20, ..Limits::default() };
    let error = refusal(&registry(&[&path], limits, None).0, "bomb/metric");
    println!("{error}\n{:?}", error.hint);
    assert_eq!(error.kind, "plugin-compile");
    assert!(error.message.ends_with("bomb.wasm cannot be compiled: its compiler ran out of its 64 MiB"), "{error}");
    assert!(error.hint.unwrap().contains("very long function"));
}

#[test]
fn a_child_gives_the_same_plugin_as_this_process() {
    let cache = tempfile::tempdir().unwrap();
    let image_stats = component("image_stats");
    let (child, _) = registry(&[image_stats], Limits::default(), Some(cache.path()));
    let here = Registry::discover(&[image_stats.to_owned()], Limits::default()).unwrap().with_cache(None);
    let image = common::image(33, 44);
    let score = |registry: &Registry| common::measure(registry, "image-stats/sharpness", &json!({}), &image).unwrap();
    assert_eq!(score(&child), score(&here));
    let (again, _) = registry(&[image_stats], Limits::default(), Some(cache.path()));
    assert_eq!(again.inspect("image-stats").unwrap().compiled, Some(Origin::Cache));
    assert_eq!(score(&again), score(&here), "and from the cache");
}

/// Limits that difftest was itself started with are kept, not an obstacle.
#[cfg(unix)]
#[test]
fn lower_limits_of_the_surroundings_are_kept() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let wasm = fs::read(component("image_stats")).unwrap();
    let compile = |limits: &str| {
        let script = format!("{limits}; exec \"$0\" __compile-plugin 2147483648 1000 {}", wasm.len());
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_difftest-compile-plugin")]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeding = std::thread::spawn({
            let wasm = wasm.clone();
            // held to the end: the child ends with it
            move || stdin.write_all(&wasm).map(|()| stdin)
        });
        let output = child.wait_with_output().unwrap();
        drop(feeding.join());
        output
    };
    let output = compile("ulimit -d 1000000; ulimit -t 500");
    assert!(output.status.success() && output.stdout.len() > wasm.len(), "{output:?}");
    if cfg!(target_os = "linux") {
        let said = String::from_utf8(compile("ulimit -d 10000").stderr).unwrap();
        assert!(said.contains("memory allocation of"), "{said}");
    }
}

/// What is wrong with the code inside is told in the same words wherever it was found.
#[test]
fn a_child_refuses_what_this_process_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let untyped = "(component (core module (func (result i32))) (instance $empty)
        (export \"difftest:plugin/metric@0.1.0\" (instance $empty)))";
    let path = written(folder.path(), "odd.wasm", &wat::parse_str(untyped).unwrap());
    let child = refusal(&registry(&[&path], Limits::default(), None).0, "odd/metric");
    let here = Registry::discover(std::slice::from_ref(&path), Limits::default()).unwrap().with_cache(None);
    assert_eq!(child.kind, "plugin-malformed");
    assert_eq!(child, refusal(&here, "odd/metric"));
}

#[test]
fn a_compiler_that_is_none_is_told() {
    let nothing = |program: &str| {
        let compiler = Compiler::Child { program: program.into() };
        let files = [component("image_stats").to_owned()];
        let registry = Registry::discover(&files, Limits::default()).unwrap().with_cache(None).with_compiler(compiler);
        let error = refusal(&registry, "image-stats/sharpness");
        assert_eq!(error.kind, "plugin-compile");
        (error.message, error.hint.unwrap())
    };
    let (message, hint) = nothing("/nowhere/difftest");
    assert!(message.contains("its compiler did not start: "), "{message}");
    assert!(hint.contains("install difftest anew"), "{hint}");
    if cfg!(unix) {
        let (message, _) = nothing("/bin/true");
        assert!(message.contains("what its compiler wrote cannot be loaded"), "{message}");
        let (message, _) = nothing("/bin/false");
        assert!(message.contains("its compiler crashed (exit status: 1)"), "{message}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.wasm");
    File::create(&path).unwrap().set_len(500_000_000).unwrap();
    let (registry, _) = registry(&[&path], Limits::default(), None);
    let before = bytes_read();
    let error = refusal(&registry, "huge/metric");
    assert!(bytes_read() - before < 1 << 20, "it was read");
    assert_eq!(error.kind, "plugin-too-large");
    assert!(error.message.ends_with("huge.wasm is 500000000 bytes long, 67108864 is the most"), "{error}");
}

/// What this thread has read from files; nothing where the system does not count it.
fn bytes_read() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
    counts.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap_or(0)
}

#[cfg(unix)]
#[test]
fn a_cache_folder_that_cannot_be_written_costs_time_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let (registry, _) = registry(&[component("image_stats")], Limits::default(), Some(folder.path()));
    let compiled = registry.inspect("image-stats").unwrap().compiled;
    // permissions do not stop the superuser, as whom tests run in containers
    let superuser = fs::write(folder.path().join("probe"), "").is_ok();
    assert_eq!(compiled, Some(if superuser { Origin::Compiled } else { Origin::CompiledNotKept }));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

/// The run goes on with what it planned, whatever happens to the file.
#[test]
fn a_plugin_replaced_during_a_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "mine.wasm", &fs::read(component("image_stats")).unwrap());
    let (registry, _) = registry(&[&path], Limits::default(), Some(&folder.path().join("cache")));
    let image = common::image(33, 44);
    let score = || common::measure(&registry, "mine/sharpness", &json!({}), &image).unwrap();
    let before = score();
    fs::write(&path, "something else").unwrap();
    assert_eq!(score(), before);
    fs::remove_file(&path).unwrap();
    // its compiled code too
    fs::remove_dir_all(folder.path().join("cache")).unwrap();
    assert_eq!(score(), before);
    assert!(registry.metric("mine/brightness", &Value::Null, None).is_ok());
}

/// Only what is named is opened, and what is named is opened side by side.
#[test]
fn preparing_opens_what_is_named_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["image_stats", "prompt_matrix", "hostile"] {
        fs::copy(component(name), folder.path().join(name).with_extension("wasm")).unwrap();
    }
    let garbage = written(folder.path(), "garbage.wasm", b"no component");
    File::options().write(true).open(&garbage).unwrap().set_len(60 << 20).unwrap();
    let (registry, _) = registry(&[folder.path()], Limits::default(), None);
    registry.prepare(["image-stats/sharpness", "image-stats/entropy", "prompt-matrix", "clip_score", "hostile/attack"]);
    for name in ["image_stats", "prompt_matrix", "hostile"] {
        fs::remove_file(folder.path().join(name).with_extension("wasm")).unwrap();
    }
    // their files are gone: they are there already
    registry.metric("image-stats/sharpness", &Value::Null, None).unwrap();
    registry.metric("hostile/attack", &json!({ "attack": "none" }), None).unwrap();
    registry.prompt_generator("prompt-matrix").unwrap();
    // what is wrong with a plugin is told when it is named
    registry.prepare(["garbage/metric"]);
    assert_eq!(refusal(&registry, "garbage/metric").kind, "plugin-malformed");
}
