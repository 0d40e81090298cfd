//! Every statistic against its NumPy / scikit-image value, over photographs, a drawing, generated pictures and crops
//! one pixel wide. `golden/make.py` computes the expected values.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use serde_json::Value;

/// The promise of the README.
const TOLERANCE: f64 = 1e-9;

/// Pillow's mode `L`, which is what the host hands to plugins.
fn luma8(rgb: &[u8]) -> Vec<u8> {
    rgb.chunks_exact(3)
        .map(|p| ((19_595 * u32::from(p[0]) + 38_470 * u32::from(p[1]) + 7_471 * u32::from(p[2]) + 0x8000) >> 16) as u8)
        .collect()
}

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
        let image = image::open(root.join(file)).unwrap().into_rgb8();
        let (width, rgb) = (image.width() as usize, image.as_raw().as_slice());
        let luma = luma8(rgb);
        let ours = [
            ("brightness", image_stats::brightness_of(&luma)),
            ("contrast", image_stats::contrast_of(&luma)),
            ("sharpness", image_stats::sharpness_of(&luma, width)),
            ("colorfulness", image_stats::colorfulness_of(rgb)),
            ("entropy", image_stats::entropy_of(&luma)),
        ];
        for (name, value) in ours {
            let difference = (value - case[name].as_f64().unwrap()).abs();
            assert!(difference <= TOLERANCE, "{name} of {file}: {value} is {difference:e} from {}", case[name]);
            worst = worst.max(difference);
        }
    }
    println!("largest difference over {} images: {worst:e}", cases.len());
}
