//! The estimate against what was measured, and its limits.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::{Value, json};

use super::network::{Network, Scores, Weights};
use super::*;
use crate::onnx::Widened;
use crate::pipeline::load::{Options, lanes};
use crate::pipeline::model::Model;

/// Stable Diffusion 1.5's networks, whose UNet has weights of that kind, under a text encoder of two layers.
fn sd15(unet: fn(u64) -> Weights) -> Sizes {
    let config = json!({
        "block_out_channels": [320, 640, 1280, 1280],
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "attention_head_dim": 8,
    });
    Sizes {
        text: Weights::repacked(31_000_000).all(),
        text_is_dropped: false,
        unet: Network::unet(&config, false, unet(4 * 859_520_964), 64 * 64),
        vae: decoder(None),
        upscale: 8,
    }
}

/// Bytes of its decoder's weights.
const DECODER: u64 = 4 * 49_490_199;

fn decoder(exported: Option<Widened>) -> Network {
    let weights = exported.map_or_else(|| Weights::repacked(DECODER), Weights::exported);
    Network::vae(&json!({ "block_out_channels": [128, 256, 512, 512] }), exported.is_some(), weights, 8)
}

/// A folder of the Stable Diffusion family as a run opens it.
fn read(folder: &Path, threads: usize) -> Sizes {
    let options = Options { threads: Some(threads), ..Options::default() };
    let model = Model::open(".", folder, &options).unwrap();
    Sizes::read(&model, &options.session(lanes(&model.repository, &options)), false)
}

fn suites(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/models").join(name)
}

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ready").join(name)
}

/// From a tenth too little to a third too much.
#[track_caller]
fn assert_near(what: &str, estimate: u64, measured_mb: u64) {
    let ratio = estimate as f64 / (measured_mb as f64 * 1e6);
    assert!((0.9..=1.35).contains(&ratio), "{what}: {} for {measured_mb} MB, {ratio:.2} times", told(estimate));
}

/// The largest resident memory of whole `difftest run`s on two x86-64 cores, with ONNX Runtime 1.31.1.
#[test]
fn runs_take_what_was_measured() {
    let small = read(&suites("shapes"), 1);
    // side, texts, lanes, megabytes
    for (side, texts, lanes, measured) in [
        (64, 1, 1, 127),
        (64, 2, 2, 170),
        (256, 1, 1, 198),
        (256, 2, 1, 214),
        (256, 2, 2, 290),
        (512, 1, 1, 277),
        (512, 2, 1, 279),
        (512, 2, 2, 390),
        (768, 2, 1, 394),
        (768, 2, 2, 588),
    ] {
        let what = format!("builtin:shapes, {side}x{side}, {texts} texts, {lanes} lanes");
        assert_near(&what, small.need([side; 2], texts, lanes).most(), measured);
    }
    let (plain, half) = (sd15(Weights::in_place), sd15(Weights::repacked));
    // The last two make a second session, for more latents than the network was trained for.
    for (what, sizes, side, texts, measured) in [
        ("512x512 without guidance", plain, 512, 1, 4725),
        ("512x512", plain, 512, 2, 4711),
        ("512x512, half-precision files", half, 512, 2, 6511),
        ("768x768", plain, 768, 2, 6404),
        ("1024x1024 without guidance", plain, 1024, 1, 7511),
    ] {
        assert_near(what, sizes.need([side; 2], texts, 1).most(), measured);
    }
}

/// The same of `difftest-bench decode`: the decoder alone.
#[test]
fn decoders_take_what_was_measured() {
    // In f32, where the attention's scores of all pixels exist at once.
    let inside = Some(Widened { inside: DECODER, beside: 0 });
    let beside = Some(Widened { inside: 0, beside: DECODER });
    for (what, exported, side, measured) in [
        ("built", None, 256, 557),
        ("built", None, 512, 1034),
        ("built", None, 768, 1874),
        ("built", None, 1024, 3031),
        ("exported as one file", inside, 256, 542),
        ("exported as one file", inside, 512, 1097),
        ("exported as one file", inside, 768, 2104),
        ("exported as two files", beside, 256, 500),
    ] {
        let (network, latents) = (decoder(exported), [side / 8; 2]);
        let computes = network.computes_in(latents, 1);
        let estimate = BASE + network.weights(latents, 1) + computes + computes.min(SPARE as u64);
        assert_near(&format!("{what}, {side}x{side}"), estimate, measured);
    }
}

#[test]
fn exported_graphs_count_with_their_weights() {
    let copy = |from: &Path, to: &Path| {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let exported = golden("optimum-onnx-sd");
    copy(&golden("safetensors-sd/tokenizer"), &folder.path().join("tokenizer"));
    std::fs::copy(exported.join("model_index.json"), folder.path().join("model_index.json")).unwrap();
    for part in ["scheduler", "text_encoder", "unet", "vae_decoder"] {
        copy(&exported.join(part), &folder.path().join(part));
    }
    let (ready, built) = (read(folder.path(), 1), read(&golden("safetensors-sd"), 1));
    // What the same weights are as safetensors; constants of the graph count as well, but are few.
    for (what, ready, built) in [
        ("unet", ready.unet.weights.each, built.unet.weights.each),
        ("vae", ready.vae.weights.each, built.vae.weights.each),
        ("text", ready.text, built.text),
    ] {
        let (ready, built) = (ready * 4 / 7, built * 2 / 3);
        assert!(
            (built - 64..built + built / 5).contains(&ready),
            "{what}: {ready} bytes exported, {built} as safetensors"
        );
    }
    assert!(ready.unet.scores.is_some() && built.unet.scores.is_none());
    // Beside the graph, too: the file of the data is 8816 bytes long.
    let beside = crate::models::graph_weights(&golden("external-data")).unwrap();
    assert_eq!(beside.beside, 8816);
    assert!((1..8816).contains(&beside.inside), "small constants stay in the graph: {beside:?}");
}

#[test]
fn a_size_that_needs_another_session_counts_its_weights_again() {
    let unet = sd15(Weights::in_place).unet;
    let sessions = |unet: Network, side: u64| (unet.weights([side; 2], 1) - unet.weights.once) / unet.weights.each;
    // beyond the training's size, and where sides do not halve evenly
    assert_eq!([64, 72, 60].map(|side| sessions(unet, side)), [1, 2, 2]);
    // Repacked weights serve any number of latents.
    let unet = sd15(Weights::repacked).unet;
    assert_eq!([64, 72, 60].map(|side| sessions(unet, side)), [1, 1, 2]);
}

#[test]
fn what_would_fit_is_told_before_and_after() {
    let large = sd15(Weights::in_place);
    let folder = suites("shapes");
    let model = Model::open(".", &folder, &Options::default()).unwrap();
    let settings = difftest_core::generate::Settings { size: Some((768, 768)), ..Default::default() };
    let settings = model.settings(&settings).unwrap();
    let error = large.check(&settings, 1, 5_000_000_000).unwrap_err();
    assert_eq!(error.kind, KIND);
    assert_eq!(error.message, "images of 768x768 need about 6.1 GB, 5.0 GB free");
    assert!(error.hint.unwrap().starts_with("384x384 would fit (about 4."));
    large.check(&settings, 1, 6_500_000_000).unwrap();
    let advice = large.advice(&settings, 1);
    assert!(
        advice.starts_with("memory ran out: images of 768x768 need about 6.1 GB; those of 384x384 about 4."),
        "{advice}"
    );
    let advice = large.advice(&settings, 2);
    assert!(advice.contains("at 2 at a time, and 6.1 GB one at a time (`-j 1`)"), "{advice}");
}

#[test]
fn numbers_of_a_config_never_overflow() {
    let most = u64::MAX;
    let weights = Weights { once: most, each: most };
    let scores = Some(Scores { heads: most, latents: 1 });
    let any = Network { weights, held: most, scores, ..Network::default() };
    let any = Sizes { text: most, unet: any, vae: any, ..sd15(Weights::in_place) };
    assert_eq!(any.need([u32::MAX; 2], 2, 8), Need { text: most, image: most });
    let config: Value = json!({ "block_out_channels": vec![most; 80], "attention_head_dim": most });
    let unet = Network::unet(&config, true, Weights::exported(Widened { inside: most, beside: most }), most);
    let vae = Network::vae(&config, true, Weights::repacked(most), most);
    for network in [unet, vae] {
        assert_eq!((network.weights([most; 2], most), network.computes_in([most; 2], most)), (most, most));
    }
    Sizes { unet, vae, ..Sizes::default() }.need([u32::MAX; 2], 2, 8);
}

#[test]
fn text_encoders_that_are_dropped_do_not_count_beside_the_unet() {
    let kept = sd15(Weights::in_place);
    let dropped = Sizes { text_is_dropped: true, ..kept }.need([512; 2], 2, 1);
    let kept_need = kept.need([512; 2], 2, 1);
    assert_eq!(kept_need.image - dropped.image, kept.text);
    assert_eq!(kept_need.text, dropped.text);
}
