//! Our noise against torch's, within 1e-6. `golden/sampling/make_noise.py` made the expected values.
#![allow(clippy::unwrap_used)]

use difftest_diffusion::noise::TorchNormal;
use serde_json::Value;

#[test]
fn noise_is_torchs() {
    let golden: Value = serde_json::from_str(include_str!("golden/sampling/noise.json")).unwrap();
    let mut worst: f64 = 0.0;
    for case in golden["cases"].as_array().unwrap() {
        let mut generator = TorchNormal::new(case["seed"].as_u64().unwrap());
        for draw in case["draws"].as_array().unwrap() {
            let expected: Vec<f64> = draw.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            let ours = generator.randn(expected.len());
            for (a, b) in ours.iter().zip(&expected) {
                worst = worst.max((f64::from(*a) - b).abs());
            }
        }
    }
    assert!(worst <= 1e-6, "largest difference {worst:e}");
}
