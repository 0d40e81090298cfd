//! Plugins compiled by child processes of the program itself.

use std::fmt::Write as _;
use std::fs::File;

use crate::env::{TestEnv, component, finished};

const SUITE: &str = "model = \"builtin:shapes\"\n\n[defaults]\nseeds = [1]\nsteps = 2\n";

fn test(name: &str, metric: &str) -> String {
    format!(
        "\n[[test]]\nname = \"{name}\"\nprompts = [\"a red circle on a blue background\"]\nmetrics = [\"{metric}\"]\n"
    )
}

/// Looks like a metric from outside and takes minutes to compile.
#[cfg(unix)]
fn bomb() -> Vec<u8> {
    let mut text = String::from("(component (core module\n");
    for _ in 0..60 {
        text += "(func (param i32) (result i64)";
        for i in 0..100 {
            let _ = write!(text, "(local $l{i} i64)");
        }
        for block in 0..4_000 {
            let [a, b, c] = [block % 100, (block * 7 + 3) % 100, (block * 31 + 5) % 100];
            let _ = write!(
                text,
                "(if (i32.eq (local.get 0) (i32.const {block})) (then (local.set $l{a} (i64.mul (local.get $l{b}) (local.get $l{c})))) \
                 (else (local.set $l{c} (i64.div_s (local.get $l{a}) (local.get $l{b})))))"
            );
        }
        text += "local.get $l1)\n";
    }
    wat::parse_str(text + ") (instance $empty) (export \"difftest:plugin/metric@0.1.0\" (instance $empty)))").unwrap()
}

/// Whoever waits is told, and whoever stops waiting leaves nothing behind.
#[cfg(target_os = "linux")]
#[test]
fn a_cancelled_compilation_leaves_nothing_behind() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let env = TestEnv::new();
    let bomb = bomb();
    env.write("mine/bomb.wasm", &bomb);
    env.write("suites/suite.toml", SUITE.to_owned() + &test("a", "bomb/metric"));
    // the length of the component is the last argument of the child
    let children = || {
        let ours = |cmdline: Vec<u8>| {
            let mut arguments = cmdline.split(|&byte| byte == 0).map(String::from_utf8_lossy);
            arguments.clone().any(|argument| argument == "__compile-plugin")
                && arguments.any(|argument| argument == bomb.len().to_string())
        };
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
            .filter(|c| ours(c.clone()))
            .count()
    };
    for (signal, how) in [("-INT", (Some(130), None)), ("-KILL", (None, Some(9)))] {
        let mut run = env
            .command()
            .env("DIFFTEST_CACHE_DIR", env.path("cache"))
            .args(["run", "suite", "--plugins"])
            .arg(env.path("mine"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(run.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        assert_eq!(line, "compiling plugin bomb (first use; kept for later) ...\n");
        assert_eq!(children(), 1);
        assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
        let ended = run.wait().unwrap();
        assert_eq!((ended.code(), ended.signal()), how, "while plugins are loaded, Ctrl-C ends the program at once");
        let started = Instant::now();
        while children() > 0 {
            assert!(started.elapsed() < Duration::from_secs(5), "the child goes on after {signal}");
            std::thread::sleep(Duration::from_millis(10));
        }
        let folder = env.path("cache");
        let left = folder.exists()
            && std::fs::read_dir(folder.join("plugins")).is_ok_and(|mut entries| entries.next().is_some());
        assert!(!left, "a file is left after {signal}");
    }
}

/// Several programs may share a cache folder and need the same plugin at the same moment.
#[test]
fn processes_that_compile_the_same_at_once_do_not_meet() {
    let env = TestEnv::new();
    let inspect = || {
        let mut command = env.command();
        command.env("DIFFTEST_CACHE_DIR", env.path("cache")).args(["plugin", "inspect", "--message-format", "json"]);
        command.arg(component("image_stats.wasm")).stdout(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let compiled = |process: std::process::Child| {
        let finished = finished(process.wait_with_output().unwrap()).exits(0);
        serde_json::from_str::<serde_json::Value>(&finished.stdout).unwrap()["compiled"].clone()
    };
    let at_once: Vec<_> = (0..4).map(|_| inspect()).collect();
    for process in at_once {
        let origin = compiled(process);
        assert!(origin == "compiled" || origin == "cache", "{origin}");
    }
    assert_eq!(compiled(inspect()), "cache");
}

/// A folder may hold whatever it likes, as long as nobody names it.
#[test]
fn plugins_that_the_selection_does_not_need_are_not_read() {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("mine")).unwrap();
    std::fs::copy(component("image_stats.wasm"), env.path("mine/good.wasm")).unwrap();
    env.write("mine/garbage.wasm", "no component");
    File::create(env.path("mine/huge.wasm")).unwrap().set_len(1 << 40).unwrap();
    let suite = SUITE.to_owned() + &test("needed", "good/brightness");
    env.write("suites/suite.toml", &suite);
    let plugins = env.path("mine");
    let run = |more: &[&str]| env.run([&["run", "suite", "--plugins", plugins.to_str().unwrap()], more].concat());
    run(&[]).exits(0);
    // and a test that is not selected names nothing
    env.write("suites/suite.toml", suite + &test("left-out", "garbage/metric"));
    run(&["-k", "needed"]).exits(0);
    run(&[]).exits(2).says(&["garbage.wasm is not WebAssembly"]);
}
