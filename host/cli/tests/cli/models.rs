//! Models that are missing, half-copied, damaged or of another kind.

use std::fs;
use std::path::Path;

use crate::env::{Finished, TestEnv, copy, workspace};

const SUITE: &str = "[[test]]\nname = \"a\"\nprompts = [\"a red circle on a blue background\"]\nseeds = [1]\nsteps = 2\nmetrics = [\"clip_score\"]\n\n[models]\nclip = \"builtin:shapes-clip\"\n";

/// Runs a suite on a copy of the small model that `spoil` has had its way with.
fn run_on_spoilt(spoil: impl Fn(&Path)) -> Finished {
    let env = TestEnv::new();
    let model = env.path("model");
    copy(&workspace().join("suites/models/shapes"), &model);
    spoil(&model);
    env.run_suite(SUITE, &["--model", "model"])
}

/// Where the tensor data of a safetensors file begins.
fn data_start(bytes: &[u8]) -> usize {
    8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap()
}

#[test]
fn an_unspoilt_copy_runs() {
    run_on_spoilt(|_| ()).exits(0);
}

#[test]
fn no_such_folder() {
    let env = TestEnv::new();
    env.run_suite(SUITE, &["--model", "./nowhere"]).exits(2).says(&["./nowhere"]);
    for command in ["list", "run"] {
        env.run([command, "suite", "--model", "/nope"]).exits(2).says(&["model folder /nope does not exist"]);
        for id in ["org/name@", "org/na me"] {
            let run = env.run([command, "suite", "--offline", "--model", id]).exits(2).says(&["ORG/NAME@REVISION"]);
            assert!(!run.stderr.contains(&format!("fetch {id}")), "{}", run.stderr);
        }
    }
    // A folder beside the suite is another model than the one that was asked for, and a file of weights none of the hub's.
    std::fs::create_dir(env.path("suites/mine")).unwrap();
    for (asked, said) in [("mine", "suites/mine"), ("zz", "working directory"), ("some/v1-5.ckpt", "working directory")]
    {
        let message = format!("model folder {asked} does not exist");
        env.run(["run", "suite", "--model", asked]).exits(2).says(&[&message, said]);
    }
    env.run(["run", "suite", "--model", ""]).exits(2).says(&["--model is empty"]);
    env.run_suite(SUITE, &["--model", "builtin:nothing"]).exits(2).says(&["`nothing`", "builtin:shapes"]);
}

#[test]
fn half_copied() {
    run_on_spoilt(|model| fs::remove_file(model.join("unet/diffusion_pytorch_model.safetensors")).unwrap())
        .exits(2)
        .says(&["unet/diffusion_pytorch_model.safetensors"]);
    run_on_spoilt(|model| fs::remove_file(model.join("tokenizer/merges.txt")).unwrap())
        .exits(2)
        .says(&["tokenizer/merges.txt"]);
    run_on_spoilt(|model| fs::remove_file(model.join("model_index.json")).unwrap())
        .exits(2)
        .says(&["model_index.json"]);
}

#[test]
fn truncated_weights() {
    run_on_spoilt(|model| {
        let file = model.join("vae/diffusion_pytorch_model.safetensors");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    })
    .exits(2)
    .says(&["vae/diffusion_pytorch_model.safetensors"]);
}

#[test]
fn weights_that_are_not_numbers() {
    run_on_spoilt(|model| {
        let file = model.join("unet/diffusion_pytorch_model.safetensors");
        let mut bytes = fs::read(&file).unwrap();
        let start = data_start(&bytes);
        // The first number of the first tensor becomes an fp16 NaN.
        bytes[start..start + 2].copy_from_slice(&[0x00, 0x7e]);
        fs::write(&file, bytes).unwrap();
    })
    .exits(2)
    .says(&["unet/diffusion_pytorch_model.safetensors", "NaN"]);
}

#[test]
fn a_class_that_is_not_supported() {
    run_on_spoilt(|model| {
        let file = model.join("model_index.json");
        let text = fs::read_to_string(&file).unwrap().replace("StableDiffusionPipeline", "KandinskyPipeline");
        fs::write(&file, text).unwrap();
    })
    .exits(2)
    .says(&["KandinskyPipeline", "StableDiffusionPipeline"]);
    run_on_spoilt(|model| {
        let file = model.join("unet/config.json");
        let text =
            fs::read_to_string(&file).unwrap().replace("\"UNetMidBlock2DCrossAttn\"", "\"UNetMidBlock2DSimple\"");
        fs::write(&file, text).unwrap();
    })
    .exits(2)
    .says(&["unet/config.json", "UNetMidBlock2DSimple"]);
}

#[test]
fn no_runtime_or_a_wrong_one() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", format!("model = \"builtin:shapes\"\n{SUITE}"));
    let output = env.command().args(["run", "suite"]).env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output();
    crate::env::finished(output.unwrap()).exits(2).says(&["/nowhere/libonnxruntime.so", "difftest runtime install"]);
    let wrong = env.write("libonnxruntime.so", "not a library");
    let output = env.command().args(["run", "suite"]).env("ORT_DYLIB_PATH", wrong).output();
    crate::env::finished(output.unwrap()).exits(2).says(&["libonnxruntime.so", "difftest runtime install"]);
}

#[test]
fn images_that_do_not_fit_into_memory_are_refused_before_anything_is_loaded() {
    let env = TestEnv::new();
    let suite = SUITE.replace("steps = 2", "steps = 2\nsize = 8192");
    env.write("suites/suite.toml", format!("model = \"builtin:shapes\"\n{suite}"));
    env.run(["run", "suite"]).exits(2).says(&[
        "8192x8192",
        "need about",
        "free",
        "would fit",
        "DIFFTEST_NO_MEMORY_CHECK",
    ]);
}

#[test]
fn a_prompt_that_is_too_long_is_cut_with_a_warning_or_an_error() {
    let env = TestEnv::new();
    let words = "red ".repeat(80);
    let suite = |policy: &str| {
        format!(
            "model = \"builtin:shapes\"\n[[test]]\nname = \"a\"\nprompts = [\"{words}square\"]\nseeds = [1]\nsteps = 1\n\
             metrics = [\"image-stats/brightness\"]\n{policy}\n"
        )
    };
    let plugins = crate::env::workspace().join("plugins");
    let run = || env.run(["run", "suite", "-v", "--output", "results.json", "--plugins", plugins.to_str().unwrap()]);
    env.write("suites/suite.toml", suite(""));
    run().exits(0).says(&["prompt cut at 75 tokens", "square"]);
    env.write("suites/suite.toml", suite("long_prompt = \"error\""));
    run().exits(2).says(&["the prompt is 81 tokens long, 6 more than", "no image is made", "shorten the prompt"]);
    assert_eq!(env.results().pointer("/suites/0/tests/0/verdict").unwrap(), "error");

    // of the negative prompt too, whole in the results and up to a word on the terminal
    let lost = format!("{}heart", "square ".repeat(30));
    let negative = |policy: &str| {
        let long = format!("negative_prompt = \"{}{lost}\"\nguidance = 5\n{policy}", "red ".repeat(75));
        env.write("suites/suite.toml", suite(&long).replace(&format!("{words}square"), "a red square"));
        run()
    };
    let shown = format!("\"{} …\"", ["square"; 11].join(" "));
    negative("").exits(0).says(&["negative prompt cut at 75 tokens", &shown]);
    let warning = env.results().pointer("/suites/0/cases/0/image/warnings/0").unwrap().as_str().unwrap().to_owned();
    assert!(warning.ends_with(&format!("\"{lost}\"")), "{warning}");
    negative("long_prompt = \"error\"").exits(2).says(&[
        "the negative prompt is 106 tokens long, 31 more than",
        "shorten the negative prompt",
        &shown,
    ]);
}
