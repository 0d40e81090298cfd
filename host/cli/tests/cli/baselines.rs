//! Baselines: saved from runs, compared with, reviewed; and everything that must not become one.

use std::path::Path;

use image::{ImageBuffer, Rgb};
use serde_json::{Value, json};

use crate::env::{Finished, TestEnv, workspace};

const ENVIRONMENT: &str = "images";

/// A suite over two grey pictures in `out/`.
pub(crate) const SCORES: &str = "model = { images = \"../out\" }\n\n[[test]]\nname = \"light\"\nmetrics = [\"image-stats/brightness\"]\nthreshold = { \"image-stats/brightness\" = { min = 0.1 } }\n";

pub(crate) const VISUAL: &str = "model = { images = \"../out\" }\n\n[[test]]\nname = \"look\"\nkind = \"visual_regression\"\nbaseline_dir = \"../baselines/v1\"\ntiers = [\"pixel\", \"ssim\"]\nssim_threshold = 0.95\n";

pub(crate) fn picture(env: &TestEnv, name: &str, level: u8) {
    let folder = env.path("out");
    std::fs::create_dir_all(&folder).unwrap();
    // A square on a ground, so that there is structure to compare.
    let image = ImageBuffer::from_fn(32, 32, |x, y| {
        let inside = (8..24).contains(&x) && (8..24).contains(&y);
        Rgb::<u8>([if inside { level } else { 40 }; 3])
    });
    image.save(folder.join(name)).unwrap();
}

pub(crate) fn env() -> TestEnv {
    let env = TestEnv::new();
    picture(&env, "a.png", 128);
    picture(&env, "b.png", 200);
    env.write(
        "out/manifest.jsonl",
        "{\"file\": \"a.png\", \"prompt\": \"grey\", \"seed\": 1}\n{\"file\": \"b.png\", \"prompt\": \"white\", \"seed\": 2}\n",
    );
    env
}

/// `difftest` with these words, outside of any CI.
pub(crate) fn run(env: &TestEnv, words: &[&str]) -> Finished {
    let mut command = env.command();
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD"]
    {
        command.env_remove(name);
    }
    crate::env::finished(command.args(words).output().unwrap())
}

pub(crate) fn suite(env: &TestEnv, text: &str, more: &[&str]) -> Finished {
    env.write("suites/suite.toml", text);
    let plugins = workspace().join("plugins");
    run(env, &[&["run", "suite", "--plugins", plugins.to_str().unwrap()], more].concat())
}

pub(crate) fn manifest(env: &TestEnv, name: &str) -> Value {
    let path = env.path("baselines").join(name).join(ENVIRONMENT).join("manifest.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(crate) fn audit(env: &TestEnv, name: &str) -> Vec<Value> {
    let path = env.path("baselines").join(name).join(ENVIRONMENT).join("audit.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_that_passed_becomes_a_baseline_and_one_that_failed_does_not() {
    let env = env();
    run(&env, &["baseline", "save", "--model", "v1"]).exits(2).says(&["no recorded run"]);
    suite(&env, SCORES, &[]).exits(0);
    let saved = run(&env, &["baseline", "save", "--model", "v1"]).exits(0);
    assert!(saved.stdout.contains("2 images saved in baselines/v1/images"), "{}", saved.stdout);
    let first = manifest(&env, "v1");
    let cases = first["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 2);
    for (id, case) in cases {
        assert!(id.starts_with("suite::light["), "{id}");
        assert!(env.path("baselines/v1/images").join(case["file"].as_str().unwrap()).is_file());
        assert_eq!(case["accepted"]["because"], "passed");
        assert!(case.pointer("/scores/image-stats~1brightness/value").unwrap().as_f64().unwrap() > 0.1);
    }
    // the same again changes nothing, and the audit is not longer
    run(&env, &["baseline", "save", "v1"]).exits(0);
    assert_eq!((manifest(&env, "v1"), audit(&env, "v1").len()), (first.clone(), 2));
    // a failing run leaves the baseline as it is
    picture(&env, "a.png", 10);
    suite(&env, &SCORES.replace("min = 0.1", "min = 0.9"), &[]).exits(1);
    run(&env, &["baseline", "save", "v1"]).exits(2).says(&["suite::light", "did not pass"]);
    assert_eq!(manifest(&env, "v1"), first);
    // unless a person says so, and then it is noted
    run(&env, &["baseline", "save", "v1", "--accept-failing"]).exits(0);
    assert_ne!(manifest(&env, "v1"), first);
    let last = audit(&env, "v1").pop().unwrap();
    assert_eq!((last["decision"].as_str(), last["because"].as_str()), (Some("accept"), Some("person")));
    assert!(!last["by"].as_str().unwrap().is_empty() && last["replaced"].is_string());
}

#[test]
fn nobody_decides_on_ci() {
    let env = env();
    suite(&env, SCORES.replace("min = 0.1", "min = 0.9").as_str(), &[]).exits(1);
    for (variable, words) in [
        ("CI", &["baseline", "save", "v1", "--accept-failing"][..]),
        ("GITHUB_ACTIONS", &["run", "suite", "--update"]),
        ("CI", &["accept", "--all"]),
        ("CI", &["baseline", "import", "out", "--name", "v1", "--environment", "images"]),
    ] {
        let output = env.command().args(words).env(variable, "true").output().unwrap();
        crate::env::finished(output).exits(2).says(&["a person", "--allow-ci"]);
    }
    assert!(!env.path("baselines").exists());
}

#[test]
fn lists_shows_compares_and_verifies() {
    let env = env();
    suite(&env, SCORES, &[]).exits(0);
    run(&env, &["baseline", "save", "v1"]).exits(0);
    picture(&env, "a.png", 150);
    suite(&env, SCORES, &[]).exits(0);
    run(&env, &["baseline", "save", "v2"]).exits(0);

    let list = run(&env, &["baseline", "list", "--message-format", "json"]).exits(0).stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["baselines"].as_array().unwrap().len(), 2);
    assert_eq!(list.pointer("/baselines/0/images"), Some(&json!(2)));
    let diff = run(&env, &["baseline", "diff", "v1", "v2", "--message-format", "json"]).exits(0).stdout;
    let diff: Value = serde_json::from_str(&diff).unwrap();
    assert_eq!(diff.pointer("/environments/0/same"), Some(&json!(1)));
    assert_eq!(diff.pointer("/environments/0/changes/0/change"), Some(&json!("image")));
    let shown = run(&env, &["baseline", "show", "v1", "p0"]).exits(0).stdout;
    assert!(shown.contains("its run passed") && shown.contains("prompt    grey"), "{shown}");
    run(&env, &["baseline", "show", "v3"]).exits(2).says(&["v1, v2"]);
    run(&env, &["baseline", "show", "../v1"]).exits(2);

    run(&env, &["baseline", "verify"]).exits(0);
    let cases = manifest(&env, "v1");
    let file = cases["cases"].as_object().unwrap().values().next().unwrap()["file"].as_str().unwrap().to_owned();
    let path = env.path("baselines/v1/images").join(file);
    std::fs::copy(env.path("out/b.png"), &path).unwrap();
    let verified = run(&env, &["baseline", "verify", "v1"]).exits(2).says(&["1 image is not as accepted"]);
    assert!(verified.stdout.contains("another image"), "{}", verified.stdout);

    // what no suite has any more, and what belongs to nothing
    env.write("baselines/v1/images/stray.png", "x");
    env.write("suites/suite.toml", SCORES.replace("light", "dark"));
    let plugins = workspace().join("plugins");
    let plugins = ["--plugins", plugins.to_str().unwrap()];
    let listed = run(&env, &[&["baseline", "list", "--unreferenced"], &plugins[..]].concat()).exits(0).stdout;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    let dry = run(&env, &[&["baseline", "prune", "v1", "--dry-run"], &plugins[..]].concat()).exits(0).stdout;
    assert!(dry.contains("stray.png") && env.path("baselines/v1/images/stray.png").exists(), "{dry}");
    run(&env, &[&["baseline", "prune", "v1"], &plugins[..]].concat()).exits(0);
    assert_eq!(manifest(&env, "v1")["cases"], json!({}));
    assert!(!env.path("baselines/v1/images/stray.png").exists() && !path.exists());
    assert_eq!(audit(&env, "v1").last().unwrap()["decision"], "removed");
    assert_eq!(manifest(&env, "v2")["cases"].as_object().unwrap().len(), 2, "only what was named");
}

#[test]
fn new_and_changed_images_are_pending_until_a_person_decides() {
    let env = env();
    let first = suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    assert!(first.stderr.contains("difftest review"), "{}", first.stderr);
    let standing = |env: &TestEnv, case: usize| {
        env.results()
            .pointer(&format!("/suites/0/cases/{case}/comparison/standing"))
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!((standing(&env, 0), standing(&env, 1)), ("new".into(), "new".into()));
    // no terminal: the ways without one are told
    run(&env, &["review"]).exits(2).says(&["no terminal", "difftest accept", "approvals.json"]);
    let listed = run(&env, &["review", "--list", "--message-format", "json"]).exits(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let ids: Vec<_> =
        listed["pending"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2);
    run(&env, &["accept", "suite::nothing"]).exits(2).says(&["has no case suite::nothing"]);
    run(&env, &["accept", "--changed"]).exits(2).says(&["nothing of that kind"]);
    run(&env, &["accept", "--all", "--dry-run"]).exits(0);
    assert!(!env.path("baselines").exists());
    run(&env, &["accept", &ids[0]]).exits(0);
    run(&env, &["reject", &ids[1]]).exits(0);
    let left = run(&env, &["review", "--list"]).exits(0).stdout;
    assert!(left.contains("0 images pending") && left.contains("1 rejected before"), "{left}");
    suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    assert_eq!((standing(&env, 0), standing(&env, 1)), ("same".into(), "new".into()));
    run(&env, &["accept", &ids[1]]).exits(0);
    suite(&env, VISUAL, &[]).exits(0);

    // a change is seen, shown and reviewed
    picture(&env, "b.png", 90);
    suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    let comparison = env.results().pointer("/suites/0/cases/1/comparison").unwrap().clone();
    assert_eq!(comparison["standing"], "changed");
    for picture in ["diff", "heatmap"] {
        let image = image::open(comparison[picture].as_str().unwrap()).unwrap();
        assert_eq!((image.width(), image.height()), (32, 32));
    }
    assert_eq!(comparison.pointer("/details/0/value"), Some(&json!(256.0)), "16 x 16 pixels differ: {comparison}");
    // what tolerates it passes
    let lenient = VISUAL.replace("ssim_threshold = 0.95", "ssim_threshold = 0.1\nmax_diff_ratio = 0.5");
    suite(&env, &lenient, &[]).exits(0);
    let pixels =
        VISUAL.replace("tiers = [\"pixel\", \"ssim\"]\n", "").replace("ssim_threshold = 0.95", "tiers = [\"pixel\"]");
    let ignoring = format!("{pixels}ignore = [[6, 6, 20, 20]]\n");
    suite(&env, &ignoring, &[]).exits(0);
    let outside = VISUAL.replace("ssim_threshold", "ignore = [[64, 64, 8, 8]]\nssim_threshold");
    suite(&env, &outside, &[]).exits(2).says(&["covers no pixel"]);
    // and --update says it beforehand: new ones only, or all
    suite(&env, VISUAL, &["--update"]).exits(1);
    suite(&env, VISUAL, &["--update=all"]).exits(0);
    suite(&env, VISUAL, &[]).exits(0);
    assert_eq!(audit(&env, "v1").last().unwrap()["because"], "person");
}

fn approvals(env: &TestEnv, run: &str, marks: &[(&str, &str, &str)]) {
    let marks: Vec<_> =
        marks.iter().map(|(id, image, decision)| json!({ "id": id, "image": image, "decision": decision })).collect();
    env.write("approvals.json", json!({ "format": 1, "report": run, "approvals": marks }).to_string());
}

#[test]
fn approvals_count_for_the_images_that_were_looked_at() {
    let env = env();
    suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    let results = env.results();
    let name = results["run"].as_str().unwrap().to_owned();
    let case = |index: usize| {
        let text = |pointer: &str| {
            results.pointer(&format!("/suites/0/cases/{index}/{pointer}")).unwrap().as_str().unwrap().to_owned()
        };
        (text("id"), text("image/digest"))
    };
    let ((a, image_a), (b, image_b)) = (case(0), case(1));
    let accept = || run(&env, &["accept", "--from", "approvals.json"]);
    accept().exits(2).says(&["cannot read approvals.json"]);
    for (text, part) in
        [("{", "approvals"), ("{\"format\": 2}", "format 2"), ("{\"format\": 1}", "report"), ("[]", "approvals")]
    {
        env.write("approvals.json", text);
        accept().exits(2).says(&[part]);
    }
    approvals(&env, &name, &[(&a, &image_a, "accept"), ("suite::look[none,seed=3]", &image_b, "accept")]);
    accept().exits(2).says(&["has no case suite::look[none,seed=3]"]);
    approvals(&env, &name, &[(&a, &image_a, "accept"), (&b, &image_a, "accept")]);
    accept().exits(2).says(&["another image now", &b]);
    approvals(&env, &name, &[(&a, &image_a, "accept"), (&a, &image_a, "reject")]);
    accept().exits(2).says(&["twice"]);
    assert!(!env.path("baselines").exists(), "one wrong mark, and nothing is decided");
    approvals(&env, &name, &[(&a, &image_a, "accept"), (&b, &image_b, "accept")]);
    run(&env, &["reject", "--from", "approvals.json"]).exits(0);
    assert!(!env.path("baselines").exists(), "whoever rejects accepts nothing");
    accept().exits(0);
    suite(&env, VISUAL, &[]).exits(0);
    // The same marks once more, after a run that made the same images: nothing is left to decide.
    accept().exits(0);

    // marks of a run whose images have changed since
    picture(&env, "a.png", 60);
    suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    approvals(&env, &name, &[(&a, &image_a, "accept")]);
    accept().exits(2).says(&["another image now", &name]);
    // and of one whose baseline has
    let changed = env.results().pointer("/suites/0/cases/0/image/digest").unwrap().as_str().unwrap().to_owned();
    let before = env.results()["run"].as_str().unwrap().to_owned();
    picture(&env, "a.png", 70);
    suite(&env, VISUAL, &["--update=all"]).exits(0);
    approvals(&env, &before, &[(&a, &changed, "accept")]);
    run(&env, &["accept", "--from", "approvals.json", "--run", &before]).exits(2).says(&["run again"]);
}

#[test]
fn two_people_accept_at_once() {
    let env = env();
    suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    let results = env.results();
    let ids: Vec<_> = (0..2)
        .map(|case| results.pointer(&format!("/suites/0/cases/{case}/id")).unwrap().as_str().unwrap().to_owned())
        .collect();
    let both: Vec<_> = ids.iter().map(|id| env.command().args(["accept", id]).spawn().unwrap()).collect();
    for mut child in both {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(manifest(&env, "v1")["cases"].as_object().unwrap().len(), 2);
    assert_eq!(audit(&env, "v1").len(), 2);
    suite(&env, VISUAL, &[]).exits(0);
}

#[test]
fn an_accept_that_is_killed_leaves_the_old_baseline_or_the_new_one() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    let old = manifest(&env, "v1");
    for round in 0..12_u8 {
        // far enough from the round before that no tier tolerates it
        let level = if round % 2 == 0 { 60 } else { 220 };
        picture(&env, "a.png", level + round);
        picture(&env, "b.png", level - round);
        suite(&env, VISUAL, &[]).exits(1);
        let mut child = env.command().args(["accept", "--all"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(u64::from(round) * 3));
        let _ = child.kill();
        child.wait().unwrap();
        // whatever it came to: every image is the one that the manifest says
        let verified = run(&env, &["baseline", "verify", "--message-format", "json"]).exits(0).stdout;
        assert_eq!(serde_json::from_str::<Value>(&verified).unwrap()["good"], true, "round {round}: {verified}");
        // and the next one finishes it
        suite(&env, VISUAL, &["--update=all"]).exits(0);
        suite(&env, VISUAL, &[]).exits(0);
    }
    assert_ne!(manifest(&env, "v1"), old);
}

#[test]
fn a_baseline_of_another_environment_makes_images_new_and_says_so() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    let (from, to) = (env.path("baselines/v1/images"), env.path("baselines/v1/cuda-f16"));
    std::fs::rename(&from, &to).unwrap();
    let path = to.join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"environment\": \"images\"", "\"environment\": \"cuda-f16\"")).unwrap();
    suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    let comparison = env.results().pointer("/suites/0/cases/0/comparison").unwrap().clone();
    assert_eq!(comparison["standing"], "new");
    assert!(comparison["note"].as_str().unwrap().contains("cuda-f16"), "{comparison}");
}

#[test]
fn images_of_another_program_become_a_baseline() {
    let env = env();
    env.write("suites/suite.toml", VISUAL);
    let words = ["baseline", "import", "out", "--name", "v1", "--environment", "images"];
    assert!(run(&env, &words).exits(0).stdout.contains("2 images taken into"));
    suite(&env, VISUAL, &[]).exits(0);
    let elsewhere = ["baseline", "import", "out", "--name", "v1", "--environment", "../up"];
    run(&env, &elsewhere).exits(2).says(&["environment name"]);
    env.write("out/manifest.jsonl", "{\"file\": \"a.png\", \"prompt\": \"nobody asked\", \"seed\": 1}\n");
    env.write("suites/suite.toml", "model = \"builtin:shapes\"\n[[test]]\nname = \"look\"\nkind = \"visual_regression\"\nprompts = [\"x\"]\nbaseline = \"v1\"\n");
    run(&env, &words).exits(2).says(&["no case of the suites"]);
}

#[test]
fn mistakes_in_the_suite_point_at_the_line() {
    let env = env();
    for (text, parts) in [
        (VISUAL.replace("visual_regression", "visual_regresion"), &["did you mean `visual_regression`"][..]),
        (VISUAL.replace("\"pixel\"", "\"pixels\""), &["unknown tier `pixels`", "did you mean `pixel`"]),
        (VISUAL.replace("ssim_threshold = 0.95", "ssim_treshold = 0.95"), &["did you mean `ssim_threshold`"]),
        (VISUAL.replace("ssim_threshold = 0.95", "ssim_threshold = 95"), &["out of range", "0 to 1"]),
        (VISUAL.replace("ssim_threshold = 0.95", "phash_distance = 3"), &["`phash` is not among the tiers"]),
        (VISUAL.replace("ssim_threshold = 0.95", "ignore = [[1, 2, 3]]"), &["[x, y, width, height]"]),
        (VISUAL.replace("baseline_dir = \"../baselines/v1\"\n", ""), &["names no baseline", "baseline_dir"]),
        (SCORES.replace("metrics", "ssim_threshold = 0.9\nmetrics"), &["compares no images"]),
        (VISUAL.replace("ssim_threshold = 0.95", "max_diff_pixels = 3\nmax_diff_ratio = 0.1"), &["in two ways"]),
    ] {
        suite(&env, &text, &[]).exits(2).says(parts);
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[test]
fn a_review_on_a_terminal_asks_about_each() {
    // `script` gives it a terminal; where there is none, nothing is tested.
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("skipped: there is no `script` to make a terminal with");
        return;
    }
    use std::io::Write as _;
    let env = env();
    suite(&env, VISUAL, &[]).exits(1);
    let mut command = std::process::Command::new("script");
    let program = format!("'{}' review", env!("CARGO_BIN_EXE_difftest"));
    command
        .args(["-q", "-e", "-c", &program, "/dev/null"])
        .current_dir(env.path(""))
        .env_remove("CI")
        .env_remove("GITHUB_ACTIONS");
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"?\na\nr\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("1/2") && text.contains("1 image accepted into") && text.contains("1 rejected")
            || text.contains("rejected"),
        "{text}"
    );
    assert_eq!(manifest(&env, "v1")["cases"].as_object().unwrap().len(), 1);
    let decisions: Vec<_> =
        audit(&env, "v1").iter().map(|entry| entry["decision"].as_str().unwrap().to_owned()).collect();
    assert_eq!(decisions, ["accept", "reject"]);
}
