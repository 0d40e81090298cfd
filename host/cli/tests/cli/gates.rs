//! Gates that ask what scores prove, and the calibration of a suite.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::env::{TestEnv, copy, workspace};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

const SUITE: &str = r#"
model = "builtin:shapes"

[models]
clip = "builtin:shapes-clip"

[defaults]
seeds = [1]
steps = 8
metrics = ["clip_score"]

[[test]]
name = "adherence"
prompts = [
    "a red circle on a blue background", "a yellow star on a black background", "a green square on a white background",
    "a blue triangle on a red background", "a white circle on a black background", "a yellow square on a green background",
    "a red star on a white background", "a green triangle on a yellow background",
]
threshold = { clip_score = 0.0 }
"#;

/// A copy of the model that ships with difftest, the half-precision weights of its network passed through `change`, layer by layer.
fn model(folder: &Path, change: impl Fn(&str, Vec<[u8; 2]>) -> Vec<[u8; 2]>) -> PathBuf {
    let shipped = workspace().join("suites/models/shapes");
    copy(&shipped, folder);
    let bytes = std::fs::read(shipped.join(UNET)).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    // Another file with the same tensors: they stand in another order, and the header says who saved it.
    let mut data = Vec::new();
    header.insert("__metadata__".to_owned(), serde_json::json!({ "format": "pt", "saved": "anew" }));
    for (name, entry) in header.iter_mut().rev().filter(|(name, _)| *name != "__metadata__") {
        assert_eq!(entry["dtype"], "F16");
        let offset = |end: usize| entry["data_offsets"][end].as_u64().unwrap() as usize + 8 + length;
        let weights = bytes[offset(0)..offset(1)].chunks_exact(2).map(|pair| [pair[0], pair[1]]);
        let start = data.len();
        data.extend(change(name, weights.collect()).into_iter().flatten());
        entry["data_offsets"] = serde_json::json!([start, data.len()]);
    }
    let mut header = serde_json::to_vec(&header).unwrap();
    header.resize(header.len().next_multiple_of(8), b' ');
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    assert_ne!(file, bytes);
    std::fs::write(folder.join(UNET), file).unwrap();
    folder.to_owned()
}

fn paired(margin: &str) -> String {
    let gate = format!("threshold = {{ clip_score = {{ gate = \"no_worse_than_baseline\", margin = {margin} }} }}");
    SUITE.replace("threshold = { clip_score = 0.0 }", &gate)
}

#[test]
fn a_worse_model_turns_red_and_the_same_one_saved_anew_stays_green() {
    let env = TestEnv::new();
    let same = model(&env.path("same"), |_, weights| weights);
    // The last layer of the network, one weight in `every` lost.
    let losing = |folder: &str, every: usize| {
        model(&env.path(folder), |name, weights| match name {
            "conv_out.weight" => {
                weights.iter().enumerate().map(|(i, weight)| if i % every == 0 { [0, 0] } else { *weight }).collect()
            }
            _ => weights,
        })
    };
    let (worse, uneven) = (losing("worse", 2), losing("uneven", 5));
    env.run_suite(SUITE, &[]).exits(0);
    env.run(["baseline", "save", "--model", "v1"]).exits(0);

    env.run_suite(&paired("0.01"), &[]).exits(2).says(&["compares with a baseline", "--baseline NAME"]);
    let with = |model: &Path| ["--baseline".to_owned(), "v1".into(), "--model".into(), model.display().to_string()];
    let run = |margin: &str, model: &Path| {
        let words = with(model);
        let words: Vec<&str> =
            words.iter().map(String::as_str).chain(["--output", "results.json", "--html", "report.html"]).collect();
        env.run_suite(&paired(margin), &words)
    };
    // The same pixels prove that nothing was lost, without any margin.
    run("0.0", &same).exits(0).says(&["no worse than the baseline: change 0.000 [0.000 to 0.000]", "8 prompts"]);

    run("0.01", &worse).exits(1).says(&["FAIL", "a loss is shown", "8 prompts can show a difference of"]);
    let results = env.results();
    let evidence = results.pointer("/suites/0/tests/0/gates/0/evidence").unwrap();
    assert!(
        evidence["upper"].as_f64().unwrap() < -0.01 && evidence["p_adjusted"].as_f64().unwrap() < 0.05,
        "{evidence}"
    );
    let lost: Vec<f64> = evidence["lost"].as_array().unwrap().iter().map(|lost| lost[1].as_f64().unwrap()).collect();
    assert!(lost.len() >= 3 && lost.windows(2).all(|pair| pair[0] <= pair[1]), "the worst first: {evidence}");

    // What each image had in the baseline is told with it: the gate's estimate is the mean of what they lost.
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let lost = cases.iter().map(|case| {
        let score =
            |pointer: &str| case.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {case}")).as_f64().unwrap();
        score("/scores/0/value") - score("/baseline/scores/clip_score")
    });
    let mean = lost.sum::<f64>() / cases.len() as f64;
    assert!((mean - evidence["estimate"].as_f64().unwrap()).abs() < 1e-12, "{mean}: {evidence}");
    // The page shows them side by side, and says of no image that it passed or failed.
    let page = std::fs::read_to_string(env.path("report.html")).unwrap();
    for part in ["<figure class=\"expected\"><img", "<figure class=\"heatmap\"><img", "class=\"thumb together\""] {
        assert_eq!(page.matches(part).count(), 8, "{part}");
    }
    assert!(page.contains("baseline <b>v1</b>") && page.contains("model <b>worse</b>"));

    // With less damage a few prompts lose much and the others little: eight of them may be too few to prove it, but it is not green.
    run("0.01", &uneven).exits(1).says(&["p0  a red circle on a blue background"]);
}

#[test]
fn one_prompt_proves_nothing_and_a_suite_may_tolerate_that() {
    let env = TestEnv::new();
    let suite = SUITE
        .replace("threshold = { clip_score = 0.0 }", "threshold = { clip_score = { gate = \"floor\", min = 0.1 } }");
    env.run_suite(&suite, &["-k", "p0"]).exits(1).says(&["INCONCLUSIVE", "one prompt says nothing of others"]);
    let tolerant = format!("inconclusive = \"pass\"\n{suite}");
    env.run_suite(&tolerant, &["-k", "p0"]).exits(0).says(&["INCONCLUSIVE", "1 inconclusive"]);
}

#[test]
fn calibrating_measures_noise_and_controls_and_proposes_tolerances() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", SUITE.replace("[\"clip_score\"]", "[\"clip_score\", \"image-stats/brightness\"]"));
    let plugins = workspace().join("plugins");
    let plugins = plugins.to_str().unwrap();
    let found = env.run(["calibrate", "suite", "-n", "2", "--plugins", plugins]).exits(0);
    for part in [
        "every repeat made the same pixels",
        "noise: 0: deterministic here, to the last bit",
        "prompts of other images: told apart",
        "noise: NOT told apart",
        "this metric cannot gate here: ",
        "prompts of other images: not looked at by this metric",
        "gate = \"no_worse_than_baseline\", margin = 0.0",
        "in place of its `threshold`",
    ] {
        assert!(found.stdout.contains(part), "no {part:?} in:\n{}", found.stdout);
    }
    assert!(!found.stdout.contains("margin = 0.0 }"), "a margin that only the same model keeps:\n{}", found.stdout);
    let words = ["calibrate", "suite", "-n", "2", "--plugins", plugins, "-k", "p0 or p1", "--message-format", "json"];
    let found: Value = serde_json::from_str(&env.run(words).exits(0).stdout).unwrap();
    let clip = found.pointer("/suites/0/metrics/0").unwrap();
    assert_eq!((&clip["metric"], &clip["images"], &clip["repeats"]), (&"clip_score".into(), &2.into(), &2.into()));
    assert_eq!(clip.pointer("/controls/0/outcome").unwrap(), "too-few");
    env.run(["calibrate", "suite", "-n", "1"]).exits(2);
}

#[test]
fn a_gate_is_refused_where_its_metric_cannot_tell_black_or_noise() {
    let env = TestEnv::new();
    let gate = |gates: &str| {
        let metrics = SUITE.replace("[\"clip_score\"]", "[\"clip_score\", \"image-stats/sharpness\"]");
        metrics.replace("threshold = { clip_score = 0.0 }", &format!("controls = true\nthreshold = {{ {gates} }}"))
    };
    // CLIP tells black, noise and other prompts from the pictures, and the scores of the controls are kept.
    let trusted = gate("clip_score = 0.0");
    env.run_suite(&trusted, &[]).exits(0);
    env.run_suite(&trusted, &["--diff"]).exits(0).says(&["8 reuse"]);
    // Noise is sharper than any picture: a minimum lets it pass.
    let sharp = gate("clip_score = 0.0, \"image-stats/sharpness\" = { min = 0.0001 }");
    let refused = env.run_suite(&sharp, &["--output", "results.json"]).exits(2);
    assert!(refused.stderr.contains("`image-stats/sharpness` cannot gate here: noise scored "), "{}", refused.stderr);
    assert_eq!(env.results().pointer("/suites/0/tests/0/errors/0/kind"), Some(&"control".into()));
    env.run_suite(&sharp.replace("controls = true", "controls = false"), &[]).exits(0);
    // A bound on the other side too holds it out.
    env.run_suite(&sharp.replace("min = 0.0001", "min = 0.0001, max = 0.05"), &[]).exits(0);
    // Too few prompts to know is not a pass either.
    env.run_suite(&trusted, &["-k", "p0 or p1"]).exits(2).says(&["cannot be said: 2 prompts are too few"]);
    env.run_suite(&trusted.replace("controls = true", "controls = 1"), &[]).exits(2).says(&["must be true or false"]);
}
