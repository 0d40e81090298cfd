//! Both metrics as the host calls them, with embeddings from memory: against NumPy, and against what must hold.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::Path;

use difftest_sdk::models::testing::{Input, with_embedder};
use difftest_sdk::{Error, Image, ImageSet, Score, SetMetricPlugin};
use proptest::prelude::*;
use serde_json::{Value, json};
use set_stats::{SetMetrics, diversity_of, rows::Rows};

/// The promise of the README.
const TOLERANCE: f64 = 1e-12;

/// Scores a set whose embeddings by the model `clip` are `rows`: the colour of an image is its place.
fn measure(metric: &str, rows: Vec<Vec<f32>>, config: &Value) -> Result<Score, Error> {
    let image = |index: usize| Image::from_rgb8(1, 1, [(index >> 8) as u8, index as u8, 0]);
    let set = ImageSet::from_images((0..rows.len()).map(image));
    let embedder = move |model: &str, input: Input<'_>| match (model, input) {
        ("clip" | "other", Input::Image(image)) => {
            let pixel = image.rgb8();
            Ok(rows[usize::from(pixel[0]) << 8 | usize::from(pixel[1])].clone())
        }
        (other, _) => Err(Error::ModelNotFound(other.to_owned())),
    };
    with_embedder(embedder, || SetMetrics::measure(metric, &set, None, &config.to_string()))
}

fn detail(score: &Score, name: &str) -> f64 {
    score.details.iter().find(|detail| detail.name == name).unwrap().value
}

/// The embeddings of `golden/make.py`.
fn embeddings(images: usize, dimensions: usize, spread: f64, groups: usize) -> Vec<Vec<f32>> {
    let mut state = (images * 1_000 + dimensions) as u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    let common: Vec<f64> = (0..dimensions).map(|_| next()).collect();
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for i in 0..images {
        let row = if groups > 0 && i >= groups && i % 3 > 0 {
            rows[i % groups].iter().map(|value| value + 0.05 * spread * next()).collect()
        } else {
            common.iter().map(|value| value + spread * next() * 2.0).collect()
        };
        rows.push(row);
    }
    rows.into_iter().map(|row| row.into_iter().map(|value| value as f32).collect()).collect()
}

#[test]
fn equals_the_python_formulas() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/golden.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    let mut worst = 0.0_f64;
    for case in cases {
        let number = |name: &str| case["set"][name].as_u64().unwrap() as usize;
        let images = number("images");
        let rows = embeddings(images, number("dimensions"), case["set"]["spread"].as_f64().unwrap(), number("groups"));
        let diversity = measure("diversity", rows.clone(), &json!({})).unwrap();
        worst = worst.max((diversity.value - case["diversity"].as_f64().unwrap()).abs());
        assert_eq!(detail(&diversity, "images"), images as f64);
        for (within, wanted) in case["near"].as_object().unwrap() {
            let within: f64 = within.parse().unwrap();
            let score = measure("near-duplicates", rows.clone(), &json!({ "within": within })).unwrap();
            let off = (score.value - wanted["share"].as_f64().unwrap()).abs();
            assert!(off < 1e-15, "{} within {within}: {} and {wanted}", case["set"], score.value);
            assert_eq!(detail(&score, "pairs"), wanted["pairs"].as_f64().unwrap());
            assert_eq!(json!(detail(&score, "closest-first") as u64), case["closest"][0]);
            assert_eq!(json!(detail(&score, "closest-second") as u64), case["closest"][1]);
            worst = worst.max((detail(&score, "closest-distance") - case["closest"][2].as_f64().unwrap()).abs());
        }
    }
    println!("largest difference: {worst:e}");
    assert!(worst <= TOLERANCE, "{worst:e}");
}

#[test]
fn a_set_of_the_same_image_has_no_diversity() {
    let rows = vec![embeddings(2, 768, 1.0, 0)[0].clone(); 300];
    let score = measure("diversity", rows.clone(), &json!({})).unwrap();
    assert!((0.0..=TOLERANCE).contains(&score.value), "{:e}", score.value);
    let score = measure("near-duplicates", rows, &json!({ "within": 1e-12 })).unwrap();
    assert_eq!((score.value, detail(&score, "pairs")), (1.0, 300.0 * 299.0 / 2.0));
    let opposite = measure("diversity", vec![vec![1.0, 2.0], vec![-1.0, -2.0]], &json!({ "model": "other" })).unwrap();
    assert!((opposite.value - 2.0).abs() < TOLERANCE && opposite.value <= 2.0);
}

#[test]
fn what_cannot_be_measured_is_an_error() {
    for metric in ["diversity", "near-duplicates"] {
        for (rows, config, wanted) in [
            (vec![], json!({}), "unsupported input: the set has 0 images, and distances need two"),
            (vec![vec![1.0]], json!({}), "unsupported input: the set has 1 image, and distances need two"),
            (vec![vec![1.0]; 2], json!({ "model": "clop" }), "model not found: clop"),
            (vec![vec![0.0]; 2], json!({}), "cannot be normalised"),
            (vec![vec![1.0], vec![1.0, 2.0]], json!({}), "numbers are no embeddings"),
            (vec![vec![1.0]; 2], json!({ "modle": "clip" }), "unknown field `modle`"),
        ] {
            let message = measure(metric, rows, &config).map(|score| score.value).unwrap_err().to_string();
            assert!(message.contains(wanted), "{metric}: {message}\nwanted: {wanted}");
        }
    }
    for within in [-0.1, 2.1] {
        let message =
            measure("near-duplicates", vec![vec![1.0]; 2], &json!({ "within": within })).unwrap_err().to_string();
        assert!(message.contains("distances are 0 to 2"), "{message}");
    }
}

proptest! {
    /// The formula by the sum is the mean over the pairs, in any order of the set.
    #[test]
    fn the_sum_knows_the_pairs(rows in (1..9_usize).prop_flat_map(|d| prop::collection::vec(prop::collection::vec(-1.0..1.0_f32, d), 2..12)), turn in 0..12_usize) {
        prop_assume!(rows.iter().all(|row| row.iter().any(|value| value.abs() > 0.01)));
        let unit = |rows: &[Vec<f32>]| Rows::new(&difftest_sdk::models::Embeddings::new(rows[0].len(), rows.concat()).unwrap()).unwrap();
        let all = unit(&rows);
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (i, a) in all.iter().enumerate() {
            for b in all.iter().skip(i + 1) {
                sum += 1.0 - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                pairs += 1.0;
            }
        }
        prop_assert!((diversity_of(&all) - sum / pairs).abs() < TOLERANCE);
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len());
        prop_assert!((diversity_of(&unit(&turned)) - diversity_of(&all)).abs() < TOLERANCE);
    }
}
