//! `builtin:shapes` against diffusers and transformers, on every case of `golden/shapes`. Shown with `--nocapture`.
//!
//! Needs ONNX Runtime: `cargo xtask test` provides it. Without it these tests fail, they are never skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use difftest_core::generate::{Generated, Request, Settings};
use difftest_core::image::Image;
use difftest_core::metric::{Item, Metric as _, Sample};
use difftest_diffusion::clip::{Clip, ClipScore};
use difftest_diffusion::noise::{Noise, Stream};
use difftest_diffusion::pipeline::{Options, StableDiffusion};
use difftest_metrics::decode::{self, Limits};
use safetensors::SafeTensors;
use serde_json::Value;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn models() -> PathBuf {
    folder("../../suites/models")
}

fn model() -> &'static StableDiffusion {
    static MODEL: OnceLock<StableDiffusion> = OnceLock::new();
    MODEL.get_or_init(|| StableDiffusion::load("shapes", &models(), &Options::default()).unwrap())
}

fn loaded() -> Arc<Clip> {
    static CLIP: OnceLock<Arc<Clip>> = OnceLock::new();
    let load = || Arc::new(Clip::load("shapes-clip", &models(), &Options::default()).unwrap());
    Arc::clone(CLIP.get_or_init(load))
}

fn clip() -> &'static ClipScore {
    static CLIP: OnceLock<ClipScore> = OnceLock::new();
    CLIP.get_or_init(|| ClipScore::new(loaded()))
}

/// One case of the golden data.
struct Case {
    name: String,
    request: Request,
    cosine: f64,
    tensors: Vec<u8>,
    png: Image,
}

impl Case {
    fn tensor(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.tensors).unwrap();
        file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }
}

fn cases() -> Vec<Case> {
    let golden = folder("tests/golden/shapes");
    let index: Value = serde_json::from_slice(&std::fs::read(golden.join("index.json")).unwrap()).unwrap();
    let case = |case: &Value| {
        let name = case["file"].as_str().unwrap().to_owned();
        let whole = |key: &str| case[key].as_u64().unwrap();
        Case {
            request: Request {
                id: name.clone(),
                prompt: case["prompt"].as_str().unwrap().to_owned(),
                negative_prompt: None,
                seed: whole("seed"),
                settings: Settings {
                    scheduler: Some(case["scheduler"].as_str().unwrap().to_owned()),
                    steps: Some(whole("steps") as u32),
                    guidance: case["guidance"].as_f64(),
                    size: Some((whole("width") as u32, whole("height") as u32)),
                    ..Settings::default()
                },
            },
            cosine: case["clip_cosine"].as_f64().unwrap(),
            tensors: std::fs::read(golden.join(format!("{name}.safetensors"))).unwrap(),
            png: decode::read(&golden.join(format!("{name}.png")), &Limits::default()).unwrap(),
            name,
        }
    };
    index["cases"].as_array().unwrap().iter().map(case).collect()
}

fn worst(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| f64::from(a - b).abs()).fold(0.0, f64::max)
}

fn sample(request: &Request) -> Sample {
    Sample {
        id: request.id.clone(),
        prompt: request.prompt.clone(),
        negative_prompt: None,
        seed: request.seed,
        attributes: Vec::new(),
    }
}

/// Differences of one case, each the largest over its values.
struct Row {
    noise: f64,
    embedding: f64,
    latents: Vec<f64>,
    within_one: f64,
    levels: u8,
    cosine: f64,
    cosine_of_theirs: f64,
}

fn measure(case: &Case) -> Row {
    let noise = worst(&Noise::new(Stream::default(), case.request.seed).randn(4 * 16 * 16), &case.tensor("noise"));
    let embedding = worst(&model().embed(&case.request.prompt, 0).unwrap().tokens, &case.tensor("prompt_embeds"));
    let timesteps = case.tensor("timesteps");
    let latents = Mutex::new(Vec::new());
    let made = model().generate_observed(std::slice::from_ref(&case.request), &|_| true, &|seen| {
        assert_eq!(seen.timestep, timesteps[seen.step], "{}", case.name);
        if [0, 1, 12, 24].contains(&seen.step) {
            let expected = case.tensor(&format!("latents_after_step_{}", seen.step));
            latents.lock().unwrap().push(worst(seen.latents, &expected));
        }
    });
    let image = made.into_iter().next().unwrap().unwrap().image;
    let levels: Vec<u8> = image.rgb8().iter().zip(case.png.rgb8()).map(|(a, b)| a.abs_diff(*b)).collect();
    let score =
        |image: &Image| clip().measure(&[Item::new(image.clone(), sample(&case.request))]).remove(0).unwrap().value;
    Row {
        noise,
        embedding,
        latents: latents.into_inner().unwrap(),
        within_one: levels.iter().filter(|&&level| level <= 1).count() as f64 / levels.len() as f64,
        levels: levels.iter().copied().max().unwrap(),
        cosine: (score(&image) - case.cosine).abs(),
        cosine_of_theirs: (score(&case.png) - case.cosine).abs(),
    }
}

#[test]
fn every_case_equals_the_reference() {
    let cases = cases();
    assert_eq!(cases.len(), 12);
    println!(
        "case          noise    embeds   latents after step 0, 1, 12, 24      <=1 level  most  clip (ours, theirs)"
    );
    let mut failures = Vec::new();
    for case in &cases {
        let row = measure(case);
        let latents: Vec<String> = row.latents.iter().map(|x| format!("{x:.1e}")).collect();
        println!(
            "{:<13} {:.1e}  {:.1e}  {}  {:>9.3}%  {:>4}  {:.1e} {:.1e}",
            case.name,
            row.noise,
            row.embedding,
            latents.join("  "),
            row.within_one * 100.0,
            row.levels,
            row.cosine,
            row.cosine_of_theirs
        );
        let holds = row.noise <= 1e-6
            && row.embedding <= 1e-4
            && row.latents.len() == 4
            && row.latents.iter().all(|&x| x <= 1e-3)
            && row.within_one >= 0.99
            && row.levels <= 4
            && row.cosine <= 1e-4
            && row.cosine_of_theirs <= 1e-4;
        if !holds {
            failures.push(&case.name);
        }
    }
    assert!(failures.is_empty(), "outside the tolerances: {failures:?}");
}

#[test]
fn clip_embeddings_are_transformers() {
    for case in cases() {
        let text = loaded().text(&case.request.prompt).unwrap();
        let off = worst(&text, &case.tensor("clip_text_embed"));
        assert!(off <= 1e-4, "{}: text {off:e}", case.name);
        let image = loaded().images(&[&case.png]).unwrap().remove(0);
        let off = worst(&image, &case.tensor("clip_image_embed"));
        assert!(off <= 1e-4, "{}: image {off:e}", case.name);
    }
}

/// Short runs of different prompts and seeds.
fn requests() -> Vec<Request> {
    let settings = Settings { steps: Some(4), guidance: Some(5.0), ..Settings::default() };
    let prompts = ["a red circle on a blue background", "a small green star on a white background", ""];
    (0..6)
        .map(|i| Request {
            id: i.to_string(),
            prompt: prompts[i % 3].to_owned(),
            negative_prompt: (i == 4).then(|| "a blue heart".to_owned()),
            seed: i as u64 / 3,
            settings: settings.clone(),
        })
        .collect()
}

fn make(model: &StableDiffusion, requests: &[Request]) -> Vec<Image> {
    let made = model.generate_observed(requests, &|_| true, &|_| ());
    made.into_iter().map(|image| image.map(|Generated { image, .. }| image).unwrap()).collect()
}

#[test]
fn threads_lanes_batches_and_order_change_nothing() {
    let requests = requests();
    let expected = make(model(), &requests);
    assert_ne!(expected[0], expected[1]);
    for (threads, lanes) in [(1, 1), (2, 1), (2, 2)] {
        let options = Options { threads: Some(threads), lanes: Some(lanes), ..Options::default() };
        let model = StableDiffusion::load("shapes", &models(), &options).unwrap();
        // one by one, last first
        for (request, expected) in requests.iter().zip(&expected).rev() {
            assert_eq!(make(&model, std::slice::from_ref(request))[0], *expected, "{threads} threads, {lanes} lanes");
        }
        // three at once, on as many threads as there are lanes
        std::thread::scope(|scope| {
            for (requests, expected) in requests.chunks(3).zip(expected.chunks(3)) {
                let model = &model;
                scope.spawn(move || assert_eq!(make(model, requests), expected));
            }
        });
    }
}

#[test]
fn scores_do_not_depend_on_the_batch() {
    let items: Vec<_> = cases().iter().map(|case| Item::new(case.png.clone(), sample(&case.request))).collect();
    let together: Vec<f64> = clip().measure(&items).into_iter().map(|score| score.unwrap().value).collect();
    for (item, expected) in items.iter().zip(together) {
        assert_eq!(clip().measure(std::slice::from_ref(item))[0].as_ref().unwrap().value, expected);
    }
}
