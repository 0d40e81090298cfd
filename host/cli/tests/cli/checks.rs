//! `difftest model check` and `info` say of a folder what a run would.

use std::fs;
use std::path::Path;

use crate::env::{TestEnv, copy, workspace};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

fn golden(name: &str) -> std::path::PathBuf {
    workspace().join("host/diffusion/tests/golden").join(name)
}

/// An environment with a copy of a small model in `model`, spoilt.
fn spoilt(model: &Path, spoil: impl Fn(&Path)) -> TestEnv {
    let env = TestEnv::new();
    copy(model, &env.path("model"));
    spoil(&env.path("model"));
    env
}

#[test]
fn whole_models_are_whole() {
    for model in ["families/sd1", "families/sdxl", "families/lcm"] {
        let env = spoilt(&golden(model), |_| ());
        env.run(["model", "check", "model"]).exits(0);
        env.run(["model", "info", "model"]).exits(0);
    }
    TestEnv::new().run(["model", "check", "builtin:shapes-clip"]).exits(0);
}

#[test]
fn configs_that_no_run_could_read() {
    let texts: [&[u8]; 4] = [b"", b"\xff\xfe{\0}\0", b"\xef\xbb\xbf{}", b"[[[["];
    let files = ["unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer/vocab.json"];
    for (text, file) in texts.into_iter().flat_map(|text| files.map(|file| (text, file))) {
        let env = spoilt(&golden("families/sd1"), |model| fs::write(model.join(file), text).unwrap());
        env.run(["model", "check", "model"]).exits(2).says(&[file]);
        env.run(["model", "info", "model"]).exits(2).says(&[file]);
    }
    let wrong = |file: &str, from: &str, to: &str, says: &[&str]| {
        let env = spoilt(&golden("families/sd1"), |model| {
            let text = fs::read_to_string(model.join(file)).unwrap();
            assert!(text.contains(from), "{file}: {text}");
            fs::write(model.join(file), text.replace(from, to)).unwrap();
        });
        env.run(["model", "check", "model"]).exits(2).says(says);
    };
    wrong("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 5", &["conv_in"]);
    wrong("unet/config.json", "\"cross_attention_dim\": ", "\"cross_attention_dim\": -", &["cross_attention_dim"]);
    wrong("scheduler/scheduler_config.json", "PNDMScheduler", "NoScheduler", &["NoScheduler"]);
}

#[test]
fn weights_that_no_run_could_use() {
    let env = spoilt(&golden("families/sd1"), |model| {
        let mut bytes = fs::read(model.join(UNET)).unwrap();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(model.join(UNET), bytes).unwrap();
    });
    env.run(["model", "check", "model"]).exits(2).says(&[UNET, "NaN"]);
    let env = spoilt(&golden("families/sd1"), |model| {
        let bytes = fs::read(model.join(UNET)).unwrap();
        fs::write(model.join(UNET), &bytes[..bytes.len() - 100]).unwrap();
    });
    for command in ["check", "info"] {
        env.run(["model", command, "model"]).exits(2).says(&[UNET]);
    }
}

#[test]
fn a_graph_of_another_part() {
    let exported = |model: &Path| copy(&golden("ready/safetensors-sd/tokenizer"), &model.join("tokenizer"));
    let whole = spoilt(&golden("ready/optimum-onnx-sd"), exported);
    whole.run(["model", "check", "model"]).exits(0);
    let env = spoilt(&golden("ready/optimum-onnx-sd"), |model| {
        exported(model);
        fs::copy(model.join("vae_decoder/model.onnx"), model.join("unet/model.onnx")).unwrap();
    });
    for command in ["check", "info"] {
        env.run(["model", command, "model"]).exits(2).says(&["unet/model.onnx", "latent_sample"]);
    }
}

#[test]
fn shards_and_their_index() {
    let index = "unet/diffusion_pytorch_model.safetensors.index.json";
    let sharded = |text: &str| {
        spoilt(&golden("families/sd1"), |model| {
            fs::remove_file(model.join(UNET)).unwrap();
            fs::write(model.join(index), text).unwrap();
        })
    };
    let shard = "diffusion_pytorch_model-00001-of-00002.safetensors";
    let missing = sharded(&format!("{{\"weight_map\": {{\"conv_in.weight\": \"{shard}\"}}}}"));
    let outside = sharded("{\"weight_map\": {\"conv_in.weight\": \"/etc/passwd\"}}");
    let without = sharded("{\"metadata\": {}}");
    for (env, says) in [(missing, shard), (outside, "/etc/passwd"), (without, "weight_map")] {
        for command in ["check", "info"] {
            let run = env.run(["model", command, "model"]).exits(2).says(&[says]);
            assert!(!run.stderr.contains("no safetensors"), "{}", run.stderr);
            assert_eq!(command == "info", run.stdout.contains("StableDiffusionPipeline"), "{}", run.stdout);
        }
    }
}

#[test]
fn info_shows_what_is_there_and_what_is_wrong() {
    let env = spoilt(&golden("families/sd1"), |model| fs::remove_file(model.join("tokenizer/merges.txt")).unwrap());
    let run = env.run(["model", "info", "model"]).exits(2).says(&["tokenizer/merges.txt is missing"]);
    assert!(run.stdout.contains("StableDiffusionPipeline") && run.stdout.contains("unet"), "{}", run.stdout);
    let run = env.run(["model", "info", "model", "--message-format", "json"]).exits(2);
    let info: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(info["problem"].as_str().unwrap().contains("merges.txt"), "{info}");

    let env = spoilt(&golden("families/sd1"), |model| fs::write(model.join("model_index.json"), "{").unwrap());
    let run = env.run(["model", "info", "model"]).exits(2).says(&["model_index.json"]);
    assert!(!run.stdout.contains("CLIP"), "{}", run.stdout);

    let env = spoilt(&golden("families/sd1"), |model| {
        fs::remove_file(model.join("vae/config.json")).unwrap();
        fs::create_dir(model.join("vae/config.json")).unwrap();
    });
    env.run(["model", "info", "model"]).exits(2).says(&["vae/config.json"]);
}

#[test]
fn files_are_explained_as_a_run_explains_them() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", "[[test]]\nname = \"a\"\nprompts = [\"x\"]\nmetrics = [\"clip_score\"]\n[models]\nclip = \"builtin:shapes-clip\"\n");
    fs::copy(golden("families/sd1").join(UNET), env.path("model.safetensors")).unwrap();
    env.write("model.ckpt", b"PK\x03\x04");
    for file in ["model.safetensors", "model.ckpt"] {
        let run = env.run(["run", "suite", "--model", file]).exits(2).stderr;
        for command in ["check", "info"] {
            let said = env.run(["model", command, file]).exits(2).says(&[file]).stderr;
            // a run names the file by its whole path
            let why = said.lines().next().and_then(|line| line.split_once(file)).unwrap().1;
            assert!(why.len() > 10 && run.contains(why), "{why:?} is not in:\n{run}");
        }
    }
}
