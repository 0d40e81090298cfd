//! Runs that are compared with a baseline: which of its answers count, and to what they were given.

use image::{ImageBuffer, Rgb};
use serde_json::json;

use crate::baselines::{SCORES, VISUAL, audit, env, manifest, picture, run, suite};
use crate::env::{TestEnv, workspace};

#[test]
fn a_gate_on_a_baseline_finds_a_change_for_the_worse() {
    let env = env();
    let text = format!("baseline = \"v1\"\n{SCORES}").replace("image-stats/brightness", "color-words/adherence");
    let text = text.replace("{ min = 0.1 }", "{ gate = \"no_worse_than_baseline\", margin = 0.01 }");
    // without the baseline that the suite names nothing is made, and the way to it is told
    let told =
        ["suite::light: there is no baseline baselines/v1", "difftest run suite --update", "difftest baseline save v1"];
    suite(&env, &text, &[]).exits(2).says(&told);
    suite(&env, &text, &["--baseline", "v9"]).exits(2).says(&["there is no baseline baselines/v9"]);
    suite(&env, &text.replace("baseline = \"v1\"", ""), &["--update"])
        .exits(2)
        .says(&["this run has none", "--baseline NAME"]);
    assert!(!env.path(".difftest/runs").exists() && !env.path("baselines").exists(), "before the first image");
    // the run that makes it judges what is judged without it
    let both = text.replace(
        "{ gate = \"no_worse_than_baseline\", margin = 0.01 }",
        "[{ max = 0.5 }, { gate = \"no_worse_than_baseline\", margin = 0.01 }]",
    );
    suite(&env, &both, &["--update"]).exits(1).says(&["did not pass, so it is not in baseline v1"]);
    assert!(!env.path("baselines").exists());
    suite(&env, &text, &["--update"])
        .exits(0)
        .says(&["gates of suite::light on baseline v1 are left out", "2 images saved"]);
    assert_eq!(audit(&env, "v1").last().unwrap()["because"], "person");
    let output = env.command().args(["run", "suite", "--update", "--baseline", "v2"]).env("CI", "1").output().unwrap();
    crate::env::finished(output).exits(2).says(&["a person"]);
    let again = suite(&env, &text, &["--output", "results.json"]);
    assert!(again.code != 2, "{}", again.stderr);
    assert_eq!(env.results().pointer("/suites/0/baseline/name"), Some(&json!("v1")));
    // scores of another metric are given anew by the present one
    let path = env.path("baselines/v1/images/manifest.json");
    let stale = std::fs::read_to_string(&path).unwrap();
    let key =
        manifest(&env, "v1")["cases"].as_object().unwrap().values().next().unwrap()["scores"]["color-words/adherence"]
            ["metric"]
            .as_str()
            .unwrap()
            .to_owned();
    std::fs::write(&path, stale.replace(&key, &"0".repeat(64))).unwrap();
    assert_eq!(suite(&env, &text, &[]).code, again.code, "scored again, not an error");
    // a baseline of another environment is named, never compared
    std::fs::rename(env.path("baselines/v1/images"), env.path("baselines/v1/cuda-f16")).unwrap();
    let manifest = env.path("baselines/v1/cuda-f16/manifest.json");
    let text_of = std::fs::read_to_string(&manifest)
        .unwrap()
        .replace("\"environment\": \"images\"", "\"environment\": \"cuda-f16\"");
    std::fs::write(&manifest, text_of).unwrap();
    let runs = || std::fs::read_dir(env.path(".difftest/runs")).unwrap().count();
    let before = runs();
    suite(&env, &text, &[])
        .exits(2)
        .says(&["for this environment, images: it was made in cuda-f16", "run suite --update"]);
    assert_eq!(runs(), before, "before the first image");
    suite(&env, &text, &["--update", "--baseline", "v1"]).exits(0);
    assert_eq!(suite(&env, &text, &[]).code, again.code);
}

/// The same two pictures, asked for with other words.
fn asked(env: &TestEnv, a: &str, b: &str) {
    let row = |file: &str, asked: &str, seed: u64| format!("{{\"file\": \"{file}\", {asked}, \"seed\": {seed}}}\n");
    env.write("out/manifest.jsonl", row("a.png", a, 1) + &row("b.png", b, 2));
}

#[test]
fn a_case_whose_prompt_changed_is_not_paired_with_what_it_was() {
    let env = env();
    let text = format!("baseline = \"v1\"\n{SCORES}").replace("image-stats/brightness", "color-words/adherence");
    let plain = text.replace("{ min = 0.1 }", "{ min = 0.0 }");
    let text = text.replace("{ min = 0.1 }", "{ gate = \"no_worse_than_baseline\", margin = 0.01 }");
    let (grey, white) = ("\"prompt\": \"grey\"", "\"prompt\": \"white\"");
    suite(&env, &plain, &[]).exits(0);
    run(&env, &["baseline", "save", "v1"]).exits(0);
    suite(&env, &text, &[]).exits(0);
    // another prompt under the same id, of the same picture
    asked(&env, "\"prompt\": \"red\"", white);
    let changed = suite(&env, &text, &["--output", "results.json"]).exits(1);
    let note = "prompt changed since the baseline was saved, so not paired: suite::light[p0,seed=1]";
    assert!(changed.stderr.contains(note) && changed.stderr.contains("INCONCLUSIVE"), "{}", changed.stderr);
    let unpaired = env.results().pointer("/suites/0/tests/0/gates/0/evidence/unpaired").unwrap().clone();
    assert_eq!(unpaired, json!([{ "case": "suite::light[p0,seed=1]", "changed": "prompt" }]));
    asked(&env, "\"prompt\": \"grey\", \"negative_prompt\": \"blur\"", white);
    suite(&env, &text, &[]).exits(1).says(&["negative prompt changed since"]);
    // a manifest of a difftest that kept prompt and seed alone
    let path = env.path("baselines/v1/images/manifest.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let mut old = manifest(&env, "v1");
    old["cases"].as_object_mut().unwrap().values_mut().for_each(|case| {
        assert_eq!(case.as_object_mut().unwrap().remove("inputs"), Some(json!({})));
    });
    std::fs::write(&path, old.to_string()).unwrap();
    suite(&env, &text, &[]).exits(0);
    asked(&env, "\"prompt\": \"red\"", white);
    suite(&env, &text, &[]).exits(1).says(&["prompt changed since"]);
    std::fs::write(&path, whole).unwrap();
    // nothing is left to compare, and the run becomes the next baseline
    asked(&env, "\"prompt\": \"red\"", "\"prompt\": \"blue\"");
    suite(&env, &text, &[]).exits(2).says(&["answers other questions in all 2 cases", "baseline save"]);
    let before = manifest(&env, "v1");
    run(&env, &["baseline", "save", "v1"]).exits(0);
    assert_ne!(manifest(&env, "v1"), before);
    suite(&env, &text, &[]).exits(0);
    asked(&env, grey, white);
    suite(&env, &plain, &[]).exits(0);
    run(&env, &["baseline", "save", "v2"]).exits(0);
    let diff = run(&env, &["baseline", "diff", "v1", "v2"]).exits(0).stdout;
    assert!(diff.contains("2 other questions") && diff.contains("another prompt"), "{diff}");
}

#[test]
fn a_comparison_says_that_the_prompt_changed() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    asked(&env, "\"prompt\": \"red\"", "\"prompt\": \"white\"");
    let told = "the prompt changed since the baseline was saved";
    let same = suite(&env, VISUAL, &["--output", "results.json"]).exits(0);
    assert!(
        same.stderr.contains(&format!("1 image is compared with what was asked for otherwise: {told}")),
        "{}",
        same.stderr
    );
    let asked = env.results().pointer("/suites/0/cases/0/comparison/asked").unwrap().clone();
    assert_eq!(asked, json!({ "input": "prompt", "was": "grey", "is": "red" }));
    picture(&env, "a.png", 90);
    suite(&env, VISUAL, &[]).exits(1).says(&[told]);
    let listed = run(&env, &["review", "--list"]).exits(0).stdout;
    assert!(listed.contains(told), "{listed}");
    run(&env, &["accept", "--all"]).exits(0);
    let quiet = suite(&env, VISUAL, &[]).exits(0);
    assert!(!quiet.stderr.contains(told), "{}", quiet.stderr);
}

#[test]
fn list_and_explain_look_at_the_baselines_that_a_run_does() {
    let env = env();
    let text = format!("baseline = \"v1\"\n{SCORES}").replace("image-stats/brightness", "color-words/adherence");
    let text = text.replace("{ min = 0.1 }", "{ gate = \"no_worse_than_baseline\", margin = 0.01 }");
    let elsewhere = ["--baselines", "kept"];
    suite(&env, &text, &[&elsewhere[..], &["--update"]].concat()).exits(0).says(&["2 images saved in kept/v1/images"]);
    suite(&env, &text, &elsewhere).exits(0);
    let plugins = workspace().join("plugins");
    let looks = |words: &[&str], more: &[&str]| {
        run(&env, &[words, &["--plugins", plugins.to_str().unwrap()], more].concat()).exits(0).stdout
    };
    let (list, explain) = (["list"], ["explain", "light[p0"]);
    for words in [&list[..], &explain] {
        let (there, not_there) = (looks(words, &elsewhere), looks(words, &[]));
        let told = "judge: baseline was ";
        assert!(there.contains("reuse") && !there.contains(told) && not_there.contains(told), "{there}\n{not_there}");
    }
    // another name, another baseline
    assert!(looks(&explain, &[&elsewhere[..], &["--baseline", "v2"]].concat()).contains("baseline = none"));
}

#[test]
fn the_semantic_tier_asks_clip_what_is_seen() {
    let env = env();
    let text = VISUAL.replace("\n\n[[test]]", "\n\n[models]\nclip = \"builtin:shapes-clip\"\n\n[[test]]").replace(
        "tiers = [\"pixel\", \"ssim\"]\nssim_threshold = 0.95",
        "tiers = [\"semantic\"]\nsemantic_distance = 0.05",
    );
    let shape = |name: &str, ground: [u8; 3], shape: [u8; 3], round: bool| {
        let image = ImageBuffer::from_fn(64, 64, |x, y| {
            let (dx, dy) = (i64::from(x) - 32, i64::from(y) - 32);
            let inside = if round { dx * dx + dy * dy < 400 } else { dx.abs() < 18 && dy.abs() < 18 };
            Rgb::<u8>(if inside { shape } else { ground })
        });
        image.save(env.path("out").join(name)).unwrap();
    };
    let (red, blue, green, white) = ([220, 30, 30], [30, 30, 200], [30, 160, 40], [240, 240, 240]);
    shape("a.png", blue, red, true);
    shape("b.png", white, green, false);
    suite(&env, &text, &["--update"]).exits(0);
    // other pixels of the same picture
    shape("a.png", [32, 32, 198], [222, 31, 28], true);
    suite(&env, &text, &["--output", "results.json"]).exits(0);
    let tier = |env: &TestEnv| env.results().pointer("/suites/0/cases/0/comparison/tiers/0").unwrap().clone();
    let close = tier(&env);
    assert_eq!((&close["tier"], &close["holds"]), (&json!("semantic"), &json!(true)));
    let found = close["value"].as_f64().unwrap();
    assert!(found > 0.0 && found < 0.05, "{close}");
    // another picture
    shape("a.png", white, green, false);
    let far = suite(&env, &text, &["--output", "results.json"]).exits(1).says(&["changed: semantic"]);
    assert_eq!(tier(&env)["holds"], json!(false), "{}", far.stderr);
    assert!(tier(&env)["value"].as_f64().unwrap() > 2.0 * found.max(0.05), "{}", tier(&env));
    // and without CLIP nothing is judged
    let blind = text.replace("[models]\nclip = \"builtin:shapes-clip\"\n", "");
    suite(&env, &blind, &[]).exits(2).says(&["the tier `semantic` asks CLIP"]);
}

#[test]
fn a_verdict_is_not_reused_where_its_baseline_is_another_one() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    suite(&env, VISUAL, &[]).exits(0);
    let listed = |text: &str| {
        env.write("suites/suite.toml", text);
        run(&env, &["list", "suite", "--message-format", "json"]).exits(0).stdout
    };
    let count = |text: &str, action: &str| text.matches(&format!("\"action\": \"{action}\"")).count();
    assert_eq!(count(&listed(VISUAL), "reuse"), 2, "{}", listed(VISUAL));
    assert_eq!(count(&listed(&VISUAL.replace("0.95", "0.96")), "judge"), 2);
    // another image is accepted for one of them: all of the test is judged again
    picture(&env, "a.png", 240);
    suite(&env, VISUAL, &["--update=all"]).exits(0);
    picture(&env, "a.png", 128);
    let again = listed(VISUAL);
    assert_eq!(count(&again, "reuse"), 0, "{again}");
    suite(&env, VISUAL, &[]).exits(1);
}
