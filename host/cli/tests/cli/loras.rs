//! `loras` of a suite and `--lora`, from the suite to the record.

use std::path::PathBuf;

use serde_json::json;

use crate::env::{TestEnv, workspace};

fn golden(name: &str) -> PathBuf {
    workspace().join("host/diffusion/tests/golden").join(name)
}

/// A suite on a small model beside which two LoRA files lie, one of them in a folder of its own.
fn suite(env: &TestEnv, loras: &str) -> String {
    std::fs::create_dir_all(env.path("suites/folder")).unwrap();
    std::fs::copy(golden("lora/sd1/kohya.safetensors"), env.path("suites/style.safetensors")).unwrap();
    std::fs::copy(golden("lora/sd1/locon.safetensors"), env.path("suites/folder/pytorch_lora_weights.safetensors"))
        .unwrap();
    format!(
        "model = {:?}\n{loras}\n[models]\nclip = \"builtin:shapes-clip\"\n[[test]]\nname = \"a\"\nprompts = [\"a red circle on \
         a blue background\"]\nseeds = [1]\nsteps = 2\nscheduler = \"ddim\"\nmetrics = [\"clip_score\"]\n",
        golden("families/sd1")
    )
}

const BOTH: &str = "loras = [\"style.safetensors\", { path = \"folder\", weight = -0.3 }]";

#[test]
fn a_run_records_files_and_weights_and_the_command_line_replaces_them() {
    let env = TestEnv::new();
    let image = |loras: &str, more: &[&str]| {
        let text = suite(&env, loras);
        env.run_suite(&text, &[&["--output", "results.json"], more].concat()).exits(0);
        let results = env.results();
        let generator = results.pointer("/suites/0/generator").unwrap().clone();
        let png = results.pointer("/suites/0/cases/0/image/path").unwrap().as_str().unwrap().to_owned();
        (std::fs::read(env.path(png)).unwrap(), generator)
    };
    let (plain, generator) = image("", &[]);
    assert_eq!(generator.get("loras"), None);

    let (both, generator) = image(BOTH, &[]);
    let loras = generator["loras"].as_array().unwrap();
    let said: Vec<_> = loras.iter().map(|lora| json!([lora["file"], lora["weight"]])).collect();
    assert_eq!(said, [json!(["style.safetensors", 1.0]), json!(["folder", -0.3])]);
    assert!(loras.iter().all(|lora| lora["digest"].as_str().unwrap().len() > 60), "{loras:?}");
    assert!(plain != both);

    // paths of the command line start at the working directory
    let (again, generator) = image("", &["--lora", "suites/style.safetensors", "--lora", "suites/folder=-0.3"]);
    assert!(again == both);
    assert_eq!(generator["loras"][1]["digest"], loras[1]["digest"]);
    let (none, _) = image(BOTH, &["--lora", "suites/style.safetensors=0"]);
    assert!(none == plain);
}

#[test]
fn the_plan_shows_them_beside_the_model() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", suite(&env, BOTH));
    let listed = env.run(["list", "suite"]).exits(0);
    assert!(listed.stdout.contains("families/sd1 + style.safetensors + -0.3 folder, 1 test"), "{}", listed.stdout);
    let listed =
        env.run(["list", "suite", "--lora", "suites/style.safetensors=0.5", "--message-format", "json"]).exits(0);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let path = listed["suites"][0]["loras"][0]["path"].as_str().unwrap();
    assert!(PathBuf::from(path).is_absolute() && path.ends_with("style.safetensors"), "{path}");
}

#[test]
fn files_that_cannot_be_applied_end_the_run_with_their_name() {
    let env = TestEnv::new();
    let text = suite(&env, "loras = [\"nowhere.safetensors\"]");
    env.run_suite(&text, &[]).exits(2).says(&["cannot read LoRA", "nowhere.safetensors", "folder of the suite file"]);
    let text = suite(&env, BOTH);
    env.run_suite(&text, &["--model", "builtin:shapes"]).exits(2).says(&["style.safetensors does not fit this model"]);
    let xl = golden("lora/sdxl/ldm.safetensors");
    env.run_suite(&text, &["--lora", xl.to_str().unwrap()])
        .exits(2)
        .says(&["for text_encoder_2, which this model does not have"]);
    env.run_suite(&text, &["--lora", "style.safetensors=strong"]).exits(2).says(&["`strong` is not a number", "=0.7"]);
    env.run_suite(&text, &["--lora", "suites/style.safetensors=1e308"]).exits(2).says(&["is not between -100 and 100"]);
    for command in ["list", "run"] {
        env.run([command, "suite", "--lora", "/nope"]).exits(2).says(&["--lora", "/nope", "no such file"]);
        env.run([command, "suite", "--lora", "suites/style.safetensors", "--lora", "./suites/style.safetensors"])
            .exits(2)
            .says(&["named twice", "sum of the weights"]);
    }
    let again = suite(&env, "loras = [\"style.safetensors\", \"./style.safetensors\"]");
    env.run_suite(&again, &[]).exits(2).says(&["named twice", "suite.toml:2:"]);
    let images = "model = { images = \"out\" }\n[[test]]\nname = \"a\"\nmetrics = [\"image-stats/sharpness\"]\n";
    env.run_suite(images, &["--lora", "style.safetensors"]).exits(2).says(&["--lora changes a diffusion model"]);
}
