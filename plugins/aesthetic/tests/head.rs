//! The metric as the host calls it: embeddings from memory, heads in ONNX Runtime, as in difftest. `golden/make.py` computed the
//! expected scores with torch.
//!
//! Needs ONNX Runtime: `cargo xtask test` provides it. Without it these tests fail, they are never skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::{Path, PathBuf};

use aesthetic::Metrics;
use difftest_core::model::{Element, Graph as _, Tensor as HostTensor};
use difftest_diffusion::declared::OnnxGraph;
use difftest_diffusion::session::SessionOptions;
use difftest_sdk::models::testing::{Input, with_embedder};
use difftest_sdk::nn::{ElementType, Tensor, testing::with_graphs};
use difftest_sdk::{Error, Image, MetricPlugin, Sample};
use serde_json::Value;

/// The promise of the README.
const TOLERANCE: f64 = 1e-5;

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// Embeddings as the rule of `golden/make.py` says, not normalised.
fn embeddings(images: usize, dimensions: usize) -> Vec<Vec<f32>> {
    let mut state = 768_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..images).map(|_| (0..dimensions).map(|_| next()).collect()).collect()
}

fn image(index: usize) -> Image {
    Image::from_rgb8(1, 1, [index as u8, 0, 0])
}

type Outputs = Result<Vec<(String, Tensor)>, Error>;

/// A declared head, run as the host runs it.
fn head(name: &'static str, file: &str) -> impl Fn(&str, &[(&str, &Tensor)]) -> Outputs + 'static {
    let graph = OnnxGraph::open(&golden(file), &SessionOptions::default()).unwrap();
    move |asked, inputs| {
        if asked != name {
            return Err(Error::ModelNotFound(asked.to_owned()));
        }
        let inputs = inputs.iter().map(|(name, tensor)| {
            assert_eq!(tensor.element_type(), ElementType::F32);
            let dimensions = tensor.shape().iter().map(|&length| length as u32).collect();
            ((*name).to_owned(), HostTensor { element: Element::F32, dimensions, data: tensor.bytes().to_vec() })
        });
        let outputs = graph.compute(inputs.collect()).map_err(Error::other)?;
        outputs
            .into_iter()
            .map(|(name, tensor)| {
                let shape: Vec<usize> = tensor.dimensions.iter().map(|&length| length as usize).collect();
                Ok((name, Tensor::from_bytes(&shape, ElementType::F32, tensor.data)?))
            })
            .collect()
    }
}

/// Scores images whose embeddings by `clip` are `rows`; the colour of an image is its place.
fn score(rows: Vec<Vec<f32>>, file: &str, config: &str) -> Result<Vec<f64>, String> {
    let images = rows.len();
    let embedder = move |model: &str, input: Input<'_>| match (model, input) {
        ("clip", Input::Image(image)) => Ok(rows[usize::from(image.rgb8()[0])].clone()),
        (other, _) => Err(Error::ModelNotFound(other.to_owned())),
    };
    let measure = |index| Metrics::measure("score", &image(index), &Sample::default(), config).map(|score| score.value);
    with_graphs(head("aesthetic", file), || {
        with_embedder(embedder, || (0..images).map(measure).collect::<Result<_, _>>())
    })
    .map_err(|error| error.to_string())
}

#[test]
fn equals_the_five_layers_in_torch() {
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(golden("golden.json")).unwrap()).unwrap();
    let wanted: Vec<f64> = golden["scores"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    let dimensions = golden["dimensions"].as_u64().unwrap() as usize;
    let scores = score(embeddings(wanted.len(), dimensions), "head.onnx", "{}").unwrap();
    let worst = scores.iter().zip(&wanted).map(|(score, wanted)| (score - wanted).abs()).fold(0.0, f64::max);
    println!("largest difference over {} embeddings: {worst:e}", wanted.len());
    assert!(scores.len() == 24 && worst <= TOLERANCE, "{worst:e}");
}

#[test]
fn a_head_and_a_clip_that_do_not_belong_together_are_both_named() {
    let message = score(embeddings(1, 512), "head.onnx", "{}").unwrap_err();
    for wanted in [
        "the head `aesthetic` does not rate embeddings by `clip`, which have 512 numbers",
        "the graph wants `embedding` f32[?, 768], it was given f32[1, 512]",
        "LAION's v2 to OpenAI's ViT-L/14 with 768 numbers",
    ] {
        assert!(message.contains(wanted), "{message}\nwanted: {wanted}");
    }
}

#[test]
fn what_is_no_head_is_an_error() {
    let rows = || embeddings(1, 768);
    for (rows, file, config, wanted) in [
        (rows(), "head.onnx", r#"{ "head": "aestetic" }"#, "model not found: aestetic"),
        (rows(), "head.onnx", r#"{ "clip": "clop" }"#, "model not found: clop"),
        (rows(), "head.onnx", r#"{ "input": "x" }"#, "the graph has no input `x`; it wants `embedding`"),
        (rows(), "head.onnx", r#"{ "weights": "w" }"#, "unknown field `weights`"),
        (
            rows(),
            "wide.onnx",
            "{}",
            "the output `score` of the head `aesthetic` has 2 numbers for one embedding by `clip`",
        ),
        (rows(), "two.onnx", "{}", "the head `aesthetic` has 2 outputs; a head has one"),
    ] {
        let message = score(rows, file, config).unwrap_err();
        assert!(message.contains(wanted), "{message}\nwanted: {wanted}");
    }
}
