//! Both metrics against scikit-image and pytorch-msssim, over photographs and generated pictures down to the smallest
//! that there is an answer for. `golden/make.py` computes the expected values.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::Path;

use difftest_sdk::{Image, PairMetricPlugin, Sample};
use serde_json::Value;
use ssim::PairMetrics;

/// The promise of the README.
const TOLERANCE: f64 = 1e-6;

#[test]
fn equals_the_references() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("golden.json")).unwrap()).unwrap();
    let open = |file: &Value| {
        let pixels = image::open(folder.join(file.as_str().unwrap())).unwrap().into_rgb8();
        Image::from_rgb8(pixels.width(), pixels.height(), pixels.into_raw())
    };
    let (mut worst, mut compared) = (0.0_f64, 0);
    for case in golden["cases"].as_array().unwrap() {
        let (image, reference) = (open(&case["image"]), open(&case["reference"]));
        for name in ["ssim", "ms-ssim"] {
            for (key, config) in [(name.to_owned(), ""), (format!("{name}-luma"), r#"{"channels": "luma"}"#)] {
                let Some(expected) = case[&key].as_f64() else { continue };
                let value = PairMetrics::measure(name, &image, &reference, &Sample::default(), config).unwrap().value;
                let difference = (value - expected).abs();
                assert!(difference <= TOLERANCE, "{key} of {}: {value} is {difference:e} off", case["image"]);
                worst = worst.max(difference);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 20);
    println!("largest difference over {compared} values: {worst:e}");
}
