//! Whole runs on the small model: verdicts, exit codes, and that nothing but the inputs matters.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::env::{TestEnv, workspace};

const SUITE: &str = "model = \"builtin:shapes\"\n\n[defaults]\nseeds = [42, 7]\nsteps = 4\n\n[[test]]\nname = \"one\"\nprompts = [\"a red circle on a blue background\", \"a green star on a white background\"]\nmetrics = [\"clip_score\", \"image-stats/sharpness\", \"color-words/adherence\"]\nthreshold = { clip_score = -1.0 }\n\n[[test]]\nname = \"two\"\nprompts = { generator = \"prompt-matrix\", config = { template = \"a {color} ring\", color = [\"pink\", \"cyan\"] } }\nscheduler = \"euler\"\nmetrics = [\"image-stats/entropy\"]\n";

/// For each case id: digest of the PNG file, and every score with its fuel.
fn fingerprint(env: &TestEnv) -> BTreeMap<String, (Vec<u8>, String)> {
    let results = env.results();
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let prints = cases.iter().map(|case| {
        let png = std::fs::read(case.pointer("/image/path").unwrap().as_str().unwrap()).unwrap();
        let scores: Vec<_> = case["scores"].as_array().unwrap().iter().map(|s| (&s["value"], &s["fuel"])).collect();
        (case["id"].as_str().unwrap().to_owned(), (png, format!("{scores:?}")))
    });
    prints.collect()
}

#[test]
fn only_the_inputs_matter() {
    let mut reference = None;
    for more in [&["-j", "1"][..], &["-j", "2"], &["-j", "2", "--batch", "3"], &["-j", "1"]] {
        let env = TestEnv::new();
        env.run_suite(SUITE, &[more, &["--output", "results.json"]].concat()).exits(0);
        let print = fingerprint(&env);
        assert_eq!(print.len(), 8);
        let reference = reference.get_or_insert_with(|| print.clone());
        assert!(*reference == print, "{more:?} changed pixels, scores or fuel");
    }
    // Each case alone is the same as in company.
    let env = TestEnv::new();
    env.run_suite(SUITE, &["-k", "p1 and seed=7", "--output", "results.json"]).exits(0);
    let alone = fingerprint(&env);
    assert_eq!(alone.len(), 1);
    for (id, print) in alone {
        assert!(reference.as_ref().unwrap()[&id] == print);
    }
}

#[test]
fn results_follow_their_published_schema() {
    let env = TestEnv::new();
    env.run_suite(SUITE, &["--output", "results.json"]).exits(0);
    let schema = std::fs::read(workspace().join("host/report/schema/results.schema.json")).unwrap();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let results = env.results();
    let errors: Vec<_> = validator.iter_errors(&results).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_failing_suite_says_which_test_and_by_how_much() {
    let env = TestEnv::new();
    let suite = std::fs::read_to_string(workspace().join("suites/failing.toml")).unwrap();
    let run = env.run_suite(&suite, &[]).exits(1).says(&["must_be_grey_and_dark", "image-stats/colorfulness"]);
    assert!(run.stderr.contains("1 passed") && run.stderr.contains("1 failed"), "{}", run.stderr);
}

#[test]
fn fail_fast_begins_nothing_after_the_first_failure() {
    let env = TestEnv::new();
    let test = |name: &str, min: f64| {
        format!(
            "[[test]]\nname = \"{name}\"\nprompts = [\"a red circle\"]\nseeds = [1, 2, 3, 4, 5, 6, 7, 8]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\nthreshold = {{ \"image-stats/brightness\" = {{ min = {min} }} }}\n\n"
        )
    };
    let suite = format!("model = \"builtin:shapes\"\n{}{}{}", test("a", 0.99), test("b", 0.0), test("c", 0.0));
    env.run_suite(&suite, &["-x", "-j", "1", "--output", "results.json"]).exits(1);
    let tests = env.results().pointer("/suites/0/tests").unwrap().clone();
    assert_eq!(tests[0]["verdict"], "fail");
    assert_eq!(tests[2]["verdict"], "not-run");
}

#[test]
fn manual_suites_run_only_when_named() {
    let env = TestEnv::new();
    env.write("suites/slow.toml", format!("manual = true\n{SUITE}"));
    env.run(["run"]).exits(2).says(&["manual", "slow"]);
    let plugins = workspace().join("plugins");
    let listed = env.run(["list", "slow", "--plugins", plugins.to_str().unwrap()]).exits(0);
    assert!(listed.stdout.contains("slow::one[p0,seed=42]"), "{}", listed.stdout);
}

#[test]
fn seeds_on_the_command_line_replace_the_suites() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", SUITE);
    let plugins = workspace().join("plugins");
    let listed = env.run(["list", "--seed", "9", "--plugins", plugins.to_str().unwrap()]).exits(0);
    assert!(listed.stdout.contains("seed=9") && !listed.stdout.contains("seed=42"), "{}", listed.stdout);
}

#[test]
fn the_recording_tells_each_case_in_order() {
    let env = TestEnv::new();
    env.run_suite(SUITE, &["--artifacts", "run"]).exits(0);
    let recording = std::fs::read_to_string(env.path("run/events.jsonl")).unwrap();
    let events: Vec<Value> = recording.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kind = |event: &Value| event["event"].as_str().unwrap().to_owned();
    assert_eq!(kind(&events[0]), "run-started");
    assert_eq!(kind(&events[1]), "suite-started");
    assert_eq!(kind(events.last().unwrap()), "run-finished");
    // Test `one` has four cases with three metrics, `two` has four with one.
    for (case, scores) in (0..8).map(|case| (case, if case < 4 { 3 } else { 1 })) {
        let of_case = events.iter().filter(|e| e["case"] == case && kind(e) != "log").map(kind).collect::<Vec<_>>();
        let mut expected = vec!["case-started".to_owned(), "generated".to_owned()];
        expected.extend(vec!["scored".to_owned(); scores]);
        expected.push("case-finished".to_owned());
        assert_eq!(of_case, expected, "case {case}");
    }
    let position = |wanted: &dyn Fn(&Value) -> bool| events.iter().position(wanted).unwrap();
    for (test, cases) in [(0, 0..4), (1, 4..8)] {
        let judged = position(&|e| kind(e) == "test-finished" && e["test"] == test);
        for case in cases {
            assert!(position(&|e| kind(e) == "case-finished" && e["case"] == case) < judged);
        }
    }
}

#[test]
fn several_suites_in_one_run() {
    let env = TestEnv::new();
    for name in ["a", "b"] {
        env.write(&format!("suites/{name}.toml"), SUITE);
    }
    let plugins = workspace().join("plugins");
    env.run([
        "run",
        "-k",
        "two and pink and seed=7",
        "--output",
        "results.json",
        "--plugins",
        plugins.to_str().unwrap(),
    ])
    .exits(0);
    let results = env.results();
    let names: Vec<_> = results["suites"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    let digest = |suite: usize| results.pointer(&format!("/suites/{suite}/cases/0/image/digest")).unwrap().clone();
    assert_eq!(digest(0), digest(1));
}
