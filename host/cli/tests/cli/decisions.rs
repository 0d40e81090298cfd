//! What a person decides stays decided: rejections, withdrawals, and what `--update` takes.

use serde_json::{Value, json};

use crate::baselines::{SCORES, VISUAL, audit, env, manifest, picture, run, suite};
use crate::env::{TestEnv, workspace};

const FIRST: &str = "suite::look[p0,seed=1]";

fn comparison(env: &TestEnv, case: usize) -> Value {
    env.results().pointer(&format!("/suites/0/cases/{case}/comparison")).unwrap().clone()
}

#[test]
fn what_is_the_baseline_is_withdrawn_and_not_rejected() {
    let env = env();
    suite(&env, VISUAL, &[]).exits(1);
    run(&env, &["accept", "--all"]).exits(0);
    let (before, lines) = (manifest(&env, "v1"), audit(&env, "v1").len());
    // of the run that was accepted, and of one that found it as its baseline
    let refused = run(&env, &["reject", FIRST]).exits(2);
    assert!(refused.stderr.contains("is the one that baseline") && !refused.stdout.contains("rejected"));
    let remove = format!("difftest baseline remove baselines/v1 '{FIRST}'");
    assert!(refused.stderr.contains(&remove), "{}", refused.stderr);
    run(&env, &["reject", "--dry-run", FIRST]).exits(2);
    suite(&env, VISUAL, &[]).exits(0);
    run(&env, &["reject", FIRST]).exits(2).says(&["baseline remove"]);
    assert_eq!((manifest(&env, "v1"), audit(&env, "v1").len()), (before.clone(), lines));

    // withdrawn, it is new again
    run(&env, &["baseline", "remove", "v1", "suite::look[p0,seed=9]"]).exits(2).says(&["has no case", FIRST]);
    run(&env, &["baseline", "remove", "v1", FIRST, "--environment", "cuda"]).exits(2);
    run(&env, &["baseline", "remove", "v1", FIRST, "--dry-run"]).exits(0);
    let on_ci = env.command().args(["baseline", "remove", "v1", FIRST]).env("CI", "true").output().unwrap();
    crate::env::finished(on_ci).exits(2).says(&["a person"]);
    assert_eq!(manifest(&env, "v1"), before);
    let done = run(&env, &["baseline", "remove", "baselines/v1", FIRST]).exits(0);
    assert_eq!(done.stdout, format!("withdrew v1 images {FIRST}\n"));
    assert_eq!(audit(&env, "v1").last().unwrap()["decision"], "removed");
    suite(&env, VISUAL, &["--output", "results.json"]).exits(1);
    assert_eq!(comparison(&env, 0)["standing"], "new");
    run(&env, &["reject", FIRST]).exits(0);
    suite(&env, VISUAL, &[]).exits(1).says(&["1 image has no baseline, rejected before"]);
}

#[test]
fn a_run_knows_what_was_rejected() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    picture(&env, "a.png", 230);
    picture(&env, "b.png", 90);
    suite(&env, VISUAL, &[]).exits(1).says(&["2 changed: difftest review"]);
    let rejected = run(&env, &["reject", "--all"]).exits(0).stdout;
    assert_eq!(rejected, "2 images rejected: the baseline stays\n");
    let lines = audit(&env, "v1").len();
    // once more says nothing new
    let again = run(&env, &["reject", FIRST]).exits(0).stdout;
    assert_eq!((again.as_str(), audit(&env, "v1").len()), ("1 image rejected already\n", lines));

    let reports =
        ["--output", "results.json", "--junit", "junit.xml", "--markdown", "report.md", "--html", "report.html"];
    let told = suite(&env, VISUAL, &reports).exits(1);
    let line = "2 changed, rejected before: make other images, or accept one after all with `difftest accept ID`";
    assert!(told.stderr.contains(line) && !told.stderr.contains("difftest review"), "{}", told.stderr);
    let said = comparison(&env, 0)["said"]["rejected"].clone();
    assert_eq!(said["by"], audit(&env, "v1").last().unwrap()["by"]);
    for report in ["junit.xml", "report.md", "report.html"] {
        let text = std::fs::read_to_string(env.path(report)).unwrap();
        assert!(text.contains("rejected before"), "{report}: {text}");
    }
    let review = run(&env, &["review"]).exits(0);
    assert!(review.stderr.contains("2 images rejected before") && review.stderr.contains("difftest accept ID"));
    let listed = run(&env, &["review", "--list", "--message-format", "json"]).exits(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["pending"], json!([]));
    assert_eq!(listed.pointer("/rejected/0/id"), Some(&json!(FIRST)));
    // what a person rejected is taken by nobody unseen
    suite(&env, VISUAL, &["--update=all"]).exits(1).says(&["2 images rejected before and so not accepted"]);
    run(&env, &["baseline", "save", "v1"]).exits(2);
    // and is accepted after all by saying which
    run(&env, &["accept", FIRST]).exits(0);
    picture(&env, "b.png", 200);
    suite(&env, VISUAL, &[]).exits(0);
    // what was accepted since is no rejected image, should it come back
    picture(&env, "a.png", 128);
    suite(&env, VISUAL, &["--update=all"]).exits(0);
    picture(&env, "a.png", 230);
    suite(&env, VISUAL, &[]).exits(1).says(&["1 changed: difftest review"]);
}

#[test]
fn new_images_that_were_rejected_are_kept_by_no_save() {
    let env = env();
    suite(&env, VISUAL, &[]).exits(1);
    run(&env, &["reject", "--all"]).exits(0);
    suite(&env, VISUAL, &[]).exits(1).says(&["2 images have no baseline, rejected before"]);
    run(&env, &["baseline", "save", "v1"]).exits(2).says(&["did not pass"]);
    assert_eq!(manifest(&env, "v1")["cases"], json!({}));
}

#[test]
fn update_says_that_it_accepts() {
    let env = env();
    let first = suite(&env, VISUAL, &["--update"]).exits(0);
    assert!(first.stderr.contains("2 images have no baseline, accepted by --update"), "{}", first.stderr);
    picture(&env, "a.png", 230);
    let told = suite(&env, VISUAL, &["--update=all", "--output", "results.json", "--junit", "junit.xml"]).exits(0);
    assert!(told.stderr.contains("1 changed, accepted by --update"), "{}", told.stderr);
    assert!(!told.stderr.contains("difftest review"), "{}", told.stderr);
    assert_eq!(comparison(&env, 0)["said"], "update");
    let junit = std::fs::read_to_string(env.path("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"0\"") && !junit.contains("<failure"), "{junit}");
    suite(&env, VISUAL, &[]).exits(0);
}

#[test]
fn what_is_tolerated_is_not_called_the_same() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    let same = suite(&env, VISUAL, &["-v"]).exits(0);
    assert!(same.stderr.contains("as its baseline") && same.stderr.contains("2 images as in baseline v1"));
    picture(&env, "a.png", 131);
    let near = suite(&env, VISUAL, &["-v", "--output", "results.json"]).exits(0);
    assert_eq!(comparison(&env, 0)["tolerated"], true);
    let value = comparison(&env, 0).pointer("/tiers/1/value").unwrap().as_f64().unwrap();
    assert!(value < 1.0, "{value}");
    let found = format!("{value:.3}");
    let found = if found == "1.000" { format!("{value:.7}") } else { found };
    for told in
        [format!("within tolerance (ssim {found})"), format!("1 image within tolerance of baseline v1 (ssim {found})")]
    {
        assert!(near.stderr.contains(&told), "{told}\n{}", near.stderr);
    }
    assert!(near.stderr.contains("1 image as in baseline v1"), "{}", near.stderr);
}

#[test]
fn a_case_whose_prompt_is_another_is_nobodys() {
    let env = env();
    suite(&env, SCORES, &[]).exits(0);
    run(&env, &["baseline", "save", "v1"]).exits(0);
    let plugins = workspace().join("plugins");
    let plugins = ["--plugins", plugins.to_str().unwrap()];
    let unreferenced = || run(&env, &[&["baseline", "list", "--unreferenced"], &plugins[..]].concat()).exits(0).stdout;
    assert_eq!(unreferenced(), "");
    env.write(
        "out/manifest.jsonl",
        "{\"file\": \"a.png\", \"prompt\": \"red\", \"seed\": 1}\n{\"file\": \"b.png\", \"prompt\": \"white\", \"seed\": 2}\n",
    );
    assert_eq!(unreferenced(), "v1  images  suite::light[p0,seed=1]\n");
    run(&env, &[&["baseline", "prune", "v1"], &plugins[..]].concat()).exits(0);
    assert_eq!(manifest(&env, "v1")["cases"].as_object().unwrap().len(), 1);
}

#[test]
fn images_are_imported_for_an_environment_that_there_is() {
    let env = env();
    env.write("suites/suite.toml", VISUAL);
    let import = |environment: &str| {
        run(&env, &["baseline", "import", "out", "--name", "v1", "--dry-run", "--environment", environment])
    };
    for wrong in ["nonsense", "image", "cpu", "cpu-f32", "cpu-f31-onnxruntime-1.31.1", "cpu-f32-onnxruntime-"] {
        import(wrong).exits(2).says(&["no run is in an environment", "cpu-f32-onnxruntime-1.31.1"]);
    }
    for right in ["images", "cpu-f32-onnxruntime-1.31.1", "nvidia-h100-80gb-bf16-onnxruntime-1.31.1"] {
        import(right).exits(0);
    }
}
