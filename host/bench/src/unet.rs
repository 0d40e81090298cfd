//! One step of a UNet of Stable Diffusion 1.5's size, checked against torch's answer.

use std::path::Path;
use std::time::Instant;

use difftest_diffusion::models::Unet;
use difftest_diffusion::session::SessionOptions;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::Result;

/// The timestep of the Python side.
const TIMESTEP: f32 = 500.0;

pub(crate) fn measure(folder: &str, threads: &str, repeats: &str) -> Result<Value> {
    let (threads, repeats): (usize, usize) = (threads.parse()?, repeats.parse()?);
    let folder = Path::new(folder);
    let began = Instant::now();
    let unet = Unet::load(folder, &SessionOptions { threads, ..SessionOptions::default() })?;
    let load_seconds = began.elapsed().as_secs_f64();

    let example = std::fs::read(folder.join("example.safetensors"))?;
    let example = SafeTensors::deserialize(&example)?;
    let [latents, text, expected] = ["latents", "text", "noise"].map(|name| floats(&example, name));
    let (latents, text, expected) = (latents?, text?, expected?);
    let mut seconds = Vec::new();
    let mut predicted = Vec::new();
    for _ in 0..=repeats {
        let began = Instant::now();
        predicted = unet.predict(&latents, [1, 4, 64, 64], TIMESTEP, &text)?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = predicted.iter().zip(&expected).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    Ok(json!({
        "load_seconds": load_seconds,
        "first_seconds": seconds[0],
        "step_seconds": seconds[1..],
        "largest_difference": difference,
        "largest_value": largest,
    }))
}

/// A float32 tensor of the file.
fn floats(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>> {
    let bytes = file.tensor(name)?.data();
    Ok(bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
}
