//! Networks of the size people run, checked against torch's answers, and the rate of large matrix products beside them.

use std::path::Path;
use std::time::Instant;

use difftest_core::model::{Element, Graph, Tensor};
use difftest_diffusion::declared::OnnxGraph;
use difftest_diffusion::models::{ClipModel, Unet, VaeDecoder};
use difftest_diffusion::onnx::{Dim, ElementType, GraphBuilder};
use difftest_diffusion::session::SessionOptions;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::Result;

/// The timestep of the Python side.
const TIMESTEP: f32 = 500.0;
/// Tokens of a text.
const TOKENS: usize = 77;
/// Side of the matrices, and products in one timing, as on the Python side.
const GEMM: (usize, usize) = (2048, 8);

/// One call of the network `kind` in `folder`: the first, and then `repeats` more.
pub(crate) fn measure(kind: &str, folder: &str, threads: &str, repeats: &str) -> Result<Value> {
    let options = SessionOptions { threads: threads.parse()?, ..SessionOptions::default() };
    let (folder, repeats) = (Path::new(folder), repeats.parse()?);
    let example = std::fs::read(folder.join("example.safetensors"))?;
    let example = SafeTensors::deserialize(&example)?;
    let began = Instant::now();
    match kind {
        "unet" => {
            let unet = Unet::load(folder, &options)?;
            let load = began.elapsed().as_secs_f64();
            let (latents, text) = (floats(&example, "latents")?, floats(&example, "text")?);
            let call = || Ok(unet.predict(&latents, [1, 4, 64, 64], TIMESTEP, &text)?);
            timed(load, repeats, call, &floats(&example, "noise")?)
        }
        "vae" => {
            let vae = VaeDecoder::load(folder, &options)?;
            let load = began.elapsed().as_secs_f64();
            let latents = floats(&example, "latents")?;
            timed(load, repeats, || Ok(vae.decode(&latents, [1, 4, 64, 64])?), &floats(&example, "image")?)
        }
        "clip" => {
            let clip = ClipModel::load(folder, &options)?;
            let load = began.elapsed().as_secs_f64();
            let pixels = floats(&example, "pixels")?;
            timed(load, repeats, || Ok(clip.embed_image(&pixels, 8)?), &floats(&example, "embeds")?)
        }
        other => Err(format!("there is no network `{other}`: unet, vae or clip").into()),
    }
}

/// One image of `side` x `side` out of the decoder in `folder`: for the memory that it takes, which every measurement tells.
pub(crate) fn decode(folder: &str, side: &str, threads: &str) -> Result<Value> {
    let options = SessionOptions { threads: threads.parse()?, ..SessionOptions::default() };
    let vae = VaeDecoder::load(Path::new(folder), &options)?;
    let weights = crate::peak::resident();
    let side = side.parse::<usize>()? / vae.upscale();
    let began = Instant::now();
    vae.decode(&some(4 * side * side), [1, 4, side, side])?;
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "loaded_bytes": weights }))
}

/// One step of the UNet in `folder` on latents of `side` x `side`, under two texts: likewise for its memory.
pub(crate) fn denoise(folder: &str, side: &str, threads: &str) -> Result<Value> {
    let options = SessionOptions { threads: threads.parse()?, ..SessionOptions::default() };
    let unet = Unet::load(Path::new(folder), &options)?;
    let weights = crate::peak::resident();
    let side = side.parse::<usize>()?;
    let texts = unet.project_texts(&some(2 * TOKENS * unet.cross_attention_dim()), 2, None, None)?;
    let latents = some(unet.in_channels() * side * side);
    let began = Instant::now();
    unet.predict_under(&latents, [1, unet.in_channels(), side, side], TIMESTEP, &texts)?;
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "loaded_bytes": weights }))
}

/// Any values: what a network computes with depends on the size alone.
fn some(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at * 7919 % 2001) as f32 / 1000.0 - 1.0).collect()
}

fn timed(load: f64, repeats: usize, call: impl Fn() -> Result<Vec<f32>>, expected: &[f32]) -> Result<Value> {
    let mut seconds = Vec::new();
    let mut found = Vec::new();
    for _ in 0..=repeats {
        let began = Instant::now();
        found = call()?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = found.iter().zip(expected).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    Ok(json!({
        "load_seconds": load,
        "first_seconds": seconds[0],
        "step_seconds": seconds[1..],
        "largest_difference": difference,
        "largest_value": largest,
    }))
}

/// Products of large matrices in ONNX Runtime: as fast as it multiplies on this machine.
pub(crate) fn gemm(threads: &str, repeats: &str) -> Result<Value> {
    let (side, chain) = GEMM;
    let mut graph = GraphBuilder::new();
    let row = graph.input("row", ElementType::F32, &[Dim::Fixed(1), Dim::Fixed(side)]);
    let shape = graph.integers(&[side as i64; 2]);
    // made in the graph, so that no large input is copied into a call
    let matrix = graph.op("Expand", &[&row, &shape], &[]);
    let product = (0..chain).fold(matrix.clone(), |product, _| graph.op("MatMul", &[&product, &matrix], &[]));
    let mean = graph.op("ReduceMean", &[&product], &[]);
    graph.output("mean", &mean);

    let folder = std::env::temp_dir().join(format!("difftest-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("gemm.onnx");
    std::fs::write(&path, graph.finish("gemm"))?;
    let options = SessionOptions { threads: threads.parse()?, ..SessionOptions::default() };
    let opened = OnnxGraph::open(&path, &options);
    std::fs::remove_dir_all(&folder)?;
    let opened = opened?;

    let value = (1.0 / side as f32).to_le_bytes();
    let row = Tensor { element: Element::F32, dimensions: vec![1, u32::try_from(side)?], data: value.repeat(side) };
    let mut rates = Vec::new();
    for _ in 0..=repeats.parse::<usize>()? {
        let began = Instant::now();
        opened.compute(vec![("row".to_owned(), row.clone())])?;
        rates.push(2.0 * (side as f64).powi(3) * chain as f64 / began.elapsed().as_secs_f64());
    }
    Ok(json!({ "gemm_flops": rates[1..] }))
}

/// A float32 tensor of the file.
fn floats(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>> {
    let bytes = file.tensor(name)?.data();
    Ok(bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
}
