//! Folders of exported ONNX graphs give the images of the safetensors folders that they were exported from, whoever exported them.
//!
//! Needs ONNX Runtime: `cargo xtask test` provides it. Without it these tests fail, they are never skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use difftest_core::generate::{GenerateError, Generator as _, Request, Settings};
use difftest_core::image::Image;
use difftest_diffusion::lora::Adapters;
use difftest_diffusion::models::{Added, TextEncoder, TextTap, Unet, VaeDecoder};
use difftest_diffusion::pipeline::{Options, StableDiffusion};
use support::{assert_close, golden_path, options};
use tempfile::TempDir;

/// A model folder made of folders of `golden/ready`, later ones over earlier ones.
fn model(layers: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for tokenizer in ["tokenizer", "tokenizer_2"] {
        copy(&golden_path("ready/safetensors-sd/tokenizer"), &folder.path().join(tokenizer));
    }
    layers.iter().for_each(|layer| copy(&golden_path(&format!("ready/{layer}")), folder.path()));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.is_dir() { copy(&entry, &to) } else { fs::copy(&entry, &to).map(drop).unwrap() }
    }
}

/// Five steps on 16x16 latents (of the VAE with two levels).
fn settings() -> Settings {
    Settings { steps: Some(5), guidance: Some(4.0), size: Some((32, 32)), ..Settings::default() }
}

fn generate(folder: &Path, settings: &Settings) -> Result<Image, GenerateError> {
    let options = Options { threads: Some(1), ..Options::default() };
    let model = StableDiffusion::open(".", folder, &options).map_err(|error| GenerateError {
        kind: "load".to_owned(),
        message: error.to_string(),
        hint: error.hint(),
    })?;
    let request = Request {
        id: "case".to_owned(),
        prompt: "a red circle on a blue background".to_owned(),
        negative_prompt: None,
        seed: 42,
        settings: settings.clone(),
    };
    model.generate(&[request], &|_| true).remove(0).map(|generated| generated.image)
}

/// 99 % of the bytes are within `levels`.
fn assert_same_image(what: &str, exported: &Path, built: &Path, settings: &Settings, levels: u8) {
    let (image, expected) = (generate(exported, settings).unwrap(), generate(built, settings).unwrap());
    let (image, expected) = (image.rgb8(), expected.rgb8());
    assert_eq!(image.len(), expected.len());
    let differences: Vec<u8> = image.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).collect();
    let beyond = differences.iter().filter(|&&difference| difference > levels).count();
    println!("{what}: {beyond} of {} bytes beyond {levels}, worst {:?}", differences.len(), differences.iter().max());
    assert!(beyond * 100 <= differences.len(), "{what}: {beyond} of {} bytes", differences.len());
    let spread = expected.iter().max().unwrap() - expected.iter().min().unwrap();
    assert!(spread > 40, "{what}: a flat image shows nothing");
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 40.0).collect()
}

fn ids() -> Vec<i64> {
    (0..77).map(|i| (i * 53 + 7) % 617).collect()
}

#[test]
fn genuine_exports_of_optimum_onnx() {
    let (exported, built) = (model(&["optimum-onnx-sd"]), model(&["safetensors-sd"]));
    assert_same_image("optimum-onnx", exported.path(), built.path(), &settings(), 1);
    let euler = Settings { scheduler: Some("euler".to_owned()), ..settings() };
    assert_same_image("optimum-onnx, euler", exported.path(), built.path(), &euler, 1);
}

/// diffusers' XL pipeline looks at the mean and deviation of latents in the VAE's config, its other pipelines do not.
#[test]
fn statistics_of_latents_are_for_xl_alone() {
    for (layers, config, changes) in [
        ("optimum-onnx-sd", "vae_decoder", false),
        ("safetensors-sd", "vae", false),
        ("optimum-onnx-xl", "vae_decoder", true),
        ("safetensors-xl", "vae", true),
    ] {
        let folder = model(&[layers]);
        let without = generate(folder.path(), &settings()).unwrap();
        let path = folder.path().join(config).join("config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config["latents_mean"] = serde_json::json!([0.1, 0.2, 0.3, 0.4]);
        config["latents_std"] = serde_json::json!([1.0, 2.0, 3.0, 4.0]);
        config["shift_factor"] = serde_json::json!(0.5);
        fs::write(&path, config.to_string()).unwrap();
        let with = generate(folder.path(), &settings()).unwrap();
        assert_eq!(with.rgb8() != without.rgb8(), changes, "{layers}");
    }
}

#[test]
fn sub_models_agree_with_the_built_ones() {
    for (exported, built) in [
        (["optimum-onnx-sd", "optimum-onnx-sd"], "safetensors-sd"),
        (["optimum-onnx-sd", "optimum-1.23"], "safetensors-sd"),
    ] {
        let (exported, built) = (model(&exported), model(&[built]));
        let texts = [&exported, &built].map(|folder| {
            let encoder = TextEncoder::load(&folder.path().join("text_encoder"), &options()).unwrap();
            assert_eq!(
                (encoder.length(), encoder.width(), encoder.layers(), encoder.projection_dim()),
                (77, 8, 2, None)
            );
            encoder.encode(&[ids(), ids()].concat(), 2, TextTap::default()).unwrap().hidden
        });
        assert_close("text", &texts[0], &texts[1], 1e-4);
        let shape = [2, 4, 8, 12];
        let predictions = [&exported, &built].map(|folder| {
            let unet = Unet::load(&folder.path().join("unet"), &options()).unwrap();
            assert_eq!((unet.in_channels(), unet.out_channels(), unet.sample_size()), (4, 4, [8, 8]));
            unet.predict(&numbers(shape.iter().product()), shape, 501.0, &texts[1]).unwrap()
        });
        assert_close("unet", &predictions[0], &predictions[1], 1e-4);
        let images = [&exported, &built].map(|folder| {
            let vae = VaeDecoder::load(&folder.path().join("vae"), &options()).unwrap();
            assert_eq!((vae.upscale(), vae.latent_channels(), vae.scaling_factor()), (2, 4, 0.13025));
            vae.decode(&numbers(shape.iter().product()), shape).unwrap()
        });
        assert_close("vae", &images[0], &images[1], 1e-4);
    }
}

#[test]
fn integer_timesteps_of_old_exports_refuse_fractional_schedules() {
    let (exported, built) = (model(&["optimum-onnx-sd", "optimum-1.23"]), model(&["safetensors-sd"]));
    assert_same_image("optimum 1.23", exported.path(), built.path(), &settings(), 1);
    let config = exported.path().join("scheduler/scheduler_config.json");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("DDIMScheduler") && text.contains("\"timestep_spacing\": \"leading\""), "{text}");
    fs::write(&config, text.replace("\"leading\"", "\"linspace\"")).unwrap();
    let euler = Settings { scheduler: Some("euler".to_owned()), ..settings() };
    let error = generate(exported.path(), &euler).unwrap_err();
    assert!(
        error.message.ends_with(
            "unet/model.onnx takes whole timesteps (`timestep` int64[steps]), and this scheduler visits 749.25"
        ),
        "{error}"
    );
    let hint = error.hint.unwrap();
    assert!(
        hint.starts_with("set `scheduler` to one of ") && hint.contains("ddim") && !hint.contains("euler,"),
        "{hint}"
    );
    // DDIM rounds what it visits.
    generate(exported.path(), &settings()).unwrap();
}

#[test]
fn old_half_precision_exports_without_configs() {
    let exported = model(&["diffusers-script"]);
    let built = model(&["safetensors-sd", "safetensors-script"]);
    let large = Settings { size: Some((128, 128)), ..settings() };
    assert_same_image("diffusers' script, half precision", exported.path(), built.path(), &large, 1);
    // What that pipeline has in its code.
    let unet = Unet::load(&exported.path().join("unet"), &options()).unwrap();
    assert_eq!((unet.sample_size(), unet.in_channels(), unet.cross_attention_dim()), ([64, 64], 4, 8));
    let vae = VaeDecoder::load(&exported.path().join("vae"), &options()).unwrap();
    assert_eq!((vae.scaling_factor(), vae.upscale()), (0.18215, 8));
    // Other pipelines have nothing there.
    let index = exported.path().join("model_index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(index, text.replace("OnnxStable", "ORTStable")).unwrap();
    let error = Unet::load(&exported.path().join("unet"), &options()).unwrap_err().to_string();
    assert!(error.contains("unet/model.onnx does not say its latent channels, and neither does"), "{error}");
}

#[test]
fn stable_diffusion_xl_with_both_encoders() {
    let (exported, built) = (model(&["optimum-onnx-xl"]), model(&["safetensors-xl"]));
    assert_same_image("XL, optimum-onnx", exported.path(), built.path(), &settings(), 1);
    // Layers before the last are among the outputs here.
    let skipping = Settings { clip_skip: Some(1), ..settings() };
    assert_same_image("XL, clip_skip", exported.path(), built.path(), &skipping, 1);
    // The encoders and the decoder of ONNX Runtime's tools; the decoder is of one size.
    let exported = model(&["optimum-onnx-xl", "onnxruntime-tools"]);
    fs::copy(golden_path("ready/optimum-onnx-xl/unet/model.onnx"), exported.path().join("unet/model.onnx")).unwrap();
    let small = Settings { size: Some((16, 16)), ..settings() };
    assert_same_image("XL, ONNX Runtime's tools", exported.path(), built.path(), &small, 1);
    let error = generate(exported.path(), &settings()).unwrap_err();
    assert!(
        error
            .message
            .ends_with("vae_decoder/model.onnx was exported for a latent height of 8 only, so 16 is not possible"),
        "{error}"
    );
    let error = generate(exported.path(), &Settings { clip_skip: Some(1), ..small }).unwrap_err();
    assert!(
        error.message.contains("does not give the state of the layer 2 before the last without the final norm"),
        "{error}"
    );
}

#[test]
fn pooled_texts_and_sizes_reach_the_network() {
    let (exported, built) = (model(&["optimum-onnx-xl"]), model(&["safetensors-xl"]));
    let tap = TextTap { skip: 1, norm: false, pooled: true };
    let texts = [&exported, &built].map(|folder| {
        let encoder = TextEncoder::load(&folder.path().join("text_encoder_2"), &options()).unwrap();
        assert_eq!((encoder.width(), encoder.projection_dim()), (6, Some(6)));
        encoder.encode(&[ids(), ids()].concat(), 2, tap).unwrap()
    });
    assert_close("hidden", &texts[0].hidden, &texts[1].hidden, 1e-4);
    assert_close("pooled", texts[0].pooled.as_ref().unwrap(), texts[1].pooled.as_ref().unwrap(), 1e-4);
    let (tokens, shape) = (numbers(2 * 77 * 14), [1, 4, 8, 8]);
    let added = Added { pooled: &numbers(12), time_ids: &[64.0, 48.0, 0.0, 8.0, 64.0, 48.0].repeat(2) };
    let predictions = [&exported, &built].map(|folder| {
        let unet = Unet::load(&folder.path().join("unet"), &options()).unwrap();
        let texts = unet.project_texts(&tokens, 2, Some(added), None).unwrap();
        assert!(unet.project_texts(&tokens, 2, None, None).unwrap_err().to_string().contains("was given none"));
        assert!(unet.project_texts(&tokens, 2, Some(added), Some(3.0)).is_err());
        unet.predict_under(&numbers(256), shape, 401.0, &texts).unwrap()
    });
    assert_close("XL unet", &predictions[0], &predictions[1], 1e-4);
}

#[test]
fn latent_consistency_reads_its_guidance_scale() {
    let exported = model(&["optimum-onnx-sd", "optimum-onnx-lcm"]);
    let built = model(&["safetensors-sd", "safetensors-lcm"]);
    let shape = [1, 4, 8, 8];
    let predictions = [&exported, &built].map(|folder| {
        let unet = Unet::load(&folder.path().join("unet"), &options()).unwrap();
        let of = |guidance| {
            let texts = unet.project_texts(&numbers(77 * 8), 1, None, guidance).unwrap();
            unet.predict_under(&numbers(256), shape, 259.0, &texts).unwrap()
        };
        [of(Some(8.5)), of(Some(2.0)), of(None)]
    });
    for (exported, built) in predictions[0].iter().zip(&predictions[1]) {
        assert_close("LCM unet", exported, built, 1e-4);
    }
    assert_ne!(predictions[0][0], predictions[0][1]);
    let four = Settings { steps: Some(4), guidance: Some(8.5), ..settings() };
    assert_same_image("LCM", exported.path(), built.path(), &four, 1);
}

#[test]
fn clip_skip_is_refused_where_no_layer_was_exported() {
    let exported = model(&["optimum-onnx-sd"]);
    let error = generate(exported.path(), &Settings { clip_skip: Some(1), ..settings() }).unwrap_err();
    assert!(
        error.message.contains("does not give the state of the layer before the last with the final norm"),
        "{error}"
    );
    assert!(error.message.contains("clip_skip is not possible with this export"), "{error}");
    assert!(error.hint.unwrap().contains("safetensors"));
}

#[test]
fn lora_files_are_refused_for_what_was_exported() {
    let adapters = Adapters::read(&[(golden_path("lora/sd1/kohya.safetensors"), 1.0)]).unwrap();
    let exported = model(&["optimum-onnx-sd"]);
    let opened = StableDiffusion::open_adapted(".", exported.path(), adapters, &Options::default());
    let error = opened.err().unwrap();
    assert!(
        error
            .to_string()
            .ends_with("unet/model.onnx cannot take LoRA files: exported graphs do not keep the names of weights")
    );
    assert_eq!(error.hint().unwrap(), "take the safetensors form of the model");
}

#[test]
fn operators_of_another_device_are_explained() {
    let exported = model(&["optimum-onnx-xl", "onnxruntime-tools"]);
    let error = generate(exported.path(), &settings()).unwrap_err();
    let words = "unet/model.onnx does not run on cpu, which has no code for com.microsoft.GroupNorm: the graph was fused for \
                 NVIDIA GPUs";
    assert!(error.message.ends_with(words), "{error}");
    assert!(error.hint.unwrap().contains("safetensors"));
}

#[test]
fn safetensors_come_before_an_export_of_the_same_part() {
    let mixed = model(&["optimum-onnx-sd", "safetensors-sd"]);
    fs::write(mixed.path().join("unet/model.onnx"), "not an ONNX file").unwrap();
    assert_same_image("both", mixed.path(), model(&["safetensors-sd"]).path(), &settings(), 1);
    // A part that is there as an export only is taken from it.
    fs::remove_file(mixed.path().join("unet/diffusion_pytorch_model.safetensors")).unwrap();
    let error = generate(mixed.path(), &settings()).unwrap_err();
    assert!(error.message.contains("unet/model.onnx is not a usable ONNX file"), "{error}");
    fs::copy(golden_path("ready/optimum-onnx-sd/unet/model.onnx"), mixed.path().join("unet/model.onnx")).unwrap();
    assert_same_image("mixed", mixed.path(), model(&["safetensors-sd"]).path(), &settings(), 1);
    let info = StableDiffusion::open(".", mixed.path(), &Options::default()).unwrap();
    let files: Vec<&str> = info.info().files.iter().map(|(file, _)| file.as_str()).collect();
    assert!(
        files.contains(&"unet/model.onnx") && files.contains(&"vae/diffusion_pytorch_model.safetensors"),
        "{files:?}"
    );
    assert!(!files.contains(&"vae_decoder/model.onnx"), "{files:?}");
}

/// The model with the weights of its VAE decoder in a file beside the graph.
fn external() -> (TempDir, PathBuf) {
    let folder = model(&["optimum-onnx-sd"]);
    let vae = folder.path().join("vae_decoder");
    copy(&golden_path("ready/external-data"), &vae);
    (folder, vae)
}

#[test]
fn weights_beside_the_graph() {
    let (exported, _) = external();
    assert_same_image("external", exported.path(), model(&["safetensors-sd"]).path(), &settings(), 1);
    let info = StableDiffusion::open(".", exported.path(), &Options::default()).unwrap();
    let files: Vec<&str> = info.info().files.iter().map(|(file, _)| file.as_str()).collect();
    assert!(files.contains(&"vae_decoder/model.onnx_data") && files.contains(&"vae_decoder/config.json"), "{files:?}");
}

#[cfg(unix)]
#[test]
fn weights_behind_links_as_in_the_cache_of_the_hub() {
    use std::os::unix::fs::symlink;
    let blobs = tempfile::tempdir().unwrap();
    let built = model(&["safetensors-sd"]);
    // Both behind links, as in a snapshot; and only the weights, as where a graph was edited.
    for linked in [&["model.onnx", "model.onnx_data"][..], &["model.onnx_data"]] {
        let (exported, vae) = external();
        for name in linked {
            let blob = blobs.path().join(format!("{}-{name}", linked.len()));
            fs::rename(vae.join(name), &blob).unwrap();
            symlink(blob, vae.join(name)).unwrap();
        }
        assert_same_image("links", exported.path(), built.path(), &settings(), 1);
    }
}

#[test]
fn weights_that_are_missing_or_cut_short_are_named() {
    let (exported, vae) = external();
    let data = vae.join("model.onnx_data");
    let whole = fs::read(&data).unwrap();
    fs::write(&data, &whole[..whole.len() - 1]).unwrap();
    let error = generate(exported.path(), &settings()).unwrap_err();
    let words = format!(
        "vae_decoder/model.onnx cannot be used: its weights `model.onnx_data` are half-copied: {} bytes, at least {} are needed",
        whole.len() - 1,
        whole.len()
    );
    assert!(error.message.ends_with(&words), "{error}");
    fs::remove_file(&data).unwrap();
    let error = generate(exported.path(), &settings()).unwrap_err();
    assert!(error.message.ends_with("its weights `model.onnx_data` are missing"), "{error}");
    // A graph that was cut short itself.
    let graph = vae.join("model.onnx");
    let whole = fs::read(&graph).unwrap();
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&graph, &whole[..length]).unwrap();
        let error = generate(exported.path(), &settings()).unwrap_err();
        assert!(error.message.contains("vae_decoder/model.onnx is not a usable ONNX file"), "{length}: {error}");
    }
}

#[test]
fn inputs_that_no_pipeline_has_are_named() {
    // A VAE's graph where a UNet's should be, and the reverse.
    let exported = model(&["optimum-onnx-sd"]);
    let vae = exported.path().join("vae_decoder/model.onnx");
    let unet = exported.path().join("unet/model.onnx");
    fs::copy(&vae, &unet).unwrap();
    let error = generate(exported.path(), &settings()).unwrap_err();
    let words = "unet/model.onnx wants an input `latent_sample` float32[batch_size, 4, latent_height, latent_width], which is not \
                 one that difftest knows (sample, timestep, ";
    assert!(error.message.contains(words), "{error}");
    // A text encoder's, whose width is another, and one without the outputs of XL.
    let exported = model(&["optimum-onnx-xl"]);
    let encoders = ["text_encoder", "text_encoder_2"].map(|name| exported.path().join(name).join("model.onnx"));
    fs::copy(&encoders[0], &encoders[1]).unwrap();
    let error = generate(exported.path(), &settings()).unwrap_err();
    assert!(error.message.contains("has width of a token 8, where"), "{error}");
    fs::copy(golden_path("ready/optimum-onnx-sd/text_encoder/model.onnx"), &encoders[0]).unwrap();
    fs::copy(golden_path("ready/optimum-onnx-xl/text_encoder_2/model.onnx"), &encoders[1]).unwrap();
    let error = generate(exported.path(), &settings()).unwrap_err();
    assert!(
        error.message.contains("without the final norm") && error.message.contains("Stable Diffusion XL"),
        "{error}"
    );
}

#[test]
fn results_do_not_depend_on_threads_or_batch() {
    let exported = model(&["optimum-onnx-sd"]);
    let load = |threads| {
        let options = difftest_diffusion::session::SessionOptions { threads, ..options() };
        Unet::load(&exported.path().join("unet"), &options).unwrap()
    };
    let (one, two) = (load(1), load(2));
    let (sample, texts) = (numbers(2 * 256), numbers(2 * 77 * 8));
    let together = one.predict(&sample, [2, 4, 8, 8], 301.0, &texts).unwrap();
    assert_eq!(together, two.predict(&sample, [2, 4, 8, 8], 301.0, &texts).unwrap());
    for row in 0..2 {
        let (sample, texts) = (&sample[row * 256..][..256], &texts[row * 77 * 8..][..77 * 8]);
        assert_eq!(one.predict(sample, [1, 4, 8, 8], 301.0, texts).unwrap(), together[row * 256..][..256]);
    }
    // One image under two texts is as good as two copies.
    let texts = one.project_texts(&texts, 2, None, None).unwrap();
    let under = one.predict_under(&sample[..256], [1, 4, 8, 8], 301.0, &texts).unwrap();
    assert_eq!(under, one.predict_under(&sample[..256].repeat(2), [2, 4, 8, 8], 301.0, &texts).unwrap());
}
