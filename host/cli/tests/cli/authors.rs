//! What an author of a plugin goes through: write, build, check, test, measure, use, and watch.

use std::io::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::env::{Finished, TestEnv, component, finished, workspace};

/// Where cargo has built the dependencies of components already.
fn target() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_difftest")).ancestors().nth(2).unwrap().to_owned()
}

/// `difftest` in a plugin's folder. No network, and dependencies that are built once.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = TestEnv::new().command();
    command.current_dir(folder).args(arguments).env("CARGO_TARGET_DIR", target()).env("CARGO_NET_OFFLINE", "true");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    finished(command(folder, arguments).output().unwrap())
}

#[test]
fn a_strangers_path_in_rust() {
    // always the same folder, so that one copy of the SDK is built however often this runs; outside the workspace, whose cargo
    // settings would hold for it too
    let folder = std::env::temp_dir().join("difftest-cli-tests/stranger-metric");
    let _ = std::fs::remove_dir_all(&folder);
    let _ = std::fs::remove_file(component("stranger_metric.wasm"));
    let env = TestEnv::new();
    let path = folder.to_str().unwrap();
    env.run(["plugin", "new", "stranger-metric", "--lang", "rust", "--path", path]).exits(0).says(&[
        &format!("cd {path}"),
        "difftest plugin build",
        "difftest plugin test",
        "difftest run suite.toml --plugins .",
    ]);
    for file in ["README.md", "tests/golden.toml", "tests/picture.png", "vendor/difftest-sdk/wit/plugin.wit"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    for command in
        [&["plugin", "test"][..], &["plugin", "inspect", "."], &["plugin", "publish", "oci://a.b/c:1.0.0", "."]]
    {
        run(&folder, command).exits(2).says(&["is not built", "difftest plugin build"]);
    }

    let built = run(&folder, &["plugin", "build"]).exits(0).says(&["built ", "stranger_metric.wasm"]);
    for step in ["size", "parses", "contract", "imports", "exports", "compiles", "describes itself"] {
        assert!(built.stdout.lines().any(|line| line.starts_with(&format!("ok       {step}"))), "{}", built.stdout);
    }
    let tested = run(&folder, &["plugin", "test"]).exits(0).says(&[" 0 failed, 0 skipped"]);
    for what in ["fuel in 3 stores", "on 4 threads", "measures 2048x2048", "unknown key", "golden.toml:4"] {
        assert!(tested.stdout.contains(what), "no {what} in\n{}", tested.stdout);
    }
    let used = run(&folder, &["run", "suite.toml", "--plugins", ".", "--output", "results.json"]).exits(0);
    used.says(&["stranger-metric/bright-share"]);
    // a first score that is neither end of the range shows that the images were looked at
    let results: Value = serde_json::from_slice(&std::fs::read(folder.join("results.json")).unwrap()).unwrap();
    let cases = results.pointer("/suites/0/cases").and_then(Value::as_array).unwrap();
    let scores: Vec<f64> = cases.iter().filter_map(|case| case.pointer("/scores/0/value")?.as_f64()).collect();
    assert!(scores.len() == 4 && scores.iter().all(|score| *score > 0.01 && *score < 0.99), "{scores:?}");
    // the folder is the plugin for these too, by whatever name
    for here in [".", "./", path] {
        let inspected = run(&folder, &["plugin", "inspect", here]).exits(0);
        assert!(inspected.stdout.contains("version    0.1.0\n"), "{}", inspected.stdout);
    }
    let nowhere = ["plugin", "publish", "oci://127.0.0.1:1/a:0.1.0", "."];
    run(&folder, &nowhere).exits(2).says(&["127.0.0.1:1 cannot be reached"]);

    // one line is edited: the cases notice, and take the new scores where that is asked for
    let source = folder.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(
        &source,
        text.replace("bright as f64 / luma.len() as f64", "1.0 - bright as f64 / luma.len() as f64"),
    )
    .unwrap();
    run(&folder, &["plugin", "build"]).exits(0);
    let stale = run(&folder, &["plugin", "test", "-q"]).exits(1);
    assert!(stale.stdout.contains("was expected") && !stale.stdout.contains("measures 1x1"), "{}", stale.stdout);
    run(&folder, &["plugin", "test", "--update"]).exits(1).says(&["wrote 2 of 2 cases"]);
    run(&folder, &["plugin", "test"]).exits(0);
    let cases = std::fs::read_to_string(folder.join("tests/golden.toml")).unwrap();
    assert!(cases.contains("\nscore = 0.8333333333333334\n") && cases.contains("# Equal on every machine"), "{cases}");

    // a panic is told with the author's line
    let broken = text.replace("let bright =", "assert_ne!(image.width(), 7, \"seven\");\n        let bright =");
    std::fs::write(&source, broken).unwrap();
    run(&folder, &["plugin", "build"]).exits(0);
    let panicked = run(&folder, &["plugin", "test", "-q"]).exits(1);
    for part in ["measures 7x5: it panicked at src/lib.rs:8", "seven", "bright_share"] {
        assert!(panicked.stdout.contains(part), "no {part:?} in\n{}", panicked.stdout);
    }
    // what does not compile says so, in cargo's own words
    std::fs::write(&source, "difftest_sdk::metrics! { fn }").unwrap();
    run(&folder, &["plugin", "build"]).exits(2).says(&["error: ", "could not build", "cargo said above"]);
}

/// With the Python that `cargo xtask test` prepares; where it could not (and said so), there is nothing to build with.
/// Past the harness, which would keep it to itself.
fn skip(reason: &str) {
    std::io::stdout().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
}

#[test]
fn a_strangers_path_in_python() {
    let python = target().join("python");
    if !python.join("requirements.installed").is_file() {
        return skip("there is no componentize-py; `cargo xtask test` installs it where it can");
    }
    let env = TestEnv::new();
    env.run(["plugin", "new", "stranger", "--lang", "python"]).exits(0);
    let folder = env.path("stranger");
    let run = |arguments: &[&str]| {
        finished(command(&folder, arguments).env("VIRTUAL_ENV", &python).env_remove("PYTHONPATH").output().unwrap())
    };
    let built = run(&["plugin", "build"]).exits(0).says(&["stranger.wasm"]);
    assert!(!built.stdout.contains("never called") && built.stdout.contains("exact"), "{}", built.stdout);
    let inspected = run(&["plugin", "inspect", "."]).exits(0);
    assert!(inspected.stdout.contains("stranger/bright-share"), "{}", inspected.stdout);
    // the cases that it comes with hold the scores of the same metric in Rust
    run(&["plugin", "test"]).exits(0).says(&[" 0 failed, 0 skipped"]);
    run(&["run", "suite.toml", "--plugins", "."]).exits(0).says(&["stranger/bright-share"]);
    std::fs::write(folder.join("stranger.py"), "from difftest_sdk import nothing").unwrap();
    run(&["plugin", "build"]).exits(2).says(&["nothing", "Python said above"]);
}

#[test]
fn first_party_plugins_conform() {
    let head =
        |name: &str| format!("aesthetic={}", workspace().join("plugins/aesthetic/tests/golden").join(name).display());
    let (small, published) = (head("small.onnx"), head("head.onnx"));
    let clip = ["--model", "clip=builtin:shapes-clip"];
    for (plugin, more) in [
        ("image-stats", &[][..]),
        ("color-words", &[]),
        ("prompt-matrix", &[]),
        ("prompt-wildcards", &[]),
        ("phash", &[]),
        ("ssim", &[]),
        ("set-stats", &clip),
        ("aesthetic", &[clip[0], clip[1], clip[0], &small]),
    ] {
        let folder = workspace().join("plugins").join(plugin);
        let arguments = [&["plugin", "test"], more].concat();
        let run = run(&folder, &arguments).exits(0);
        assert!(run.stderr.contains(" 0 failed, 0 skipped"), "{plugin}:\n{}{}", run.stdout, run.stderr);
    }
    // the builtin CLIP model is too small for the published head: an error of the plugin's own, and nothing else
    let folder = workspace().join("plugins/aesthetic");
    let run = run(&folder, &["plugin", "test", clip[0], clip[1], clip[0], &published]);
    assert!(!run.stdout.contains("panicked") && !run.stdout.contains("trapped"), "{}", run.stdout);
    // and without models, what needs them is skipped aloud
    let folder = workspace().join("plugins/set-stats");
    let run = super::authors::run(&folder, &["plugin", "test"]).exits(0);
    assert!(run.stdout.contains("skipped") && run.stdout.contains("--model NAME=PATH"), "{}", run.stdout);
}

#[test]
fn the_plugin_in_python_conforms() {
    let folder = workspace().join("plugins/borders");
    if !folder.join("dist/borders.wasm").is_file() {
        return skip("plugins/borders is not built; `cargo xtask test` does that where there is componentize-py");
    }
    let run = run(&folder, &["plugin", "test"]).exits(0);
    assert!(run.stderr.contains(" 0 failed, 0 skipped"), "{}{}", run.stdout, run.stderr);
}

#[test]
fn names_and_folders_that_are_no_good() {
    let env = TestEnv::new();
    for (name, says) in
        [("My_Metric", "`my-metric`"), ("../up", "`up`"), ("async", "`async-metric`"), ("con", "Windows")]
    {
        env.run(["plugin", "new", name, "--lang", "rust"]).exits(2).says(&[name, says]);
    }
    env.write("mine/notes.txt", "mine");
    env.run(["plugin", "new", "mine", "--lang", "python"]).exits(2).says(&["mine is already there", "--path"]);
    assert_eq!(std::fs::read_dir(env.path("mine")).unwrap().count(), 1);
    env.run(["plugin", "new", "mine", "--lang", "python", "--kind", "set", "--path", "deep/down"]).exits(0);
    assert!(env.path("deep/down/mine.py").is_file() && env.path("deep/down/vendor/difftest_sdk").is_dir());
    env.run(["plugin", "build", "mine"]).exits(2).says(&["neither a Cargo.toml nor a pyproject.toml", "plugin new"]);
    env.run(["plugin", "test", "deep/down"]).exits(2).says(&["is not built", "difftest plugin build deep/down"]);
}

#[test]
fn the_missing_piece_of_a_build_is_named() {
    let env = TestEnv::new();
    env.run(["plugin", "new", "mine", "--lang", "python"]).exits(0);
    // a Python that has nothing but itself
    let bare = Command::new("python3").args(["-m", "venv", "--without-pip", "--clear"]).arg(env.path("bare")).status();
    assert!(bare.unwrap().success());
    let mut command = env.command();
    command.args(["plugin", "build", "mine"]).env("VIRTUAL_ENV", env.path("bare")).env_remove("PYTHONPATH");
    finished(command.output().unwrap()).exits(2).says(&["pip install componentize-py==0.25.1"]);

    env.run(["plugin", "new", "rusty", "--lang", "rust"]).exits(0);
    let output = env.command().args(["plugin", "build", "rusty"]).env("CARGO", "/nowhere/cargo").output();
    finished(output.unwrap()).exits(2).says(&["cargo cannot be started", "rustup target add wasm32-wasip2"]);
}

#[test]
fn check_refuses_with_the_step_and_the_reason() {
    let env = TestEnv::new();
    let good = component("image_stats.wasm");
    let run = env.run(["plugin", "check", good.to_str().unwrap()]).exits(0);
    assert!(run.stdout.contains("exact") && !run.stdout.contains("FAILED"), "{}", run.stdout);
    env.write("text.wasm", "not wasm at all");
    let run = env.run(["plugin", "check", "text.wasm", "--message-format", "json"]).exits(2);
    let checks: Value = serde_json::from_str(&run.stdout).unwrap();
    let outcomes: Vec<_> = checks.as_array().unwrap().iter().map(|check| check["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["passed", "failed", "skipped", "skipped", "skipped", "skipped", "skipped"]);
    // only its length is looked at
    std::fs::File::create(env.path("large.wasm")).unwrap().set_len(500 << 20).unwrap();
    let run = env.run(["plugin", "check", "large.wasm"]).exits(2);
    assert!(run.stdout.contains("524288000 bytes long") && run.stdout.contains("strip debug info"), "{}", run.stdout);
    env.run(["plugin", "check", "nothing"]).exits(2).says(&["neither a file, nor a folder"]);
    let plugins = workspace().join("plugins");
    let plugins = plugins.to_str().unwrap();
    env.run(["plugin", "check", "image-stat", "--plugins", plugins]).exits(2).says(&["image-stats"]);
    env.run(["plugin", "check", plugins]).exits(2).says(&["several plugins", "name one of them"]);
}

#[test]
fn a_plugin_is_held_to_its_fuel() {
    let env = TestEnv::new();
    let good = component("image_stats.wasm");
    let good = good.to_str().unwrap();
    let fuel = |run: &Finished| -> Vec<Value> {
        let bench: Value = serde_json::from_str(&run.stdout).unwrap();
        bench["costs"].as_array().unwrap().iter().map(|cost| cost["fuel"].clone()).collect()
    };
    let json = ["plugin", "bench", good, "--message-format", "json"];
    let first = env.run(json).exits(0);
    assert_eq!(fuel(&first), fuel(&env.run(json).exits(0)));
    env.run(["plugin", "bench", good, "--fuel-at-most", "1000"]).exits(1).says(&["1,000 is the most"]);
    let table = env.run(["plugin", "bench", good, "--fuel-at-most", "10000000000"]).exits(0);
    assert!(table.stdout.contains("image-stats/sharpness") && table.stdout.contains("1024x1024"), "{}", table.stdout);
}

#[test]
fn cases_that_cannot_be_read_are_no_test() {
    let env = TestEnv::new();
    let good = component("image_stats.wasm");
    let good = good.to_str().unwrap();
    env.write("cases/a.toml", "[[case]]\nmetric = \"brightness\"\nimag = \"x.png\"\n");
    env.run(["plugin", "test", good, "--cases", "cases"]).exits(2).says(&["cases/a.toml", "imag"]);
    env.run(["plugin", "test", good, "--cases", "none"]).exits(2).says(&["no such folder"]);
    env.run(["plugin", "test", good, "--model", "clip"]).exits(2).says(&["NAME=PATH"]);
}

/// The lines that a watching run writes, as they come.
struct Watching {
    child: std::process::Child,
    lines: mpsc::Receiver<String>,
}

impl Watching {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// Waits for a line with `part`.
    #[track_caller]
    fn until(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(120)) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no {part:?} in\n{}", seen.join("\n")),
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
#[test]
fn a_watching_run_runs_again_when_a_suite_or_a_plugin_changes() {
    let env = TestEnv::new();
    let suite = |metric: &str, least: &str| {
        format!(
            "model = \"builtin:shapes\"\n\n[[test]]\nname = \"a\"\nprompts = [\"a red circle on a blue background\"]\nseeds = [1]\nsteps = 2\nmetrics = [\"mine/{metric}\"]\nthreshold = {{ \"mine/{metric}\" = {{ min = {least} }} }}\n"
        )
    };
    env.write("suite.toml", suite("brightness", "0"));
    let image_stats = std::fs::read(component("image_stats.wasm")).unwrap();
    env.write("plugins/mine.wasm", &image_stats);
    let mut command = env.command();
    command.args(["run", "suite.toml", "--watch"]);
    let mut watching = Watching::start(command);
    watching.until("PASS");
    watching.until("watching");

    env.write("suite.toml", suite("brightness", "1"));
    let line = watching.until("changed:");
    assert!(line.contains("suite.toml"), "{line}");
    watching.until("FAIL");
    watching.until("watching");

    // a suite that cannot be read is told, and waited for
    env.write("suite.toml", "model = ");
    watching.until("suite.toml");
    watching.until("watching");
    env.write("suite.toml", suite("brightness", "0"));
    watching.until("PASS");
    watching.until("watching");

    // written again with the same bytes: no change. With others: a run with the new plugin
    env.write("plugins/mine.wasm", &image_stats);
    env.write("plugins/mine.wasm", std::fs::read(component("color_words.wasm")).unwrap());
    let line = watching.until("changed:");
    assert!(line.contains("mine.wasm") && !line.contains("suite.toml"), "{line}");
    watching.until("mine/brightness");
    watching.until("watching");

    let id = watching.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(watching.child.wait().unwrap().code(), Some(130));
}
