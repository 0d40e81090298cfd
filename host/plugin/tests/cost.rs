//! What the sandbox costs. Prints a table: `cargo test -p difftest-plugin --test cost -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::time::{Duration, Instant};

use common::{component, image, registry_of, sample};
use difftest_core::metric::{Item, Metric};
use difftest_plugin::Limits;
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
    let folder = tempfile::tempdir().unwrap();
    let first = |cache: Option<&std::path::Path>| {
        let (registry, _) = registry_of(&[component("image_stats")], Limits::default());
        registry.with_cache(cache.map(Into::into)).metric("image-stats/sharpness", &json!({})).unwrap()
    };
    timed("first use: read, parse, compile, describe", 3, || first(None));
    first(Some(folder.path()));
    timed("later use: read, parse, load, describe", 10, || first(Some(folder.path())));

    let (registry, _) = registry_of(&[component("image_stats")], Limits::default());
    for (what, side) in [("one call on 1x1: store, instance, call", 1), ("512x512", 512), ("2048x2048", 2048)] {
        for name in ["brightness", "contrast", "sharpness", "colorfulness", "entropy"] {
            let metric = registry.metric(&format!("image-stats/{name}"), &json!({})).unwrap();
            let item = [Item::new(image(side, side), sample("case"))];
            let mut fuel = 0;
            timed(&format!("{what} {name}"), 20, || fuel = metric.measure(&item)[0].as_ref().unwrap().fuel.unwrap());
            println!("{:50} {fuel:>9} fuel", "");
        }
    }
}
