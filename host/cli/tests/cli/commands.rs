//! The commands around a run.

use crate::env::{TestEnv, workspace};

#[test]
fn init_writes_a_suite_that_runs_and_replaces_nothing() {
    let env = TestEnv::new();
    env.run(["init"]).exits(0).says(&["suites/first.toml", "difftest run"]);
    assert!(env.path(".github/workflows/difftest.yml").is_file());
    env.run(["list"]).exits(0);
    env.run(["run", "--seed", "42"]).exits(0);
    env.write("suites/first.toml", "# mine");
    env.run(["init"]).exits(2).says(&["first.toml is already there", "--force"]);
    assert_eq!(std::fs::read_to_string(env.path("suites/first.toml")).unwrap(), "# mine");
}

#[test]
fn init_for_another_model_asks_for_its_clip_model() {
    let env = TestEnv::new();
    env.run(["init", "--model", "./my \"model\""]).exits(0);
    let suite = std::fs::read_to_string(env.path("suites/first.toml")).unwrap();
    assert!(suite.contains("\nmodel = \"./my \\\"model\\\"\"\n") && suite.contains("\n[models]\nclip = "), "{suite}");
    env.run(["list"]).exits(2).says(&["clip"]);
}

#[test]
fn doctor_finds_everything_after_the_set_up() {
    let env = TestEnv::new();
    let plugins = workspace().join("plugins");
    let run = env.run(["doctor", "--plugins", plugins.to_str().unwrap()]).exits(0);
    for part in ["ONNX Runtime", "plugins", "cache"] {
        assert!(run.stdout.contains(part), "{}", run.stdout);
    }
}

#[test]
fn doctor_says_what_to_do_without_a_runtime() {
    let env = TestEnv::new();
    let output = env.command().arg("doctor").env("ORT_DYLIB_PATH", "/nowhere").output().unwrap();
    let run = crate::env::finished(output).exits(2);
    assert!(run.stdout.contains("difftest runtime install"), "{}", run.stdout);
}

#[test]
fn runtime_list_shows_the_installed_library() {
    let env = TestEnv::new();
    let run = env.run(["runtime", "list"]).exits(0);
    assert!(run.stdout.contains("1.31"), "{}", run.stdout);
}

#[test]
fn what_the_environment_says_is_named_by_its_variable() {
    let env = TestEnv::new();
    let run = |arguments: &[&str]| {
        crate::env::finished(env.command().args(arguments).env("DIFFTEST_DEVICE", "foo").output().unwrap()).exits(2)
    };
    run(&["run"]).says(&["DIFFTEST_DEVICE", "foo"]);
    run(&["run", "--device", "bar"]).says(&["--device", "bar"]);
    env.run(["list", "--plugins", "/nope"]).exits(2).says(&["--plugins /nope: there is no such folder"]);
}

#[test]
fn help_teaches() {
    let env = TestEnv::new();
    let run = env.run(["run", "--help"]).exits(0);
    for part in ["--plugins", "--device", "Examples:", "-k"] {
        assert!(run.stdout.contains(part), "{}", run.stdout);
    }
    let top = env.run(["--help"]).exits(0);
    assert!(top.stdout.contains("Exit codes:"), "{}", top.stdout);
    env.run(["run", "--devise", "cpu"]).exits(2).says(&["--device"]);
}
