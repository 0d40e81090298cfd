//! Files and settings that are wrong: one clear error each.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use difftest_core::image::Image;
use difftest_metrics::clip_preprocess::ClipPreprocess;
use difftest_metrics::decode::{self, DecodeError, Limits};
use difftest_metrics::encode::png;
use serde_json::json;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/files").join(name)
}

/// A PNG whose header asks for `side` x `side` and whose data is 40 bytes.
fn bomb(side: u32) -> Vec<u8> {
    let small = png(&Image::new(1, 1, vec![1, 2, 3]).unwrap()).unwrap();
    let mut header = small[12..29].to_vec();
    header[4..8].copy_from_slice(&side.to_be_bytes());
    header[8..12].copy_from_slice(&side.to_be_bytes());
    let crc = !header.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    });
    [&small[..12], &header, &crc.to_be_bytes(), &small[33..]].concat()
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.png");
    std::fs::write(&path, bomb(60_000)).unwrap();
    let error = decode::read(&path, &Limits::default()).unwrap_err();
    assert!(matches!(error.source, DecodeError::TooLarge { width: 60_000, height: 60_000, .. }), "{error}");
    assert!(error.to_string().contains("bomb.png"), "{error}");
}

#[test]
fn a_header_within_the_limits_but_without_data_is_cut_off_or_damaged() {
    let error = decode::decode(&bomb(3000), &Limits::default()).unwrap_err();
    assert!(matches!(error, DecodeError::CutOff | DecodeError::Damaged(_)), "{error}");
}

#[test]
fn every_cut_of_every_format_is_an_error() {
    for name in ["rgba.png", "palette.png", "rgb.webp", "smooth.jpg"] {
        let whole = std::fs::read(golden(name)).unwrap();
        for keep in 0..whole.len() - 16 {
            assert!(decode::decode(&whole[..keep], &Limits::default()).is_err(), "{name} cut to {keep} bytes");
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    for name in ["rgba.png", "palette.png", "rgb.webp", "smooth.jpg"] {
        let whole = std::fs::read(golden(name)).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            let _ = decode::decode(&bytes, &Limits::default());
        }
    }
}

#[test]
fn other_files_are_named_for_what_they_are_not() {
    let limits = Limits { file_bytes: 100, ..Limits::default() };
    assert!(matches!(decode::decode(b"hello", &limits), Err(DecodeError::UnknownFormat)));
    assert!(matches!(decode::decode(b"", &limits), Err(DecodeError::UnknownFormat)));
    assert!(matches!(decode::decode(b"GIF89a..........", &limits), Err(DecodeError::UnknownFormat)));
    let large = decode::read(&golden("rgba.png"), &limits).unwrap_err();
    assert!(matches!(large.source, DecodeError::FileTooLarge { limit: 100 }));
    assert!(matches!(decode::read(Path::new("/nowhere/a.png"), &limits).unwrap_err().source, DecodeError::Io(_)));
}

#[test]
fn settings_that_mean_something_else_are_refused_by_name() {
    for (config, key) in [
        (json!({"resample": 4}), "resample"),
        (json!({"do_resize": false}), "do_resize"),
        (json!({"size": {"height": 224, "width": 224}}), "size"),
        (json!({"size": 0}), "size"),
        (json!({"crop_size": {"height": 224, "width": 220}}), "crop_size"),
        (json!({"crop_size": 225, "size": 224}), "crop_size"),
        (json!({"image_mean": [0.5, 0.5]}), "image_mean"),
        (json!({"image_std": [0.5, 0.0, 0.5]}), "image_std"),
        (json!({"image_processor_type": "SiglipImageProcessor"}), "image_processor_type"),
        (json!({"do_pad": true}), "do_pad"),
    ] {
        let error = ClipPreprocess::from_json(&config).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
    let usual = ClipPreprocess::from_json(&json!({})).unwrap();
    assert_eq!(usual.id(), "pillow-bicubic-224-crop-224");
}

#[test]
fn a_strip_costs_what_its_crop_costs() {
    let strip = Image::new(16_000, 1, vec![9; 48_000]).unwrap();
    let settings = ClipPreprocess::from_json(&json!({})).unwrap();
    assert_eq!(settings.apply(&strip).len(), 3 * 224 * 224);
}

#[test]
fn the_damaged_file_of_a_pair_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, broken] = ["whole.png", "broken.png"].map(|name| folder.path().join(name));
    let image = Image::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
    std::fs::write(&whole, png(&image).unwrap()).unwrap();
    std::fs::write(&broken, "no image").unwrap();
    let limits = Limits::default();
    assert_eq!(decode::read_pair([&whole, &whole], &limits).unwrap(), [image.clone(), image]);
    // equal bytes that are no image do not pass for equal images
    for (paths, blamed) in [([&whole, &broken], &broken), ([&broken, &whole], &broken), ([&broken, &broken], &broken)] {
        let error = decode::read_pair(paths.map(PathBuf::as_path), &limits).unwrap_err();
        assert!(error.path == *blamed && matches!(error.source, DecodeError::UnknownFormat), "{error}");
    }
}
