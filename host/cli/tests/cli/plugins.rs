//! Plugins that cannot be used, and plugins that attack, inside a whole run.

use serde_json::json;

use crate::env::{TestEnv, component, workspace};

/// A good test beside a bad one.
fn beside(bad: &str) -> String {
    format!(
        "model = \"builtin:shapes\"\n\n[defaults]\nseeds = [1]\nsteps = 2\n\n[[test]]\nname = \"good\"\nprompts = [\"a red circle on a blue background\"]\nmetrics = [\"image-stats/brightness\"]\nthreshold = {{ \"image-stats/brightness\" = {{ min = 0.0 }} }}\n\n[[test]]\nname = \"bad\"\nprompts = [\"a red circle on a blue background\"]\n{bad}\n"
    )
}

/// Runs it; the bad test must be an error and the good one must have passed.
#[track_caller]
fn rest_goes_on(env: &TestEnv, bad: &str, more: &[&str], says: &[&str]) {
    let mut arguments = vec!["--output", "results.json"];
    arguments.extend(more);
    env.run_suite(&beside(bad), &arguments).exits(2).says(says);
    let tests = env.results().pointer("/suites/0/tests").unwrap().clone();
    assert_eq!(tests[0]["verdict"], json!("pass"));
    assert_eq!(tests[1]["verdict"], json!("error"));
}

#[test]
fn attacks_cost_their_own_test_only() {
    for (attack, says) in
        [("panic", "panic"), ("nan-score", "NaN"), ("endless-loop", "fuel"), ("memory-bomb", "memory")]
    {
        let env = TestEnv::new();
        let bad = format!("metrics = [{{ name = \"hostile/attack\", config = {{ attack = \"{attack}\" }} }}]");
        rest_goes_on(&env, &bad, &["--fuel", "200000000"], &["hostile", says]);
    }
}

#[test]
fn files_that_are_no_plugins_cost_their_own_test_only() {
    let env = TestEnv::new();
    let good = std::fs::read(component("image_stats.wasm")).unwrap();
    env.write("mine/truncated.wasm", &good[..good.len() / 2]);
    env.write("mine/text.wasm", "not wasm at all");
    env.write("mine/core.wasm", b"\0asm\x01\0\0\0");
    let mine = env.path("mine");
    for (name, says) in [("truncated", "truncated"), ("text", "text.wasm"), ("core", "component")] {
        let bad = format!("metrics = [\"{name}/x\"]");
        rest_goes_on(&env, &bad, &["--plugins", mine.to_str().unwrap()], &[says]);
    }
}

#[test]
fn a_config_that_breaks_the_schema_points_at_the_suite() {
    let env = TestEnv::new();
    let bad = "metrics = [{ name = \"color-words/adherence\", config = { min_areaa = 1 } }]";
    env.run_suite(&beside(bad), &[]).exits(2).says(&["suite.toml", "min_areaa"]);
}

#[test]
fn the_same_name_twice_is_an_error_that_names_both() {
    let env = TestEnv::new();
    let good = std::fs::read(component("image_stats.wasm")).unwrap();
    env.write("mine/image-stats.wasm", good);
    let bad = "metrics = [\"image-stats/contrast\"]";
    env.run_suite(&beside(bad), &["--plugins", env.path("mine").to_str().unwrap()])
        .exits(2)
        .says(&["image-stats", "mine"]);
}

#[test]
fn list_and_inspect() {
    let env = TestEnv::new();
    let plugins = workspace().join("plugins");
    let plugins = plugins.to_str().unwrap();
    let listed = env.run(["plugin", "list", "--plugins", plugins]).exits(0);
    for name in ["image-stats", "color-words", "prompt-matrix", "hostile"] {
        assert!(listed.stdout.contains(name), "{}", listed.stdout);
    }
    let shown = env.run(["plugin", "inspect", "image-stats", "--plugins", plugins]).exits(0);
    for part in ["exact", "sha256", "brightness", "colorfulness"] {
        assert!(shown.stdout.contains(part), "{}", shown.stdout);
    }
    let json = env.run(["plugin", "inspect", "image-stats", "--plugins", plugins, "--message-format", "json"]).exits(0);
    serde_json::from_str::<serde_json::Value>(&json.stdout).unwrap();
    env.run(["plugin", "inspect", "image-stat", "--plugins", plugins]).exits(2).says(&["image-stat", "image-stats"]);
    env.run(["plugin", "list", "--plugins", "nowhere"]).exits(2).says(&["nowhere"]);
}
