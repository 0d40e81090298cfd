//! Every statistic against its NumPy / scikit-image value, over photographs, a drawing, generated pictures and crops
//! one pixel wide. `golden/make.py` computes the expected values.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::Path;

use difftest_sdk::{Image, MetricPlugin, Sample};
use image_stats::Metrics;
use serde_json::Value;

/// The promise of the README.
const TOLERANCE: f64 = 1e-9;

#[test]
fn equals_the_python_formulas() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap();
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(here.join("tests/golden/golden.json")).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 22);
    let mut worst = 0.0_f64;
    for case in cases {
        let file = case["file"].as_str().unwrap();
        let pixels = image::open(root.join(file)).unwrap().into_rgb8();
        let image = Image::from_rgb8(pixels.width(), pixels.height(), pixels.into_raw());
        for name in ["brightness", "contrast", "sharpness", "colorfulness", "entropy"] {
            let value = Metrics::measure(name, &image, &Sample::default(), "").unwrap().value;
            let difference = (value - case[name].as_f64().unwrap()).abs();
            assert!(difference <= TOLERANCE, "{name} of {file}: {value} is {difference:e} from {}", case[name]);
            worst = worst.max(difference);
        }
    }
    println!("largest difference over {} images: {worst:e}", cases.len());
}
