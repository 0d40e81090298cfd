//! Bit for bit what Pillow and transformers' Pillow path do, on pictures of every kind of awkward size.
//! `golden/make.py` made the expected digests.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_metrics::clip_preprocess::ClipPreprocess;
use difftest_metrics::decode::{self, Limits};
use difftest_metrics::luma::luma8;
use difftest_metrics::resize::{Filter, resize};
use serde_json::{Value, json};

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The integer formulas of `picture` in make.py.
fn picture(kind: &str, width: u32, height: u32) -> Image {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..3_u32 {
                pixels.push(match kind {
                    "noise" => {
                        let h = x
                            .wrapping_mul(374_761_393)
                            .wrapping_add(y.wrapping_mul(668_265_263))
                            .wrapping_add(c.wrapping_mul(2_246_822_519));
                        ((h ^ (h >> 13)).wrapping_mul(1_274_126_177) >> 24) as u8
                    }
                    "smooth" => {
                        let value = (x * (c + 2) + y * 3) % 511;
                        (if value > 255 { 510 - value } else { value }) as u8
                    }
                    _ => {
                        if (x / 5 + y / 7 + c).is_multiple_of(2) {
                            255
                        } else {
                            0
                        }
                    }
                });
            }
        }
    }
    Image::new(width, height, pixels).unwrap()
}

fn pair(value: &Value) -> (u32, u32) {
    (value[0].as_u64().unwrap() as u32, value[1].as_u64().unwrap() as u32)
}

fn kind(case: &Value) -> &str {
    case["kind"].as_str().unwrap()
}

#[test]
fn resize_is_pillows() {
    let golden = golden("pillow.json");
    let cases = golden["resize"].as_array().unwrap();
    assert!(cases.len() >= 100);
    for case in cases {
        let filter = match case["filter"].as_str().unwrap() {
            "nearest" => Filter::Nearest,
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            _ => Filter::Lanczos,
        };
        let (from, to) = (pair(&case["from"]), pair(&case["to"]));
        let out = resize(&picture(kind(case), from.0, from.1), to.0, to.1, filter).unwrap();
        assert_eq!((out.width(), out.height()), to);
        assert_eq!(Digest::of(out.rgb8()).to_string(), case["sha256"], "{case}");
    }
}

#[test]
fn luma_is_pillows() {
    for case in golden("pillow.json")["luma"].as_array().unwrap() {
        let (width, height) = pair(&case["size"]);
        let luma = luma8(&picture(kind(case), width, height));
        assert_eq!(Digest::of(&luma).to_string(), case["sha256"], "{case}");
    }
}

#[test]
fn clip_preprocessing_is_transformers_pillow_path() {
    for case in golden("pillow.json")["clip"].as_array().unwrap() {
        let (width, height) = pair(&case["size"]);
        let config = json!({"size": {"shortest_edge": case["edge"]}, "crop_size": case["crop"]});
        let planes = ClipPreprocess::from_json(&config).unwrap().apply(&picture(kind(case), width, height));
        let bytes: Vec<u8> = planes.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(Digest::of(&bytes).to_string(), case["sha256"], "{case}");
    }
}

#[test]
fn files_decode_to_pillows_pixels() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/files");
    for (name, expected) in golden("decoded.json").as_object().unwrap() {
        let image = decode::read(&files.join(name), &Limits::default()).unwrap();
        assert_eq!((image.width(), image.height()), pair(&expected["size"]), "{name}");
        if let Some(means) = expected["mean"].as_array() {
            // JPEG decoders may round differently
            for (c, mean) in means.iter().enumerate() {
                let sum: f64 = image.rgb8().iter().skip(c).step_by(3).map(|&p| f64::from(p)).sum();
                let ours = sum / f64::from(image.width() * image.height());
                assert!((ours - mean.as_f64().unwrap()).abs() < 0.5, "{name}: {ours} {mean}");
            }
        } else {
            assert_eq!(Digest::of(image.rgb8()).to_string(), expected["sha256"], "{name}");
        }
    }
}
