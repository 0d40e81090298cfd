//! `difftest.lock`: written, checked, kept to.

use difftest_core::digest::Digest;
use serde_json::json;

use crate::env::{Finished, TestEnv, component, finished};

const SUITE: &str = "model = \"builtin:shapes\"\n\n[[test]]\nname = \"one\"\nprompts = [\"a red circle on a blue background\"]\nseeds = [1]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\n";

/// A project with one plugin and a suite that uses it.
fn project() -> TestEnv {
    let env = TestEnv::new();
    env.write("plugins/image-stats.wasm", std::fs::read(component("image_stats.wasm")).unwrap());
    env.write("suites/suite.toml", SUITE);
    env
}

/// Another file that is as good a component: an empty custom section more.
fn altered() -> Vec<u8> {
    [std::fs::read(component("image_stats.wasm")).unwrap(), b"\0\x02\x01x".to_vec()].concat()
}

fn digests() -> [String; 2] {
    [std::fs::read(component("image_stats.wasm")).unwrap(), altered()].map(|bytes| Digest::of(&bytes).to_string())
}

fn run_in(env: &TestEnv, ci: &str, more: &[&str]) -> Finished {
    finished(env.command().arg("run").args(more).env("CI", ci).output().unwrap())
}

#[test]
fn what_was_locked_is_verified_and_runs_locked() {
    let env = project();
    let locked = env.run(["plugin", "lock"]).exits(0);
    let [digest, _] = digests();
    assert!(locked.stdout.contains("pinned") && locked.stdout.contains(&digest), "{}", locked.stdout);
    let text = std::fs::read_to_string(env.path("difftest.lock")).unwrap();
    for part in [
        "# Written by difftest",
        "version = 1\n",
        "name = \"image-stats\"",
        &format!("sha256 = \"{digest}\""),
        "source = \"path:plugins/image-stats.wasm\"",
        "class = \"exact\"",
        "exports = [\"difftest:plugin/metric@0.1.0\"]",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    env.run(["plugin", "verify"]).exits(0);
    env.run(["run", "--locked"]).exits(0);
    run_in(&env, "true", &[]).exits(0);
    // locking again changes nothing
    env.run(["plugin", "lock"]).exits(0);
    assert_eq!(std::fs::read_to_string(env.path("difftest.lock")).unwrap(), text);
}

#[test]
fn a_lock_that_was_edited_by_hand_is_refused() {
    let env = project();
    env.run(["plugin", "lock"]).exits(0);
    let text = std::fs::read_to_string(env.path("difftest.lock")).unwrap();
    for (was, edited, says) in [
        ("class = \"exact\"", "class = \"model-dependent\"", "its class is exact, written is model-dependent"),
        ("difftest:plugin/metric@0.1.0", "difftest:plugin/set-metric@0.1.0", "it exports difftest:plugin/metric@0.1.0"),
    ] {
        assert!(text.contains(was), "{text}");
        env.write("difftest.lock", text.replace(was, edited));
        env.run(["run", "--locked"]).exits(2).says(&[says, "difftest plugin lock image-stats"]);
    }
    std::fs::File::create(env.path("difftest.lock")).unwrap().set_len(2 << 20).unwrap();
    env.run(["run", "--locked"]).exits(2).says(&["difftest.lock cannot be read: it is larger than 1048576 bytes"]);
    #[cfg(unix)]
    {
        std::fs::remove_file(env.path("difftest.lock")).unwrap();
        std::os::unix::fs::symlink("nowhere", env.path("difftest.lock")).unwrap();
        for command in [["run", "--locked"], ["plugin", "verify"], ["plugin", "lock"]] {
            env.run(command).exits(2).says(&["symbolic link to a file that is not there", "remove the link"]);
        }
    }
}

#[test]
fn a_plugin_that_differs_is_refused_where_the_lock_is_kept() {
    let env = project();
    env.run(["plugin", "lock"]).exits(0);
    env.write("plugins/image-stats.wasm", altered());
    let [locked, found] = digests();
    let both = [locked.as_str(), found.as_str(), "image-stats", "difftest plugin lock image-stats"];
    let refused = env.run(["run", "--locked", "--output", "results.json"]).exits(2).says(&both);
    // the same command again would be refused again
    assert!(!refused.stderr.contains(" -k "), "{}", refused.stderr);
    assert!(env.results().to_string().contains("\"plugin-differs\""));
    env.run(["list", "--locked"]).exits(2).says(&both);
    let verified = env.run(["plugin", "verify"]).exits(2);
    assert!(verified.stdout.contains("FAILED") && both[..3].iter().all(|part| verified.stdout.contains(part)));
    // CI is a reason to keep to the lock, `--no-locked` and a person's own machine are reasons not to
    run_in(&env, "true", &[]).exits(2).says(&both);
    run_in(&env, "1", &[]).exits(2);
    run_in(&env, "true", &["--no-locked"]).exits(0);
    run_in(&env, "true", &["--locked", "--no-locked"]).exits(0);
    run_in(&env, "false", &[]).exits(0);
    run_in(&env, "0", &[]).exits(0);
    run_in(&env, "", &[]).exits(0);
    env.run(["run"]).exits(0);
    let again = env.run(["plugin", "lock", "image-stats"]).exits(0);
    assert!(again.stdout.contains("changed") && again.stdout.contains(&locked), "{}", again.stdout);
    env.run(["run", "--locked"]).exits(0);
}

#[test]
fn a_plugin_without_a_pin_is_refused_and_the_rest_goes_on() {
    let env = project();
    env.run(["run", "--locked"]).exits(2).says(&["there is no difftest.lock", "difftest plugin lock"]);
    env.write("difftest.lock", "version = 1\n");
    env.run(["run", "--locked"]).exits(2).says(&["image-stats", "is not in difftest.lock"]);
    env.write("suites/suite.toml", SUITE.replace("[\"image-stats/brightness\"]", "[\"clip_score\"]"));
    std::fs::remove_file(env.path("difftest.lock")).unwrap();
    // a suite that uses no plugin needs no lock
    env.run(["run", "--locked"]).exits(0);
}

#[test]
fn verify_tells_what_is_missing_and_what_nobody_pinned() {
    let env = project();
    env.run(["plugin", "verify"]).exits(2).says(&["no difftest.lock", "difftest plugin lock"]);
    env.run(["plugin", "lock"]).exits(0);
    env.write("plugins/other.wasm", std::fs::read(component("prompt_matrix.wasm")).unwrap());
    let told = env.run(["plugin", "verify"]).exits(0);
    assert!(told.stdout.contains("not pinned other"), "{}", told.stdout);
    std::fs::remove_file(env.path("plugins/image-stats.wasm")).unwrap();
    let told = env.run(["plugin", "verify", "--message-format", "json"]).exits(2);
    let value: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(value["not_locked"], json!(["other"]));
    assert!(value["plugins"][0]["problems"][0].as_str().unwrap().contains("missing"), "{value}");
    // locking everything forgets what is gone
    let locked = env.run(["plugin", "lock"]).exits(0);
    assert!(locked.stdout.contains("dropped  image-stats"), "{}", locked.stdout);
}

#[test]
fn a_lock_edited_by_hand_is_shown_with_the_line() {
    let env = project();
    env.run(["plugin", "lock"]).exits(0);
    let text = std::fs::read_to_string(env.path("difftest.lock")).unwrap();
    let [digest, _] = digests();
    for (from, to, says) in [
        (digest.as_str(), "2cf24dba", "64 lower-case hex digits"),
        ("version = 1\n", "version = 7\n", "reads version 1"),
        ("class = \"exact\"", "class = \"perfect\"", "unknown variant"),
        ("sha256 =", "sha512 =", "unknown field"),
    ] {
        env.write("difftest.lock", text.replace(from, to));
        for command in
            [&["run", "--locked"][..], &["plugin", "verify"], &["plugin", "lock"], &["plugin", "add", "x.wasm"]]
        {
            env.run(command).exits(2).says(&["difftest.lock", says]);
        }
    }
    // what the file says beside the digest is held against the component
    env.write("difftest.lock", text.replace("class = \"exact\"", "class = \"model-dependent\""));
    let told = env.run(["plugin", "verify"]).exits(2);
    assert!(told.stdout.contains("its class is exact, written is model-dependent"), "{}", told.stdout);
}

#[test]
fn add_checks_copies_and_pins_and_replaces_only_on_demand() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", SUITE);
    let file = env.write("build/image_stats.wasm", std::fs::read(component("image_stats.wasm")).unwrap());
    let added = env.run(["plugin", "add", "build/image_stats.wasm"]).exits(0);
    let [digest, other] = digests();
    for part in ["added image-stats", "plugins/image-stats.wasm", &digest, "image-stats/brightness", "exact"] {
        assert!(added.stdout.contains(part), "no {part:?} in\n{}", added.stdout);
    }
    env.run(["plugin", "verify"]).exits(0);
    env.run(["run", "--locked"]).exits(0);
    env.run(["plugin", "add", "build/image_stats.wasm"]).exits(0);

    std::fs::write(&file, altered()).unwrap();
    env.run(["plugin", "add", "build/image_stats.wasm"]).exits(2).says(&[&digest, &other, "--force"]);
    assert_eq!(
        std::fs::read(env.path("plugins/image-stats.wasm")).unwrap(),
        std::fs::read(component("image_stats.wasm")).unwrap()
    );
    env.run(["plugin", "add", "build/image_stats.wasm", "--name", "second"]).exits(0);
    env.run(["plugin", "add", "build/image_stats.wasm", "--force", "--message-format", "json"]).exits(0);
    env.run(["plugin", "verify"]).exits(0);
    assert_eq!(std::fs::read(env.path("plugins/image-stats.wasm")).unwrap(), altered());
}

#[test]
fn add_puts_nothing_anywhere_that_is_no_plugin() {
    let env = TestEnv::new();
    let good = std::fs::read(component("image_stats.wasm")).unwrap();
    env.write("text.wasm", "not wasm at all");
    env.write("core.wasm", b"\0asm\x01\0\0\0");
    env.write("half.wasm", &good[..good.len() / 2]);
    env.write("Odd Name.wasm", &good);
    for (file, says) in [
        ("text.wasm", "is not WebAssembly"),
        ("core.wasm", "core module"),
        ("half.wasm", "cut off"),
        ("Odd Name.wasm", "--name"),
        ("missing.wasm", "missing.wasm"),
        (".", "is a folder"),
        ("oci://nonsense", "oci://HOST/NAME:VERSION"),
        ("ftp://x/y", "only files and oci://"),
        ("https://host.io/a.wasm", "only files and oci://"),
        ("", "the source is empty"),
    ] {
        env.run(["plugin", "add", file]).exits(2).says(&[says]);
    }
    assert!(!env.path("plugins").exists() && !env.path("difftest.lock").exists());
}
