//! What the network tests share: where data lies, how to read it, how to compare.
#![allow(dead_code, clippy::print_stdout, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use difftest_diffusion::session::SessionOptions;
use safetensors::SafeTensors;

/// A folder of `suites/models`.
pub(crate) fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/models").join(name)
}

/// A file or folder of this crate's golden data.
pub(crate) fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// A copy of a recorded network's folder, to be damaged.
pub(crate) fn copy_of_network(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden_path(&format!("networks/{name}"))).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// A copy of the small model that comes with the sources, to be changed or spoilt.
pub(crate) fn copy_of_shapes() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = model("shapes");
    for part in ["scheduler", "text_encoder", "tokenizer", "unet", "vae"] {
        std::fs::create_dir(folder.path().join(part)).unwrap();
        for entry in std::fs::read_dir(from.join(part)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(part).join(entry.file_name())).unwrap();
        }
    }
    std::fs::copy(from.join("model_index.json"), folder.path().join("model_index.json")).unwrap();
    folder
}

/// One thread, one lane, the CPU.
pub(crate) fn options() -> SessionOptions {
    SessionOptions { threads: 1, ..SessionOptions::default() }
}

/// The names of all recorded pipeline runs.
pub(crate) fn golden_cases() -> Vec<String> {
    let index = std::fs::read(golden_path("shapes/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let cases: Vec<String> =
        index["cases"].as_array().unwrap().iter().map(|case| case["file"].as_str().unwrap().to_owned()).collect();
    assert!(!cases.is_empty());
    cases
}

/// The bytes of a recorded pipeline run.
pub(crate) fn golden(case: &str) -> Vec<u8> {
    std::fs::read(golden_path(&format!("shapes/{case}.safetensors"))).unwrap()
}

/// An `f32` tensor of a safetensors file.
pub(crate) fn values_f32(file: &[u8], name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(file).unwrap();
    let (values, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
    values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// An `i64` tensor of a safetensors file.
pub(crate) fn values_i64(file: &[u8], name: &str) -> Vec<i64> {
    let file = SafeTensors::deserialize(file).unwrap();
    let (values, _) = file.tensor(name).unwrap().data().as_chunks::<8>();
    values.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()
}

/// The shape of a tensor of a safetensors file.
pub(crate) fn shape<const N: usize>(file: &[u8], name: &str) -> [usize; N] {
    SafeTensors::deserialize(file).unwrap().tensor(name).unwrap().shape().try_into().unwrap()
}

/// Largest difference at most `tolerance`, and prints it.
pub(crate) fn assert_close(what: &str, actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len(), "{what}: length");
    assert!(actual.iter().all(|value| value.is_finite()), "{what}: not finite");
    let worst = actual.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("{what}: largest difference {worst:e}");
    assert!(worst <= tolerance, "{what}: differs by {worst:e}, allowed {tolerance:e}");
}

/// Recorded inputs and outputs of a single network.
pub(crate) fn golden_network(name: &str) -> Vec<u8> {
    std::fs::read(golden_path(&format!("networks/{name}.safetensors"))).unwrap()
}

/// Runs a recorded prediction.
pub(crate) fn check_prediction(unet: &difftest_diffusion::models::Unet, name: &str) {
    let golden = golden_network(name);
    let read = |tensor| values_f32(&golden, tensor);
    let shape = shape(&golden, "sample");
    let prediction = unet.predict(&read("sample"), shape, read("timestep")[0], &read("text")).unwrap();
    assert_close(name, &prediction, &read("prediction"), 1e-4);
}
