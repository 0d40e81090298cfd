//! Pair metrics, set metrics and models, from a suite file to the results.

use image::{ImageBuffer, Rgb};
use serde_json::{Value, json};

use crate::env::{TestEnv, workspace};

/// A folder of pictures with a manifest that lists them as `picture 0`, `picture 1`, ... with seed 7. `shift` makes others of them.
fn pictures(env: &TestEnv, folder: &str, count: u32, shift: u32) {
    let mut manifest = String::new();
    for index in 0..count {
        let path = env.write(&format!("{folder}/{index}.png"), "");
        let pixel = |x: u32, y: u32| Rgb([(x * 3 + index * 40 + shift) as u8, (y * 5) as u8, ((x ^ y) * 2) as u8]);
        ImageBuffer::from_fn(64, 48, pixel).save(path).unwrap();
        manifest += &format!("{{\"file\": \"{index}.png\", \"prompt\": \"picture {index}\", \"seed\": 7}}\n");
    }
    env.write(&format!("{folder}/manifest.jsonl"), manifest);
}

fn scores(results: &Value, case: usize) -> Vec<&Value> {
    results.pointer(&format!("/suites/0/cases/{case}/scores")).unwrap().as_array().unwrap().iter().collect()
}

const PAIRS: &str = r#"
model = { images = "../new" }

[[test]]
name = "as_before"
metrics = ["ssim/ssim", "phash/phash-distance", "image-stats/brightness"]
reference = "../was"
threshold = { "ssim/ssim" = 0.99, "phash/phash-distance" = 4 }
"#;

#[test]
fn pairs_are_compared_by_prompt_and_seed() {
    let env = TestEnv::new();
    pictures(&env, "new", 2, 0);
    pictures(&env, "was", 3, 0);
    env.run_suite(PAIRS, &["--output", "results.json"]).exits(0).says(&["ssim/ssim mean 1.000 >= 0.990 (n=2, exact)"]);
    let results = env.results();
    assert_eq!(scores(&results, 1)[0]["value"], json!(1.0));
    assert_eq!(scores(&results, 1)[1]["value"], json!(0.0));
    let reference = results.pointer("/suites/0/tests/0/reference").unwrap();
    assert!(reference["model"].as_str().unwrap().ends_with("was"), "{reference}");
    assert!(reference["files"]["manifest.jsonl"].is_string(), "the manifest is pinned by its digest: {reference}");

    // other pixels under the same prompts
    pictures(&env, "was", 3, 90);
    env.run_suite(PAIRS, &[]).exits(1).says(&["ssim/ssim mean 0."]);
}

#[test]
fn a_case_without_a_reference_costs_its_own_score_alone() {
    let env = TestEnv::new();
    pictures(&env, "new", 2, 0);
    pictures(&env, "was", 1, 0);
    let says = ["reference: the manifest lists no image of \"picture 1\" with seed 7", "add the image and a line"];
    env.run_suite(PAIRS, &["--output", "results.json"]).exits(2).says(&says);
    let results = env.results();
    assert_eq!(scores(&results, 0)[0]["value"], json!(1.0));
    assert_eq!(scores(&results, 1)[0]["error"]["kind"], json!("no-reference"));
    assert!(scores(&results, 1)[2]["value"].is_number(), "brightness needs no reference");

    std::fs::remove_dir_all(env.path("was")).unwrap();
    let lost = env.run_suite(PAIRS, &["--output", "results.json"]).exits(2);
    assert_eq!(lost.stderr.matches("reference: image folder").count(), 1, "told once:\n{}", lost.stderr);
    assert_eq!(scores(&env.results(), 0).len(), 1, "brightness keeps its score");

    let no_reference = PAIRS.replace("reference = \"../was\"\n", "");
    env.run_suite(&no_reference, &[]).exits(2).says(&["`ssim/ssim` compares each image with a reference"]);
}

const SETS: &str = r#"
model = { images = "../new" }

[models]
clip = "builtin:shapes-clip"

[[test]]
name = "varied"
metrics = ["set-stats/diversity", { name = "set-stats/near-duplicates", config = { within = 0.001 } }]
threshold = { "set-stats/diversity" = { min = 0.0 }, "set-stats/near-duplicates" = 0.5 }
"#;

#[test]
fn a_set_has_one_score_over_all_images_of_its_test() {
    let env = TestEnv::new();
    pictures(&env, "new", 3, 0);
    let run = env.run_suite(SETS, &["--output", "results.json"]).exits(0);
    assert!(run.stderr.contains("set-stats/diversity all images 0."), "{}", run.stderr);
    let results = env.results();
    let test = results.pointer("/suites/0/tests/0").unwrap();
    let first = test.pointer("/scores/0/value").unwrap().as_f64().unwrap();
    assert!(first > 0.0);
    let clip = results.pointer("/suites/0/models/clip").unwrap().as_str().unwrap();
    let variant = test.pointer("/metrics/0/variant").unwrap().as_str().unwrap();
    assert!(variant.ends_with(&format!(";clip={clip}")), "what was asked is part of the variant: {variant}");
    assert_eq!(test.pointer("/metrics/0/kind"), Some(&json!("set")));

    // the same again: the same bits and the same fuel, with one thread too
    env.run_suite(SETS, &["--output", "results.json", "-j", "1"]).exits(0);
    let again = env.results();
    for value in ["/suites/0/tests/0/scores/0/value", "/suites/0/tests/0/scores/1/fuel"] {
        assert_eq!(again.pointer(value), results.pointer(value), "{value}");
    }

    // two equal pictures out of three are near each other
    std::fs::copy(env.path("new/0.png"), env.path("new/1.png")).unwrap();
    env.run_suite(SETS, &[]).exits(1).says(&["set-stats/near-duplicates all images 0.667 > 0.500"]);
}

#[test]
fn a_set_with_a_hole_has_no_score() {
    let env = TestEnv::new();
    pictures(&env, "new", 3, 0);
    env.write("new/2.png", "not a picture");
    env.run_suite(SETS, &["--output", "results.json"]).exits(2).says(&["1 of 3 images are missing"]);
    assert_eq!(env.results().pointer("/suites/0/tests/0/scores"), None);
    env.write("new/manifest.jsonl", "{\"file\": \"0.png\", \"prompt\": \"alone\"}\n");
    env.run_suite(SETS, &[]).exits(2).says(&["plugin `set-stats` failed in `diversity`"]);
}

#[test]
fn plugins_ask_declared_models_and_no_others() {
    let env = TestEnv::new();
    pictures(&env, "new", 2, 0);
    for name in ["nothing", "../../../etc/passwd"] {
        let suite = SETS.replace("{ within = 0.001 }", &format!("{{ model = \"{name}\" }}"));
        let says = format!("no model is called `{name}`; there is `clip`");
        env.run_suite(&suite, &[]).exits(2).says(&[&says]);
    }
    let gone = SETS.replace("builtin:shapes-clip", "nowhere");
    env.run_suite(&gone, &[]).exits(2).says(&["model `clip`: model folder", "does not exist"]);
}

#[test]
fn a_graph_of_the_users_scores_embeddings() {
    let env = TestEnv::new();
    pictures(&env, "new", 2, 0);
    let head = workspace().join("plugins/aesthetic/tests/golden");
    let suite = |file: &str| {
        format!(
            "model = {{ images = \"../new\" }}\n[models]\nclip = \"builtin:shapes-clip\"\naesthetic = {:?}\n\
             [[test]]\nname = \"liked\"\nmetrics = [\"aesthetic/score\", \"image-stats/entropy\"]\n",
            head.join(file).to_str().unwrap()
        )
    };
    env.run_suite(&suite("small.onnx"), &["--output", "results.json"]).exits(0);
    let results = env.results();
    let value = scores(&results, 0)[0]["value"].as_f64().unwrap();
    assert!((0.0..10.0).contains(&value), "{value}");
    assert_eq!(results.pointer("/suites/0/models").unwrap().as_object().unwrap().len(), 2);
    // the published head wants embeddings of 768 numbers, and this model has 64
    env.run_suite(&suite("head.onnx"), &[]).exits(2).says(&["768", "64"]);
    env.write("broken.onnx", "not a graph");
    let broken = env.path("broken.onnx");
    env.run_suite(&suite(broken.to_str().unwrap()), &["--output", "results.json"])
        .exits(2)
        .says(&["not an ONNX model"]);
    assert!(scores(&env.results(), 0)[0]["value"].is_number(), "entropy asks no model");
}
