//! What only pairs, sets and models can be attacked by. After each attack, an honest call measures what it measured before.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::models::{SLOW, TestModels};
use common::sets::Gradients;
use common::{assert_harmless, component, hostile, image, measure_with, registry_of, sample, set};
use difftest_core::metric::{AnyMetric, ImageSet, Item, MetricError, ReproducibilityClass};
use difftest_core::model::Models;
use difftest_plugin::{Limits, Registry};
use serde_json::json;

fn with_models(limits: Limits) -> Registry {
    registry_of(&[component("hostile_models")], limits).0
}

fn assert_said(trick: &str, error: &MetricError, kind: &str, says: &str) {
    println!("{trick:20} {}: {error}", error.kind);
    assert_eq!(error.kind, kind, "{trick}: {error}");
    assert!(error.message.contains(says), "{trick}: {error}");
    assert!(!error.message.contains("attack succeeded"), "{trick}: {error}");
    assert_harmless(&error.message);
}

#[test]
fn models_are_asked_within_limits_and_by_name_alone() {
    let registry = with_models(Limits::default());
    let (image, models) = (image(64, 64), TestModels::shared());
    let play = |trick: &str| {
        let config = json!({ "trick": trick });
        measure_with(&registry, "hostile-models/trick", &config, &image, Some(&models))
    };
    let calm = play("none").unwrap();
    // the very numbers of the models: nothing is lost on the way
    let clip = models.embedder("clip").unwrap();
    let row = clip.embed_images(std::slice::from_ref(&image)).unwrap().remove(0);
    let text = clip.embed_text("a red circle").unwrap();
    assert_eq!(calm.value, row.iter().zip(&*text).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>());
    assert_eq!(calm.details[0].value, f64::from(row.iter().sum::<f32>()));
    let there = "there is `clip`, `head`, `huge`, `huge-graph`, `nan`";
    for (trick, kind, says) in [
        ("undeclared", "model-not-found", format!("no model is called `nothing`; {there}")),
        ("path-embed", "model-not-found", format!("no model is called `/etc/passwd`; {there}")),
        ("path-graph", "model-not-found", format!("no model is called `../models/head.onnx`; {there}")),
        ("wrong-sort", "model-not-found", "the model `head` is a graph, it embeds nothing".into()),
        ("own-model", "plugin-error", "ErrorCode::Security: plugins bring no models of their own".into()),
        ("huge-tensor", "output", "it passed more than 64 MiB to the host at once".into()),
        (
            "overflowing-tensor",
            "plugin-error",
            "ErrorCode::InvalidArgument: the input `x` is f32[4294967295, 4294967295, 4294967295, 4294967295], which is \
             more bytes than can be counted"
                .into(),
        ),
        (
            "short-tensor",
            "plugin-error",
            "ErrorCode::InvalidArgument: the input `x` is f32[2, 3], which takes 24 bytes, and has 4".into(),
        ),
        ("twice-input", "plugin-error", "ErrorCode::InvalidArgument: the input `x` is given twice".into()),
        ("unknown-input", "plugin-error", "ErrorCode::InvalidArgument: it has no input `y\\u{1b}[2J` of f32".into()),
        ("many-inputs", "plugin-error", "ErrorCode::InvalidArgument: 100 inputs were given, 64 is the most".into()),
        ("tensor-flood", "host-memory", "it made the host hold 257 MiB of pixels and tensors".into()),
        ("graph-flood", "handles", "it kept more than 256 host objects".into()),
        ("error-flood", "handles", "it kept more than 256 host objects".into()),
        ("embed-flood", "host-calls", "it made the host work more than 4,000,000,000 credits worth".into()),
        ("text-flood", "host-calls", "4,000,000,000 credits".into()),
        ("name-flood", "host-calls", "4,000,000,000 credits".into()),
        ("compute-flood", "host-calls", "4,000,000,000 credits".into()),
        ("long-text", "unsupported-input", "a text of 1000000 characters, 10000 is the most".into()),
        ("nan-row", "plugin-error", "the model `nan` answered with NaN, which is not a number".into()),
        ("short-row", "plugin-error", "the model `short` answered with 3 numbers, 4 is what it has".into()),
        ("no-row", "plugin-error", "the model `short` answered 1 images with 0 rows".into()),
        ("nan-graph", "not-finite", "its score is NaN".into()),
        ("huge-output", "host-memory", "it made the host hold 301 MiB of pixels and tensors".into()),
        (
            "short-output",
            "plugin-error",
            "the output `y` of the model `short-graph` is f32[2, 2], which takes 16 bytes, and has 3".into(),
        ),
        ("misspelt", "invalid-config", "not one of".into()),
    ] {
        let started = Instant::now();
        let error = match registry.metric("hostile-models/trick", &json!({ "trick": trick }), Some(&models)) {
            Ok(_) => play(trick).expect_err(trick),
            Err(difftest_plugin::RegistryError::Refused(error)) => error,
            Err(error) => panic!("{trick}: {error}"),
        };
        assert_said(trick, &error, kind, &says);
        assert!(started.elapsed() < Duration::from_secs(60), "{trick}");
        assert_eq!(play("none").unwrap(), calm, "after {trick}");
    }
}

/// What a call may ask is counted by the asking: the same number of embeddings whoever has the answer already.
#[test]
fn without_models_there_are_none() {
    let registry = with_models(Limits::default());
    let error = measure_with(&registry, "hostile-models/trick", &json!({ "trick": "none" }), &image(8, 8), None);
    assert_said(
        "none",
        &error.unwrap_err(),
        "model-not-found",
        "no model is called `clip`; no model is declared; a suite",
    );
}

#[test]
fn sets_are_read_within_limits() {
    let (registry, _) = hostile(Limits::default());
    let images: Arc<dyn ImageSet> = Gradients::new((20..40).map(|side| side * 10));
    let play = |trick: &str, images: &Arc<dyn ImageSet>| {
        set(&registry, "hostile/set-trick", &json!({ "trick": trick }), None).measure(images, None)
    };
    let calm = play("none", &images).unwrap();
    assert_eq!(play("after-the-end", &images).unwrap().value, calm.value);
    for (trick, kind, says) in [
        ("keep-all", "handles", "it kept more than 256 host objects"),
        // 4,000,000,000 for the call and 300,000,000 for each of 20 images
        ("read-flood", "host-calls", "more than 10,000,000,000 credits worth"),
    ] {
        assert_said(trick, &play(trick, &images).expect_err(trick), kind, says);
        assert_eq!(play("none", &images).unwrap(), calm, "after {trick}");
    }
    // large images are stopped by their bytes, before the handles are
    let large: Arc<dyn ImageSet> = Gradients::new([3_000; 20]);
    assert_said("keep-all", &play("keep-all", &large).unwrap_err(), "host-memory", "256 MiB is the most");
    let empty: Arc<dyn ImageSet> = Gradients::new([]);
    assert_eq!(play("none", &empty).unwrap().value, 0.0);
}

#[test]
fn an_image_that_cannot_be_read_is_not_the_plugins_failure() {
    let (registry, _) = hostile(Limits::default());
    let measure = |images: &Arc<dyn ImageSet>, reference: Option<&Arc<dyn ImageSet>>| {
        set(&registry, "hostile/set-trick", &json!({ "trick": "none" }), None).measure(images, reference).unwrap_err()
    };
    let whole: Arc<dyn ImageSet> = Gradients::new([4, 5]);
    let broken = Gradients::without([4, 5, 6], 1);
    let error = measure(&broken, None);
    assert_eq!((error.kind.as_str(), error.hint.as_deref()), ("images", Some("run again")));
    assert_eq!(error.message, "image 2 of the set cannot be read: `cats/7.png` is gone");
    let error = measure(&whole, Some(&broken));
    assert_eq!(error.message, "image 2 of the reference set cannot be read: `cats/7.png` is gone");
    let (registry, models) = (with_models(Limits::default()), TestModels::shared());
    let embedding = set(&registry, "hostile-models/set-trick", &json!({ "trick": "none" }), Some(&models));
    assert_eq!(embedding.measure(&broken, None).unwrap_err().kind, "images");
}

#[test]
fn handles_that_were_not_given_lead_nowhere() {
    let (registry, _) = hostile(Limits::default());
    let play =
        |trick: &str| measure_with(&registry, "hostile/pair-trick", &json!({ "trick": trick }), &image(30, 20), None);
    assert_eq!(play("none").unwrap().value, 1.0);
    for (trick, says) in [("forged", "unknown handle index 16777215"), ("after-drop", "unknown handle index 2")] {
        assert_said(trick, &play(trick).expect_err(trick), "trap", says);
        assert_eq!(play("none").unwrap().value, 1.0, "after {trick}");
    }
}

#[test]
fn a_pair_without_reference_is_an_error_of_its_own() {
    let (registry, _) = hostile(Limits::default());
    let metric = registry.metric("hostile/pair-trick", &json!({ "trick": "none" }), None).unwrap();
    let AnyMetric::Each(metric) = metric else { panic!("a pair is scored case by case") };
    let item = |side: u32| Item { reference: Some(image(side, 8)), ..Item::new(image(8, 8), sample("a")) };
    let scores = metric.measure(&[item(8), Item::new(image(8, 8), sample("b")), item(9)]);
    assert_eq!(scores[0].as_ref().unwrap().value, 1.0);
    let error = scores[1].as_ref().unwrap_err();
    assert_said(
        "none",
        error,
        "no-reference",
        "`hostile/pair-trick` compares an image with its reference, and the case `b` has none",
    );
    assert!(error.hint.as_ref().unwrap().contains("reference ="), "{error:?}");
    assert_eq!(
        scores[2].as_ref().unwrap_err().kind,
        "unsupported-input",
        "one failing pair does not fail its neighbours"
    );
}

#[test]
fn sets_are_embedded_a_few_images_at_a_time_and_within_limits() {
    let registry = with_models(Limits::default());
    let test_models = TestModels::new();
    let largest = test_models.largest_batch.clone();
    let models: Arc<dyn Models> = Arc::new(test_models);
    let gradients = Gradients::new((10..110).map(|side| side % 30 + 3));
    let images: Arc<dyn ImageSet> = gradients.clone();
    let play = |trick: &str| {
        set(&registry, "hostile-models/set-trick", &json!({ "trick": trick }), Some(&models)).measure(&images, None)
    };
    let calm = play("none").unwrap();
    assert_eq!((gradients.reads.load(Ordering::Relaxed), largest.load(Ordering::Relaxed)), (100, 16));
    for (trick, kind, says) in [
        ("embed-flood", "host-calls", "more than 34,000,000,000 credits worth"),
        ("undeclared", "model-not-found", "no model is called `nothing`"),
        ("nan-row", "plugin-error", "the model `nan` answered with NaN"),
        ("huge-row", "host-memory", "256 MiB is the most"),
    ] {
        assert_said(trick, &play(trick).expect_err(trick), kind, says);
        assert_eq!(play("none").unwrap(), calm, "after {trick}");
    }
}

/// Slow models do not cost a plugin its time, and do not lend it any.
#[test]
fn time_in_models_is_the_hosts() {
    let limits = Limits { fuel: u64::MAX, wall_clock: SLOW / 2, ..Limits::default() };
    let (registry, models) = (with_models(limits), TestModels::shared());
    let play = |trick: &str| {
        let started = Instant::now();
        let config = json!({ "trick": trick });
        let answer = measure_with(&registry, "hostile-models/trick", &config, &image(8, 8), Some(&models));
        (answer, started.elapsed())
    };
    let (score, took) = play("slow-model");
    assert_eq!(score.unwrap().value, 1.0);
    assert!(took >= SLOW, "{took:?}");
    let (score, took) = play("slow-model-and-loop");
    assert_said("slow-model-and-loop", &score.unwrap_err(), "timeout", "it took longer than 0.4 s");
    assert!(took >= SLOW + SLOW / 2 && took < SLOW * 10, "{took:?}");
}

#[test]
fn scores_say_which_models_they_may_depend_on() {
    let models = TestModels::shared();
    let (registry, _) = registry_of(&[component("hostile"), component("hostile_models")], Limits::default());
    let info = |name: &str, config, models| registry.metric(name, &config, models).unwrap().info().clone();
    let attack = || json!({ "attack": "none" });
    let exact = info("hostile/set-attack", attack(), Some(&models));
    assert_eq!(exact.class(), ReproducibilityClass::Exact);
    assert!(exact.variant.starts_with("sha256:") && !exact.variant.contains(';'), "{}", exact.variant);
    assert_eq!(exact, info("hostile/set-attack", attack(), None), "models that it cannot ask change nothing");
    let asking = info("hostile-models/set-attack", attack(), Some(&models));
    assert_eq!(asking.class(), ReproducibilityClass::ModelDependent);
    let declared: String = models.declared().iter().map(|(name, digest)| format!(";{name}={digest}")).collect();
    assert!(asking.variant.ends_with(&declared) && declared.contains(";clip="), "{}", asking.variant);
    // what `inspect` tells: every kind of metric, and one class
    let inspection = serde_json::to_value(registry.inspect("hostile").unwrap()).unwrap();
    let kinds: Vec<_> = inspection["metrics"].as_array().unwrap().iter().map(|metric| &metric["kind"]).collect();
    assert_eq!(json!(kinds), json!(["image", "pair", "pair", "set", "set"]));
    assert_eq!(inspection["class"], "exact");
}
