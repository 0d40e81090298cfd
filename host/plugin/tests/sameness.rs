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

/// The other worlds: a pair, a set with a reference, a metric and a set that ask models. Each is measured over some inputs.
mod worlds {
    use std::path::Path;
    use std::sync::Arc;

    use difftest_core::metric::{AnyMetric, ImageSet, Item, Score};
    use difftest_core::model::Models;
    use difftest_plugin::Limits;
    use rayon::prelude::*;
    use serde_json::json;

    use crate::common::models::TestModels;
    use crate::common::sets::Gradients;
    use crate::common::{component, image, registry_of, sample};

    const METRICS: [&str; 4] =
        ["hostile/pair-trick", "hostile/set-trick", "hostile-models/trick", "hostile-models/set-trick"];
    const SIDES: [u32; 5] = [17, 64, 33, 64, 101];

    fn one(metric: &AnyMetric, side: u32) -> Score {
        match metric {
            AnyMetric::Each(metric) => {
                let reference = Some(image(side, side + 1));
                let item = Item { image: image(side, side + 1), sample: sample(&side.to_string()), reference };
                metric.measure(&[item]).remove(0).unwrap()
            }
            AnyMetric::Set(metric) => {
                let images: Arc<dyn ImageSet> = Gradients::new(1..side);
                let reference: Arc<dyn ImageSet> = Gradients::new([side, 5]);
                metric.measure(&images, Some(&reference)).unwrap()
            }
        }
    }

    /// Every metric over every side, each in a registry of its own.
    fn scores(cache: Option<&Path>, run: impl Fn(&AnyMetric) -> Vec<Score>) -> Vec<Vec<Score>> {
        let files = [component("hostile"), component("hostile_models")];
        let models: Arc<dyn Models> = TestModels::shared();
        let score = |name: &&str| {
            let (registry, _) = registry_of(&files, Limits::default());
            let registry = registry.with_cache(cache.map(Into::into));
            run(&registry.metric(name, &json!({ "trick": "none" }), Some(&models)).unwrap())
        };
        METRICS.iter().map(score).collect()
    }

    #[test]
    fn scores_and_fuel_are_the_same_in_every_world() {
        let cache = tempfile::tempdir().unwrap();
        let in_order = scores(Some(cache.path()), |metric| SIDES.iter().map(|&side| one(metric, side)).collect());
        for (name, scores) in METRICS.iter().zip(&in_order) {
            assert!(scores.iter().all(|score| score.fuel.is_some_and(|fuel| fuel > 1_000)), "{name}");
            assert_eq!(scores[1], scores[3], "{name}: an earlier call leaves no trace");
            // the inputs of a pair are equal on purpose; all others differ
            assert!(*name == METRICS[0] || scores[0].value != scores[1].value, "{name}");
        }
        let on_threads = scores(Some(cache.path()), |metric| SIDES.par_iter().map(|&side| one(metric, side)).collect());
        assert_eq!(on_threads, in_order, "from the cache, on many threads at once");
        let backwards = scores(None, |metric| {
            let mut scores: Vec<_> = SIDES.iter().rev().map(|&side| one(metric, side)).collect();
            scores.reverse();
            scores
        });
        assert_eq!(backwards, in_order, "in another order, freshly compiled");
    }
}
