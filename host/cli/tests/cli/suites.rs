//! Mistakes in suite files: each points at its line and says what to do.

use crate::env::TestEnv;

/// A suite with one good test, to be spoilt.
fn suite(test: &str) -> String {
    format!("model = \"builtin:shapes\"\n\n[[test]]\n{test}\n")
}

/// What `difftest list` says of a spoilt suite; it must never get as far as a run.
#[track_caller]
fn complaint(text: &str) -> String {
    let env = TestEnv::new();
    env.write("suites/suite.toml", text);
    let listed = env.run(["list", "suite"]).exits(2);
    let ran = env.run(["run", "suite"]).exits(2);
    assert_eq!(listed.stderr, ran.stderr, "list and run must agree");
    assert!(!env.path(".difftest").exists(), "a suite with a mistake starts no run");
    env.redact(&listed.stderr)
}

#[test]
fn misspelt_key() {
    insta::assert_snapshot!(complaint(&suite(
        "name = \"a\"\npromts = [\"a red circle\"]\nmetrics = [\"clip_score\"]\nthreshold = { clip_score = 0.5 }"
    )));
}

#[test]
fn wrong_type() {
    insta::assert_snapshot!(complaint(&suite(
        "name = \"a\"\nprompts = [\"a red circle\"]\nsteps = \"many\"\nmetrics = [\"clip_score\"]"
    )));
}

#[test]
fn empty_prompts() {
    insta::assert_snapshot!(complaint(&suite("name = \"a\"\nprompts = []\nmetrics = [\"clip_score\"]")));
}

#[test]
fn duplicate_test_names() {
    let test = "name = \"a\"\nprompts = [\"a red circle\"]\nmetrics = [\"clip_score\"]";
    insta::assert_snapshot!(complaint(&suite(&format!("{test}\n\n[[test]]\n{test}"))));
}

#[test]
fn unknown_metric() {
    insta::assert_snapshot!(complaint(&suite("name = \"a\"\nprompts = [\"a red circle\"]\nmetrics = [\"clip_scor\"]")));
}

#[test]
fn unknown_plugin() {
    insta::assert_snapshot!(complaint(&suite(
        "name = \"a\"\nprompts = [\"a red circle\"]\nmetrics = [\"image-stat/brightness\"]"
    )));
}

#[test]
fn unknown_scheduler() {
    insta::assert_snapshot!(complaint(&suite(
        "name = \"a\"\nprompts = [\"a red circle\"]\nscheduler = \"dpm\"\nmetrics = [\"clip_score\"]"
    )));
}

#[test]
fn unknown_names_are_shown_where_they_stand() {
    let test = "name = \"a\"\nprompts = [\"a red circle\"]\nmetrics = [\"clip_score\"]\n";
    let text = complaint(&suite(&format!("{test}noise = \"foo\"\nscheduler = \"eulr\"")));
    for part in ["unknown noise stream `foo`", "suite.toml:7:9", "torch-cpu-f32", "suite.toml:8:13", "`euler`"] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    // a line of [defaults] is wrong once, however many tests have it from there
    let defaults = "[defaults]\nscheduler = \"dpm\"\n";
    let text = complaint(&format!(
        "model = \"builtin:shapes\"\n{defaults}[[test]]\n{test}[[test]]\n{}",
        test.replace("\"a\"", "\"b\"")
    ));
    assert!(text.contains("suite.toml:3:13") && text.matches("unknown scheduler").count() == 1, "{text}");
}

#[test]
fn not_toml() {
    insta::assert_snapshot!(complaint("model = \"builtin:shapes\n[[test]]"));
}

#[test]
fn several_problems_are_shown_together() {
    let text = complaint(&suite("name = \"a\"\nprompts = []\nmetrics = [\"clip_score\"]\nsteps = 0\nseeeds = [1]"));
    for part in ["prompts", "steps", "seeeds"] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn a_suite_that_is_not_there() {
    let env = TestEnv::new();
    env.write("suites/quick.toml", "");
    env.run(["run", "quikc"]).exits(2).says(&["there is no suite quikc", "did you mean `quick`?"]);
    env.run(["run", "x", "--test-dir", "nowhere"]).exits(2).says(&["there is no suite x"]);
    env.run(["run", "--test-dir", "nowhere"]).exits(2).says(&["cannot read the test folder nowhere", "difftest init"]);
}

#[test]
fn a_suite_that_is_no_text() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", [0xff, 0xfe, 0x00]);
    env.run(["run"]).exits(2).says(&["suite.toml", "not UTF-8"]);
}

#[test]
fn expressions_that_select_nothing_or_are_none() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", suite("name = \"a\"\nprompts = [\"a red circle\"]\nmetrics = [\"clip_score\"]"));
    env.run(["list", "-k", "blue"]).exits(2).says(&["matches no case", "difftest list"]);
    env.run(["list", "-k", "a and ("]).exits(2).says(&["-k:"]);
}
