//! Graphs in half precision against the same networks in `f32`. On the CPU, where ONNX Runtime computes most operators of such graphs
//! in `f32` between casts, this shows that they are well formed and lose no more than the format does.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use difftest_diffusion::models::{Added, TextEncoder, TextTap, Unet, VaeDecoder};
use difftest_diffusion::session::{Precision, SessionOptions};
use support::{golden_network, golden_path, options, shape, values_f32, values_i64};

fn folder(name: &str) -> PathBuf {
    golden_path(&format!("networks/{name}"))
}

fn half() -> SessionOptions {
    SessionOptions { precision: Precision::F16, ..options() }
}

/// Differs from the result in `f32`, by at most so many parts of its largest value.
fn assert_half(what: &str, found: &[f32], exact: &[f32], tolerance: f32) {
    assert_eq!(found.len(), exact.len(), "{what}");
    let largest = exact.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let worst = found.iter().zip(exact).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / largest;
    println!("{what}: largest difference {worst:e} of the largest value");
    assert!(worst > 0.0, "{what}: the bits of f32: no half precision took part");
    assert!(worst <= tolerance, "{what}: differs by {worst:e}, allowed {tolerance:e}");
}

/// Predictions of a recorded batch in one precision.
fn predict(name: &str, size: &str, options: &SessionOptions) -> Vec<f32> {
    let unet = Unet::load(&folder(name), options).unwrap();
    let golden = golden_network(&format!("{name}-{size}"));
    let (read, shape) = (|tensor| values_f32(&golden, tensor), shape::<4>(&golden, "sample"));
    let conditions = unet.reads_added().then(|| (read("pooled"), read("time_ids")));
    let added = conditions.as_ref().map(|(pooled, time_ids)| Added { pooled, time_ids });
    let guidance = unet.reads_guidance().then_some(8.5);
    let texts = unet.project_texts(&read("text"), shape[0], added, guidance).unwrap();
    unet.predict_under(&read("sample"), shape, read("timestep")[0], &texts).unwrap()
}

#[test]
fn predictions() {
    for (name, size) in [
        ("unet-linear", "odd"),
        ("unet-cross", "even"),
        ("unet-xl", "even"),
        ("unet-guided", "even"),
        ("unet-uneven", "even"),
        // attention in f32
        ("unet-shallow", "even"),
    ] {
        assert_half(name, &predict(name, size, &half()), &predict(name, size, &options()), 1e-2);
    }
}

#[test]
fn decoded_images() {
    let decode = |options: &SessionOptions, folder: &Path, name: &str| {
        let golden = golden_network(&format!("{name}-image"));
        let vae = VaeDecoder::load(folder, options).unwrap();
        vae.decode(&values_f32(&golden, "latents"), shape(&golden, "latents")).unwrap()
    };
    // As saved, both ask for f32 in a pipeline of half precision.
    for name in ["vae-old", "vae-xl"] {
        let [found, exact] = [half(), options()].map(|options| decode(&options, &folder(name), name));
        assert!(found == exact, "{name}: force_upcast without effect");
        let free = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder(name)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), free.path().join(entry.file_name())).unwrap();
        }
        let config = std::fs::read_to_string(folder(name).join("config.json")).unwrap();
        let config = config.replace("\"force_upcast\": true", "\"force_upcast\": false");
        std::fs::write(free.path().join("config.json"), config).unwrap();
        assert_half(name, &decode(&half(), free.path(), name), &exact, 1e-2);
    }
}

#[test]
fn text_features() {
    let tap = TextTap { skip: 1, norm: false, pooled: true };
    let ids = values_i64(&golden_network("text-projected-features"), "ids");
    let encode = |options| TextEncoder::load(&folder("text-projected"), options).unwrap().encode(&ids, 2, tap).unwrap();
    let (found, exact) = (encode(&half()), encode(&options()));
    assert_half("hidden", &found.hidden, &exact.hidden, 1e-2);
    assert_half("pooled", &found.pooled.unwrap(), &exact.pooled.unwrap(), 1e-2);
}
