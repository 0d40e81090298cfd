//! Folders that diffusers' `save_pretrained` wrote, one of each family, given by path to a program that finds no Python:
//! the images are those of diffusers' own pipelines, `host/diffusion/tests/golden/families`.

use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::env::{TestEnv, finished, workspace};

fn golden() -> PathBuf {
    workspace().join("host/diffusion/tests/golden/families")
}

/// One test of a suite for one recorded case.
fn test(case: &Value) -> String {
    let mut text =
        format!("[[test]]\nname = {}\nprompts = [{}]\nseeds = [{}]\n", case["name"], case["prompt"], case["seed"]);
    for (key, recorded) in [
        ("steps", "steps"),
        ("guidance", "guidance"),
        ("size", "size"),
        ("clip_skip", "clip_skip"),
        ("negative_prompt", "negative"),
    ] {
        if let Some(value) = case.get(recorded) {
            text += &format!("{key} = {value}\n");
        }
    }
    text
}

/// Runs a family's cases with its own scheduler, and compares the pictures.
fn check(family: &Value) {
    let name = family["family"].as_str().unwrap();
    let wanted = ["own", "own-2", "empty-negative", "clip-skip-1", "wide"];
    let own = |case: &&Value| wanted.contains(&case["name"].as_str().unwrap());
    let cases: Vec<&Value> = family["cases"].as_array().unwrap().iter().filter(own).collect();
    assert!(cases.len() >= 2, "{name}");
    let env = TestEnv::new();
    let tests: Vec<String> = cases.iter().map(|case| test(case)).collect();
    let head = "[models]\nclip = \"builtin:shapes-clip\"\n\n[defaults]\nmetrics = [\"clip_score\"]\n\n";
    env.write("suites/suite.toml", format!("{head}{}", tests.join("\n")));

    let nowhere = env.path("empty");
    std::fs::create_dir(&nowhere).unwrap();
    let mut command = env.command();
    // the library may have been found through Python: that is not what is asked here
    let runtime = difftest_diffusion::runtime::find().unwrap().path;
    command.env("PATH", &nowhere).env_remove("PYTHONPATH").env_remove("VIRTUAL_ENV").env("ORT_DYLIB_PATH", runtime);
    command.args(["run", "suite", "--output", "results.json", "--model"]).arg(golden().join(name));
    finished(command.output().unwrap()).exits(0);

    let recorded = std::fs::read(golden().join(format!("{name}.safetensors"))).unwrap();
    let recorded = SafeTensors::deserialize(&recorded).unwrap();
    let results = env.results();
    let made = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    assert_eq!(made.len(), cases.len());
    for (made, case) in made.iter().zip(cases) {
        let image = image::open(made.pointer("/image/path").unwrap().as_str().unwrap()).unwrap().into_rgb8();
        let expected = recorded.tensor(&format!("{}.image", case["name"].as_str().unwrap())).unwrap();
        assert_eq!([image.height() as usize, image.width() as usize, 3], expected.shape(), "{name} {case}");
        let off = image.as_raw().iter().zip(expected.data()).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        assert!(off * 100 <= expected.data().len(), "{name} {case}: {off} bytes differ");
    }
}

#[test]
fn are_generated_from_by_path_without_python() {
    let index: Value = serde_json::from_slice(&std::fs::read(golden().join("index.json")).unwrap()).unwrap();
    let families = index["families"].as_array().unwrap();
    assert!(families.len() >= 8);
    families.iter().for_each(check);
}
