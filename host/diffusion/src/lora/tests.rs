//! Merged weights against those that diffusers merged, one by one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::file::LoraFile;
use super::{Adapters, Component, Factors, fit};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Largest difference of the weights in `expected` from `W + up x down`, and how many weights that were.
fn compare(family: &str, files: &[(&str, f64)], expected: &str) -> (f64, usize) {
    let files: Vec<_> = files.iter().map(|(file, weight)| (golden("lora").join(family).join(file), *weight)).collect();
    let adapters = Adapters::read(&files).unwrap();
    let expected = LoraFile::open(&golden("lora").join(family).join(expected)).unwrap();
    let (mut worst, mut compared) = (0.0f64, 0);
    for component in Component::ALL {
        let stem = if component == Component::Unet { "diffusion_pytorch_model" } else { "model" };
        let path = golden("families").join(family).join(component.name()).join(format!("{stem}.safetensors"));
        let Ok(base) = LoraFile::open(&path) else { continue };
        let tensors = base.tensors.iter().map(|(name, place)| (name.as_str(), place.shape.as_slice()));
        let additions = fit(&adapters, component, tensors).unwrap();
        // Files of different times name the text encoder's tensors differently.
        let known: HashMap<&str, &str> =
            base.tensors.keys().map(|name| (name.strip_prefix("text_model.").unwrap_or(name), name.as_str())).collect();
        for (key, place) in expected.tensors.iter().filter(|(key, _)| key.ends_with(".weight")) {
            let Some(name) = key.strip_prefix(component.name()).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            let name = known[name.strip_prefix("text_model.").unwrap_or(name)];
            let Factors { rank, up, down } = Factors::read(&additions[name], place.shape[0]).unwrap();
            let columns = down.len() / rank;
            let plain = base.values(&base.tensors[name]).unwrap();
            for (index, wanted) in expected.values(place).unwrap().into_iter().enumerate() {
                let (row, column) = (index / columns, index % columns);
                let product =
                    |inner: usize| f64::from(up[row * rank + inner]) * f64::from(down[inner * columns + column]);
                let sum = f64::from(plain[index]) + (0..rank).map(product).sum::<f64>();
                worst = worst.max((sum - f64::from(wanted)).abs());
            }
            compared += 1;
        }
    }
    println!("{family} {files:?}: {compared} weights, largest difference {worst:e}");
    (worst, compared)
}

#[test]
fn merged_weights_are_those_of_diffusers() {
    for file in ["kohya.safetensors", "new.safetensors", "old.safetensors"] {
        let (worst, compared) = compare("sd1", &[(file, 1.0)], "one.safetensors");
        assert!(worst < 1e-6 && compared >= 8, "{file}: {worst:e} of {compared}");
    }
    let (worst, compared) =
        compare("sd1", &[("kohya.safetensors", 0.7), ("locon.safetensors", -0.3)], "two.safetensors");
    assert!(worst < 1e-6 && compared > 25, "two: {worst:e} of {compared}");
    let (worst, compared) = compare("sdxl", &[("ldm.safetensors", 0.8)], "one.safetensors");
    assert!(worst < 1e-6 && compared > 25, "xl: {worst:e} of {compared}");
}

#[test]
fn a_convolution_in_three_parts_is_their_product() {
    let (worst, compared) = compare("sd1", &[("cp.safetensors", 1.0)], "cp-merged.safetensors");
    assert!(worst < 1e-6 && compared == 1, "{worst:e} of {compared}");
}
