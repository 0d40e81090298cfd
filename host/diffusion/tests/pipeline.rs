//! The pipeline's manners: what it refuses, how it is interrupted, what it says of its images.
//!
//! Needs ONNX Runtime: `cargo xtask test` provides it. Without it these tests fail, they are never skipped.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use difftest_core::generate::{GenerateError, Generated, Generator, Request, Settings, Step};
use difftest_diffusion::pipeline::{LoadError, Options, StableDiffusion};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/models")
}

fn model() -> &'static StableDiffusion {
    static MODEL: OnceLock<StableDiffusion> = OnceLock::new();
    MODEL.get_or_init(|| StableDiffusion::load("shapes", &models(), &Options::default()).unwrap())
}

fn request(settings: Settings) -> Request {
    Request {
        id: "case".to_owned(),
        prompt: "a red circle on a blue background".to_owned(),
        negative_prompt: None,
        seed: 7,
        settings,
    }
}

fn steps(steps: u32) -> Settings {
    Settings { steps: Some(steps), ..Settings::default() }
}

fn one(request: Request) -> Result<Generated, GenerateError> {
    model().generate(&[request], &|_| true).remove(0)
}

#[test]
fn defaults_come_from_the_model_and_are_recorded() {
    let made = one(request(steps(2))).unwrap();
    assert_eq!((made.image.width(), made.image.height()), (64, 64));
    let attributes: Vec<_> = made.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("guidance", "7.5"),
            ("noise", "torch-cpu-f32"),
            ("scheduler", "ddim"),
            ("seed", "7"),
            ("size", "64x64"),
            ("steps", "2")
        ]
    );
    assert!(made.warnings.is_empty());
    let names: Vec<_> = model().info().environment.iter().map(|(name, _)| name.as_str()).collect();
    let machine = ["cpu", "cpu-model", "device", "graphs", "lanes", "onnxruntime", "onnxruntime-build"];
    let pipeline =
        ["optimization", "os", "precision", "provider", "provider-options", "threads", "together", "weights"];
    assert_eq!(names, [machine.as_slice(), &pipeline].concat());
}

#[test]
fn other_sizes_are_made_where_the_decoder_can() {
    let made = one(request(Settings { size: Some((96, 32)), ..steps(1) })).unwrap();
    assert_eq!((made.image.width(), made.image.height()), (96, 32));
    for size in [(66, 64), (0, 64), (64, 100_000)] {
        let error = one(request(Settings { size: Some(size), ..steps(1) })).unwrap_err();
        assert_eq!(error.kind, "settings");
        assert!(error.hint.unwrap().contains("multiples of 4"));
    }
}

#[test]
fn guidance_up_to_one_leaves_the_negative_prompt_out() {
    let with = |guidance, negative: Option<&str>| {
        let settings = Settings { guidance: Some(guidance), negative_prompt: negative.map(str::to_owned), ..steps(2) };
        one(request(settings)).unwrap().image
    };
    assert_eq!(with(1.0, None), with(1.0, Some("a blue heart")));
    assert_eq!(with(1.0, None), with(0.0, None));
    assert_ne!(with(3.0, None), with(3.0, Some("a blue heart")));
    assert_ne!(with(1.0, None), with(3.0, None));
}

#[test]
fn settings_that_cannot_be_followed_are_errors() {
    for (settings, word) in [
        (Settings { scheduler: Some("eular".to_owned()), ..steps(1) }, "eular"),
        (steps(0), "0 steps"),
        (steps(1001), "1001 steps"),
        (Settings { guidance: Some(f64::NAN), ..steps(1) }, "guidance"),
    ] {
        let error = one(request(settings)).unwrap_err();
        assert_eq!(error.kind, "settings");
        assert!(error.message.contains(word), "{error}");
    }
}

#[test]
fn what_is_not_finite_is_an_error_and_its_neighbour_is_not() {
    // so much guidance overflows; settings are the call's, so the neighbour is a call of its own
    let error = one(request(Settings { guidance: Some(3e38), ..steps(3) })).unwrap_err();
    assert_eq!(error.kind, "not-finite");
    assert!(error.message.contains("step"), "{error}");
    assert!(one(request(steps(1))).is_ok());
}

#[test]
fn progress_counts_and_cancels() {
    let seen = AtomicU32::new(0);
    let requests = [request(steps(5)), request(steps(5))];
    let made = model().generate(&requests, &|step: Step| {
        assert_eq!((step.step, step.of), (seen.fetch_add(1, Ordering::Relaxed) + 1, 5));
        step.step < 3
    });
    assert_eq!(seen.load(Ordering::Relaxed), 3);
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|made| made.as_ref().is_err_and(|error| error.kind == "cancelled")));
    assert!(model().generate(&[], &|_| true).is_empty());
}

#[test]
fn a_cut_prompt_is_a_warning() {
    let mut long = request(steps(1));
    long.prompt = format!("{}a green heart", "red ".repeat(75));
    let warnings = one(long.clone()).unwrap().warnings;
    assert_eq!(warnings, ["prompt cut at 75 tokens: the model does not see \"a green heart\""]);
    long.negative_prompt = Some(long.prompt.clone());
    assert!(one(long).unwrap().warnings[0].starts_with("negative prompt cut at 75 tokens"));
}

#[test]
fn damaged_weights_name_the_tensor() {
    let folder = support::copy_of_shapes();
    let path = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 2..].copy_from_slice(&0x7e00_u16.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let error = StableDiffusion::load(".", folder.path(), &Options::default()).err().unwrap();
    let text = error.to_string();
    assert!(text.contains("unet") && text.contains("tensor") && text.contains("NaN"), "{text}");
    // opened without its networks, the same error comes with the image
    let model = StableDiffusion::open(".", folder.path(), &Options::default()).unwrap();
    let error = model.generate(&[request(steps(1))], &|_| true).remove(0).unwrap_err();
    assert_eq!((error.kind.as_str(), error.message), ("model", text));
}

#[test]
fn parts_that_do_not_fit_are_named() {
    let folder = support::copy_of_shapes();
    let config = folder.path().join("tokenizer/tokenizer_config.json");
    std::fs::write(config, r#"{"model_max_length": 50}"#).unwrap();
    let error = StableDiffusion::load(".", folder.path(), &Options::default()).err().unwrap();
    assert!(matches!(error, LoadError::Mismatch { .. }));
    let text = error.to_string();
    assert!(text.ends_with(": tokens: 50 of the tokenizer does not fit 77 of the text encoder"), "{text}");
    assert!(text.starts_with(&*folder.path().to_string_lossy()), "{text}");
    assert!(error.hint().unwrap().contains("copy the whole folder again"));
}

#[test]
fn an_unsupported_scheduler_of_the_model_can_be_replaced() {
    let folder = support::copy_of_shapes();
    let config = folder.path().join("scheduler/scheduler_config.json");
    let text = std::fs::read_to_string(&config).unwrap().replace("DDIMScheduler", "UniPCMultistepScheduler");
    std::fs::write(config, text).unwrap();
    let model = StableDiffusion::load(".", folder.path(), &Options::default()).unwrap();
    let error = model.generate(&[request(steps(1))], &|_| true).remove(0).unwrap_err();
    assert!(error.message.contains("UniPCMultistepScheduler"), "{error}");
    let euler = Settings { scheduler: Some("euler".to_owned()), ..steps(1) };
    assert!(model.generate(&[request(euler)], &|_| true).remove(0).is_ok());
}

#[test]
fn a_scheduler_file_as_python_writes_it_is_read() {
    let folder = support::copy_of_shapes();
    // Python writes numbers that are not finite as bare words
    let text = r#"{"_class_name": "DPMSolverMultistepScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "beta_start": 0.00085, "lambda_min_clipped": -Infinity, "algorithm_type": "sde-dpmsolver++", "trained_betas": null}"#;
    std::fs::write(folder.path().join("scheduler/scheduler_config.json"), text).unwrap();
    let model = StableDiffusion::load(".", folder.path(), &Options::default()).unwrap();
    let generated = model.generate(&[request(steps(2))], &|_| true).remove(0).unwrap();
    assert!(
        generated.attributes.contains(&("scheduler".to_owned(), "dpmpp-2m".to_owned())),
        "{:?}",
        generated.attributes
    );
    // the same seed draws the same noise, at the start and at each step
    assert_eq!(model.generate(&[request(steps(2))], &|_| true).remove(0).unwrap().image, generated.image);
}
