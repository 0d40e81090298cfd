//! Same inputs, same result: scores and fuel do not depend on threads, order, earlier calls or where the code came from.
#![allow(clippy::unwrap_used)]

mod common;

use common::{component, each, image, registry_of, sample};
use difftest_core::metric::{Item, Metric, Score};
use difftest_plugin::Limits;
use difftest_plugin::report::Origin;
use rayon::prelude::*;
use serde_json::json;

const METRICS: [&str; 2] = ["image-stats/sharpness", "image-stats/entropy"];

fn scores(cache: Option<&std::path::Path>, run: impl Fn(&dyn Metric, &[u32]) -> Vec<Score>) -> Vec<Vec<Score>> {
    let (registry, _) = registry_of(&[component("image_stats")], Limits::default());
    let registry = registry.with_cache(cache.map(Into::into));
    METRICS.map(|name| run(&*each(&registry, name, &json!({})).unwrap(), &[33, 64, 101, 64])).to_vec()
}

fn one(metric: &dyn Metric, side: u32) -> Score {
    metric.measure(&[Item::new(image(side, side + 3), sample("case"))]).remove(0).unwrap()
}

#[test]
fn scores_and_fuel_are_the_same_everywhere() {
    let cache = tempfile::tempdir().unwrap();
    let in_order = scores(Some(cache.path()), |metric, sides| sides.iter().map(|&side| one(metric, side)).collect());
    assert!(in_order.iter().flatten().all(|score| score.fuel.is_some_and(|fuel| fuel > 10_000)));
    assert!(in_order.iter().all(|scores| scores[1] == scores[3]), "an earlier call leaves no trace");

    let on_threads =
        scores(Some(cache.path()), |metric, sides| sides.par_iter().map(|&side| one(metric, side)).collect());
    assert_eq!(on_threads, in_order, "two runs, from one thread and from many");

    let backwards = scores(None, |metric, sides| {
        let mut scores: Vec<_> = sides.iter().rev().map(|&side| one(metric, side)).collect();
        scores.reverse();
        scores
    });
    assert_eq!(backwards, in_order, "in another order, freshly compiled");

    let at_once = scores(None, |metric, sides| {
        let items: Vec<_> = sides.iter().map(|&side| Item::new(image(side, side + 3), sample("case"))).collect();
        metric.measure(&items).into_iter().map(Result::unwrap).collect()
    });
    assert_eq!(at_once, in_order, "all in one call");
}

#[test]
fn code_is_compiled_once() {
    let cache = tempfile::tempdir().unwrap();
    let origin = || {
        let (registry, _) = registry_of(&[component("image_stats")], Limits::default());
        registry.with_cache(Some(cache.path().to_owned())).inspect("image-stats").unwrap().compiled
    };
    assert_eq!(origin(), Some(Origin::Compiled));
    assert_eq!(origin(), Some(Origin::Cache));
}

/// One registry, one plugin, many threads that all come first.
#[test]
fn a_plugin_is_loaded_once_however_many_ask() {
    let (registry, lines) = registry_of(&[component("image_stats")], Limits::default());
    let infos: Vec<_> = (0..16)
        .into_par_iter()
        .map(|_| registry.metric(METRICS[0], &json!({}), None).unwrap().info().clone())
        .collect();
    assert!(infos.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(lines.lock().unwrap().is_empty());
}
