//! What the sandbox costs. Prints tables: `cargo test -p difftest-plugin --test cost -- --ignored --nocapture`.
//! `DIFFTEST_COST_COMPONENT=FILE` names another component whose loading is measured, such as one written in Python.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::sets::Gradients;
use common::{component, each, image, registry_of, sample, set};
use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_core::metric::{ImageSet, Item};
use difftest_core::model::{Embedder, Graph, ModelError, Models};
use difftest_plugin::{Compiler, Limits, Registry};
use serde_json::json;

fn timed<R>(what: &str, rounds: u32, mut run: impl FnMut() -> R) -> Duration {
    let best = (0..rounds).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    let best = best.min().unwrap();
    println!("{what:50} {:>9.3} ms", best.as_secs_f64() * 1e3);
    best
}

#[test]
#[ignore = "a measurement: its numbers belong to one machine"]
fn the_price_of_the_sandbox() {
    let (registry, _) = registry_of(&[component("image_stats")], Limits::default());
    for (what, side) in [("one call on 1x1: store, instance, call", 1), ("512x512", 512), ("2048x2048", 2048)] {
        for name in ["brightness", "contrast", "sharpness", "colorfulness", "entropy"] {
            let metric = each(&registry, &format!("image-stats/{name}"), &json!({})).unwrap();
            let item = [Item::new(image(side, side), sample("case"))];
            let mut fuel = 0;
            timed(&format!("{what} {name}"), 20, || fuel = metric.measure(&item)[0].as_ref().unwrap().fuel.unwrap());
            println!("{:50} {fuel:>9} fuel", "");
        }
    }
}

#[test]
#[ignore = "a measurement: its numbers belong to one machine"]
fn the_price_of_loading() {
    let named = std::env::var_os("DIFFTEST_COST_COMPONENT").map(std::path::PathBuf::from);
    for file in [component("image_stats"), component("hostile")].into_iter().chain(named.as_deref()) {
        println!("{} ({} kB)", file.display(), file.metadata().unwrap().len() / 1000);
        let folder = tempfile::tempdir().unwrap();
        let load = |compiler: &Compiler, cache: Option<&Path>, rounds: u32, what: &str| {
            let mut origin = None;
            timed(what, rounds, || {
                let registry = Registry::discover(&[file.to_owned()], Limits::default()).unwrap();
                let registry = registry.with_cache(cache.map(Into::into)).with_compiler(compiler.clone());
                let inspection = registry.inspect(file.to_str().unwrap()).unwrap();
                assert!(inspection.problem.is_none(), "{:?}", inspection.problem);
                origin = inspection.compiled;
            });
            println!("{:50} {origin:?}", "");
        };
        let child = Compiler::Child { program: env!("CARGO_BIN_EXE_difftest-compile-plugin").into() };
        load(&Compiler::InProcess, None, 1, "first use, compiled in this process, not kept");
        load(&child, None, 1, "first use, compiled in a child process, not kept");
        load(&child, Some(folder.path()), 1, "first use, compiled in a child process, kept");
        load(&child, Some(folder.path()), 10, "later use: read, parse, check, describe");
    }
}

/// The limits of a set admit 10,000 images: the dearest honest metric that there is looks at all pairs of their rows.
#[test]
#[ignore = "a measurement: a minute"]
fn ten_thousand_images_fit() {
    let (registry, _) = registry_of(&[component("set_stats")], Limits::default());
    let models: Arc<dyn Models> = Arc::new(Wide::new());
    let metric = set(&registry, "set-stats/near-duplicates", &json!({}), Some(&models));
    let images: Arc<dyn ImageSet> = Gradients::new((0..10_000).map(|i| i % 13 + 4));
    let mut fuel = 0;
    let what = format!("near-duplicates of 10,000, rows of {WIDE}");
    timed(&what, 1, || fuel = metric.measure(&images, None).unwrap().fuel.unwrap());
    let limits = Limits::default();
    let granted = limits.fuel + limits.set_image_fuel * 10_000;
    println!("{:50} {fuel:>9} of {granted} fuel", "");
    assert!(fuel * 4 < granted, "with room to spare");
}

/// Numbers of a row of CLIP ViT-L/14.
const WIDE: u32 = 768;

/// A model whose rows are as long as a large one's, made of the first pixels.
struct Wide([(String, Digest); 1]);

impl Wide {
    fn new() -> Self {
        Self([("clip".to_owned(), Digest::of(b"wide"))])
    }
}

impl Models for Wide {
    fn declared(&self) -> &[(String, Digest)] {
        &self.0
    }

    fn embedder(&self, _: &str) -> Result<Arc<dyn Embedder>, ModelError> {
        Ok(Arc::new(Self::new()))
    }

    fn graph(&self, name: &str) -> Result<Arc<dyn Graph>, ModelError> {
        Err(ModelError::NotFound(format!("`{name}` is no graph")))
    }
}

impl Embedder for Wide {
    fn dimensions(&self) -> u32 {
        WIDE
    }

    fn embed_text(&self, text: &str) -> Result<Arc<[f32]>, ModelError> {
        Err(ModelError::Failed(format!("`{text}` was not expected")))
    }

    fn embed_images(&self, images: &[Image]) -> Result<Vec<Arc<[f32]>>, ModelError> {
        let row = |image: &Image| -> Arc<[f32]> {
            let pixels = image.rgb8();
            let row: Vec<_> = (0..WIDE as usize).map(|i| f32::from(pixels[i % pixels.len()]) + 1.0).collect();
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            row.into_iter().map(|value| value / length).collect()
        };
        Ok(images.iter().map(row).collect())
    }
}
