//! Images from `builtin:shapes`, written as PNG files: what a run does before it scores.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use difftest_core::generate::{Generator, Request, Settings};
use difftest_diffusion::pipeline::{Options, StableDiffusion};
use difftest_metrics::encode::png;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Result;

/// The same file that the Python side reads.
#[derive(Deserialize)]
struct Work {
    steps: u32,
    guidance: f64,
    cases: Vec<(String, u64)>,
}

pub(crate) fn measure(work: &str, out: &str, threads: &str) -> Result<Value> {
    let began = Instant::now();
    let work: Work = serde_json::from_str(&std::fs::read_to_string(work)?)?;
    let options = Options { threads: Some(threads.parse()?), ..Options::default() };
    let pipeline = StableDiffusion::load("builtin:shapes", Path::new("."), &options)?;
    let load_seconds = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let lane = || -> std::result::Result<(), String> {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((prompt, seed)) = work.cases.get(index) else { return Ok(()) };
                one(&pipeline, &work, prompt, *seed, &Path::new(out).join(format!("{index}.png")))
                    .map_err(|error| format!("image {index}: {error}"))?;
            }
        };
        let lanes: Vec<_> = (0..pipeline.lanes()).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().map_err(|_| "a lane panicked".to_owned())?)
    })?;
    Ok(json!({
        "load_seconds": load_seconds,
        "seconds": began.elapsed().as_secs_f64(),
        "images": work.cases.len(),
        "lanes": pipeline.lanes(),
    }))
}

fn one(pipeline: &StableDiffusion, work: &Work, prompt: &str, seed: u64, path: &Path) -> Result<()> {
    let request = Request {
        id: path.display().to_string(),
        prompt: prompt.to_owned(),
        negative_prompt: None,
        seed,
        settings: Settings { steps: Some(work.steps), guidance: Some(work.guidance), ..Settings::default() },
    };
    let generated = pipeline.generate(&[request], &|_| true).pop().ok_or("the pipeline gave no answer")??;
    Ok(std::fs::write(path, png(&generated.image)?)?)
}
