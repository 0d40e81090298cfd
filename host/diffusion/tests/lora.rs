//! LoRA files on the tiny models of `golden/families`, against diffusers' `load_lora_weights`, `set_adapters` and `fuse_lora`.
//! `golden/lora/make.py` made the files and what is expected.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use difftest_diffusion::lora::Adapters;
use difftest_diffusion::models::{Added, TextEncoder, TextTap, Unet};
use difftest_diffusion::session::SessionOptions;
use difftest_diffusion::tokenizer::ClipTokenizer;
use support::{assert_close, golden_path, options, shape, values_f32};

const PROMPT: &str = "a red circle on a blue background";

fn family(name: &str) -> PathBuf {
    golden_path("families").join(name)
}

fn lora(file: &str) -> PathBuf {
    golden_path("lora").join(file)
}

fn adapters(files: &[(&str, f64)]) -> Adapters {
    let files: Vec<_> = files.iter().map(|(file, weight)| (lora(file), *weight)).collect();
    Adapters::read(&files).unwrap()
}

fn with(files: &[(&str, f64)]) -> SessionOptions {
    SessionOptions { adapters: Arc::new(adapters(files)), ..options() }
}

fn read(file: &str) -> Vec<u8> {
    std::fs::read(lora(file)).unwrap()
}

fn ids(tokenizer: &Path) -> Vec<i64> {
    ClipTokenizer::load(tokenizer).unwrap().encode(PROMPT).unwrap().ids
}

/// The text encoder and the UNet of `sd1` with `files`, each by itself.
fn check_sd1(files: &[(&str, f64)], expected: &[u8], options: &SessionOptions) {
    let text = TextEncoder::load(&family("sd1/text_encoder"), options).unwrap();
    let hidden = text.encode(&ids(&family("sd1/tokenizer")), 1, TextTap::default()).unwrap().hidden;
    let wanted = values_f32(expected, "text.hidden");
    assert_close(&format!("{files:?}: text"), &hidden, &wanted, 1e-4);
    check_unet(files, expected, options, &wanted);
}

fn check_unet(files: &[(&str, f64)], expected: &[u8], options: &SessionOptions, text: &[f32]) {
    let unet = Unet::load(&family("sd1/unet"), options).unwrap();
    let sample = values_f32(expected, "unet.sample");
    let timestep = values_f32(expected, "unet.timestep")[0];
    let prediction = unet.predict(&sample, shape(expected, "unet.sample"), timestep, text).unwrap();
    assert_close(&format!("{files:?}: unet"), &prediction, &values_f32(expected, "unet.prediction"), 1e-4);
}

#[test]
fn one_file_in_every_spelling_gives_what_diffusers_gives() {
    let expected = read("sd1/one.safetensors");
    for file in ["sd1/kohya.safetensors", "sd1/new.safetensors", "sd1/old.safetensors"] {
        check_sd1(&[(file, 1.0)], &expected, &with(&[(file, 1.0)]));
    }
    // peft's own holds the UNet alone
    let text = values_f32(&expected, "text.hidden");
    for file in ["sd1/peft/adapter_model.safetensors", "sd1/peft"] {
        check_unet(&[(file, 1.0)], &expected, &with(&[(file, 1.0)]), &text);
    }
}

#[test]
fn two_files_add_up_with_their_weights() {
    let files = [("sd1/kohya.safetensors", 0.7), ("sd1/locon.safetensors", -0.3)];
    let expected = read("sd1/two.safetensors");
    check_sd1(&files, &expected, &with(&files));
    // in the other order, with a third that counts nothing, in two lanes
    let files = [files[1], ("sdxl/ldm.safetensors", 0.0), files[0]];
    check_sd1(&files, &expected, &SessionOptions { lanes: 2, ..with(&files) });
}

#[test]
fn a_weight_of_zero_leaves_every_bit_as_it_is() {
    let golden = read("sd1/one.safetensors");
    let text = values_f32(&golden, "text.hidden");
    let predict = |options: &SessionOptions| {
        let unet = Unet::load(&family("sd1/unet"), options).unwrap();
        unet.predict(&values_f32(&golden, "unet.sample"), shape(&golden, "unet.sample"), 621.5, &text).unwrap()
    };
    let plain = predict(&options());
    assert_eq!(plain, predict(&with(&[("sd1/kohya.safetensors", 0.0)])));
    assert_ne!(plain, predict(&with(&[("sd1/kohya.safetensors", 0.001)])));
}

#[test]
fn a_file_in_the_names_of_the_original_unet_changes_all_three_networks_of_xl() {
    let files = [("sdxl/ldm.safetensors", 0.8)];
    let (options, expected) = (with(&files), read("sdxl/one.safetensors"));
    let tap = |pooled| TextTap { skip: 1, norm: false, pooled };
    let first = TextEncoder::load(&family("sdxl/text_encoder"), &options).unwrap();
    let second = TextEncoder::load(&family("sdxl/text_encoder_2"), &options).unwrap();
    let left = first.encode(&ids(&family("sdxl/tokenizer")), 1, tap(false)).unwrap().hidden;
    let right = second.encode(&ids(&family("sdxl/tokenizer_2")), 1, tap(true)).unwrap();
    let (widths, pooled) = ((first.width(), second.width()), right.pooled.unwrap());
    let text: Vec<f32> = left
        .chunks(widths.0)
        .zip(right.hidden.chunks(widths.1))
        .flat_map(|(left, right)| left.iter().chain(right).copied())
        .collect();
    assert_close("text", &text, &values_f32(&expected, "text.hidden"), 1e-4);
    assert_close("pooled", &pooled, &values_f32(&expected, "text.pooled"), 1e-4);

    let unet = Unet::load(&family("sdxl/unet"), &options).unwrap();
    let time_ids = values_f32(&expected, "unet.time_ids");
    let text = values_f32(&expected, "text.hidden");
    let pooled = values_f32(&expected, "text.pooled");
    let added = Added { pooled: &pooled, time_ids: &time_ids };
    let texts = unet.project_texts(&text, 1, Some(added), None).unwrap();
    let sample = values_f32(&expected, "unet.sample");
    let timestep = values_f32(&expected, "unet.timestep")[0];
    let prediction = unet.predict_under(&sample, shape(&expected, "unet.sample"), timestep, &texts).unwrap();
    assert_close("unet", &prediction, &values_f32(&expected, "unet.prediction"), 1e-4);
}
