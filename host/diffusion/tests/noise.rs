//! Our noise against torch's. `golden/sampling/make_noise.py` made the expected values.
//!
//! `f32` within 1e-6. In half precision, a value that lies within 1e-6 of the middle of two halves may be rounded to the other
//! one: at most one in a thousand, and by one unit in the last place.
#![allow(clippy::unwrap_used)]

use difftest_diffusion::noise::{Noise, Stream};
use serde_json::Value;

fn numbers(draw: &Value) -> Vec<f32> {
    draw.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/sampling/noise.json")).unwrap()
}

/// Largest difference allowed for a value of this size.
fn tolerance(stream: Stream, value: f32) -> f32 {
    match stream {
        Stream::TorchCpuF32 => 1e-6,
        Stream::TorchCpuF16 => value.abs() / 1024.0,
        Stream::TorchCpuBf16 => value.abs() / 128.0,
    }
}

#[test]
fn noise_is_torchs() {
    for stream in Stream::ALL {
        let golden = golden();
        let (mut values, mut rounded_otherwise) = (0, 0);
        for case in golden["cases"].as_array().unwrap().iter().filter(|case| case["stream"] == stream.id()) {
            let mut generator = Noise::new(stream, case["seed"].as_u64().unwrap());
            for draw in case["draws"].as_array().unwrap() {
                let expected = numbers(draw);
                for (ours, theirs) in generator.randn(expected.len()).into_iter().zip(expected) {
                    let off = (ours - theirs).abs();
                    assert!(off <= tolerance(stream, theirs), "{stream}: {ours} for {theirs} in seed {}", case["seed"]);
                    // the golden halves have six digits, which are nearer to their half than to any other
                    rounded_otherwise += usize::from(off > 1e-5 * theirs.abs());
                    values += 1;
                }
            }
        }
        assert!(values > 1500, "{stream}: {values}");
        assert!(stream == Stream::TorchCpuF32 || rounded_otherwise * 1000 <= values, "{stream}: {rounded_otherwise}");
    }
}

#[test]
fn types_can_be_mixed() {
    let golden = golden();
    let mut generator = Noise::new(Stream::TorchCpuF16, golden["mixed"]["seed"].as_u64().unwrap());
    for (index, draw) in golden["mixed"]["draws"].as_array().unwrap().iter().enumerate() {
        let expected = numbers(draw);
        let single = index == 1;
        let ours = if single { generator.randn_f32(expected.len()) } else { generator.randn(expected.len()) };
        let stream = if single { Stream::TorchCpuF32 } else { Stream::TorchCpuF16 };
        assert!(ours.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= tolerance(stream, *b)), "draw {index}");
    }
}
