//! LoRA files on the tiny models of `golden/families`, against diffusers' `load_lora_weights`, `set_adapters` and `fuse_lora`.
//! `golden/lora/make.py` made the files and what is expected.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use difftest_core::generate::{Generator as _, Request, Settings};
use difftest_diffusion::lora::Adapters;
use difftest_diffusion::models::{Added, TextEncoder, TextTap, Unet};
use difftest_diffusion::pipeline::{Observation, Options, StableDiffusion};
use difftest_diffusion::session::SessionOptions;
use difftest_diffusion::tokenizer::ClipTokenizer;
use safetensors::SafeTensors;
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
    // what the other tests compare is not the model without its file
    let wanted = values_f32(&golden, "unet.prediction");
    let change = plain.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(change > 0.01, "the file changes {change:e}");
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

/// Images of the whole pipeline: largest difference of the latents, and how many bytes are more than one level off.
fn check_image(model: &StableDiffusion, expected: &[u8], name: &str, request: Request) {
    let last = Mutex::new(Vec::new());
    let keep = |observation: Observation<'_>| *last.lock().unwrap() = observation.latents.to_vec();
    let image = model.generate_observed(&[request], &|_| true, &keep).remove(0).unwrap().image;
    let latents = last.into_inner().unwrap();
    assert_close(&format!("{name}: latents"), &latents, &values_f32(expected, &format!("{name}.latents")), 1e-3);
    let file = SafeTensors::deserialize(expected).unwrap();
    let wanted = file.tensor(&format!("{name}.image")).unwrap();
    let pixels = image.rgb8();
    assert_eq!(pixels.len(), wanted.data().len(), "{name}: size");
    let off = pixels.iter().zip(wanted.data()).filter(|(a, b)| a.abs_diff(**b) > 1).count();
    assert!(off * 100 <= pixels.len(), "{name}: {off} of {} bytes are more than one level off", pixels.len());
}

fn request(seed: u64, negative: Option<&str>, settings: Settings) -> Request {
    Request {
        id: "case".to_owned(),
        prompt: "a small green star, left of a white heart!".to_owned(),
        negative_prompt: negative.map(str::to_owned),
        seed,
        settings,
    }
}

fn settings(scheduler: Option<&str>, steps: u32, guidance: f64) -> Settings {
    Settings {
        scheduler: scheduler.map(str::to_owned),
        steps: Some(steps),
        guidance: Some(guidance),
        ..Settings::default()
    }
}

#[test]
fn images_with_lora_files_are_those_of_diffusers() {
    let base = golden_path("families");
    let options = Options { threads: Some(1), ..Options::default() };
    let files = adapters(&[("sd1/kohya.safetensors", 0.7), ("sd1/locon.safetensors", -0.3)]);
    let model = StableDiffusion::load_adapted("sd1", &base, files, &options).unwrap();
    let names: Vec<_> = model.info().loras.iter().map(|lora| (lora.file.as_str(), lora.weight)).collect();
    assert!(names[0].0.ends_with("sd1/kohya.safetensors") && names[1].1 == -0.3, "{names:?}");
    let expected = read("sd1/two.safetensors");
    let guided = request(3, Some("a blurred, ugly square"), settings(Some("ddim"), 5, 7.5));
    check_image(&model, &expected, "guided", guided);
    // as an LCM LoRA is used: another scheduler, four steps, no guidance
    check_image(&model, &expected, "lcm", request(4, None, settings(Some("lcm"), 4, 1.0)));

    let files = adapters(&[("sdxl/ldm.safetensors", 0.8)]);
    let model = StableDiffusion::load_adapted("sdxl", &base, files, &options).unwrap();
    let guided = request(5, Some("a blurred, ugly square"), settings(None, 3, 5.0));
    check_image(&model, &read("sdxl/one.safetensors"), "guided", guided);
}
