//! Folders of ONNX graphs that `optimum-cli export onnx` wrote, given by path: their images are those of the safetensors folders that
//! were exported, `host/diffusion/tests/golden/ready`, and the results say what ran.

use std::path::PathBuf;

use serde_json::Value;

use crate::env::{TestEnv, copy, workspace};

const SUITE: &str = "model = \"model\"\n\n[models]\nclip = \"builtin:shapes-clip\"\n\n[defaults]\nsteps = 5\nguidance = 4.0\nsize = 32\n\
    metrics = [\"clip_score\"]\n\n[[test]]\nname = \"shapes\"\nprompts = [\"a red circle\", \"a blue square\"]\nseeds = [1, 2]\n";

fn golden(name: &str) -> PathBuf {
    workspace().join("host/diffusion/tests/golden/ready").join(name)
}

/// A project whose model is made of these folders, later ones over earlier ones, and of the tokenizer that they share.
fn project(layers: &[String]) -> TestEnv {
    let env = TestEnv::new();
    env.write("suite.toml", SUITE);
    for tokenizer in ["tokenizer", "tokenizer_2"] {
        copy(&golden("safetensors-sd/tokenizer"), &env.path("model").join(tokenizer));
    }
    layers.iter().for_each(|layer| copy(&golden(layer), &env.path("model")));
    env
}

/// The pixels of all images of a run.
fn images(layers: &[String]) -> (Vec<Vec<u8>>, Value) {
    let env = project(layers);
    env.run(["run", "suite.toml", "--output", "results.json"]).exits(0);
    let results = env.results();
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let path = |case: &Value| env.path(case.pointer("/image/path").unwrap().as_str().unwrap());
    let pixels = cases.iter().map(|case| image::open(path(case)).unwrap().into_rgb8().into_raw()).collect();
    (pixels, results)
}

#[test]
fn are_generated_from_by_path() {
    for layers in [&["sd"][..], &["xl"], &["sd", "lcm"]] {
        let made_by = |maker: &str| layers.iter().map(|layer| format!("{maker}-{layer}")).collect::<Vec<_>>();
        let (exported, results) = images(&made_by("optimum-onnx"));
        let (built, _) = images(&made_by("safetensors"));
        let family = layers.join(" and ");
        assert_eq!((exported.len(), built.len()), (4, 4), "{family}");
        for (exported, built) in exported.iter().zip(&built) {
            assert_eq!(exported.len(), built.len());
            let off = exported.iter().zip(built).filter(|(a, b)| a.abs_diff(**b) > 1).count();
            assert!(off * 100 <= built.len(), "{family}: {off} of {} bytes differ", built.len());
        }
        assert_ne!(exported[0], exported[1], "{family}: seeds make no difference");
        let recorded = results.to_string();
        assert!(recorded.contains("unet/model.onnx"), "{family}: the results do not name the graph");
    }
}

#[test]
fn without_their_graph_say_so_and_make_nothing() {
    let env = project(&["optimum-onnx-sd".to_owned()]);
    std::fs::remove_file(env.path("model/unet/model.onnx")).unwrap();
    env.run(["run", "suite.toml"]).exits(2).says(&["unet"]);
    let env = project(&["optimum-onnx-sd".to_owned()]);
    let graph = env.path("model/unet/model.onnx");
    let whole = std::fs::read(&graph).unwrap();
    std::fs::write(&graph, &whole[..whole.len() / 2]).unwrap();
    env.run(["run", "suite.toml"]).exits(2).says(&["model.onnx"]);
}
