//! Both hashes against ImageHash, bit for bit, over real pictures and over generated ones of all shapes, many of them flat,
//! symmetric or one-dimensional: there the median is zero and roundings decide. `golden/make.py` computes the expected values.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use difftest_sdk::Image;
use phash::hash::{DHASH, PHASH};
use serde_json::Value;

/// SplitMix64 of a counter.
fn mix(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The picture of the same name in `golden/make.py`.
fn picture(seed: u64) -> Image {
    let draw = |n: u64, below: u64| (mix(seed * 1_000 + n) % below) as usize;
    let sides = if seed.is_multiple_of(7) { 33 } else { 190 };
    let (width, height) = (draw(0, sides) + 1, draw(1, sides) + 1);
    let noise = |at: usize| (mix(seed * 1_000_000_007 + at as u64) >> 56) as usize;
    let (plain, cell) = (draw(2, 256), 1 + draw(3, 40));
    let value = |x: usize, y: usize, c: usize| {
        let (mirrored_x, mirrored_y) = (x.min(width - 1 - x), y.min(height - 1 - y));
        match seed % 13 {
            0 => noise((y * width + x) * 3 + c),
            1 => noise((y / cell * 1_000 + x / cell) * 3 + c),
            2 => x * 255 / (width - 1).max(1),
            3 => y * 255 / (height - 1).max(1),
            4 => (x * cell + y * plain / 8) % 256,
            5 => (plain + c * cell) % 256,
            6 => noise(y * width + mirrored_x),
            7 => noise((mirrored_y / cell * 1_000 + mirrored_x / cell) * 3 + c),
            8 => (x.abs_diff(width / 2).pow(2) + y.abs_diff(height / 3).pow(2)) / cell % 256,
            9 => {
                let inside = x > width / 4 && x < width / 2 && y >= height / 3 && y < height / 3 + cell;
                255 * usize::from(inside)
            }
            10 => 255 * ((x / cell + y / cell) % 2),
            11 => (plain + noise(y * width + x) % 2).min(255),
            _ => noise(x + c * 1_000) / 2 + y * 127 / (height - 1).max(1),
        }
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels: Vec<u8> = places.flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c) as u8)).collect();
    Image::from_rgb8(width as u32, height as u32, pixels)
}

/// As `golden.json` has them: `phash dhash` in hexadecimal.
fn hashes(image: &Image) -> String {
    let (luma, size) = (image.luma8(), (image.width() as usize, image.height() as usize));
    format!("{:016x} {:016x}", PHASH.of_size(size)(&luma), DHASH.of_size(size)(&luma))
}

fn golden() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/golden.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn equals_imagehash_on_generated_pictures() {
    let golden = golden();
    let wanted = golden["generated"].as_array().unwrap();
    assert_eq!(wanted.len(), 1_560);
    let different: Vec<_> = (0..)
        .zip(wanted)
        .filter(|&(seed, wanted)| hashes(&picture(seed)) != *wanted.as_str().unwrap())
        .map(|(seed, wanted)| format!("{seed} {:?}: {} and not {wanted}", picture(seed), hashes(&picture(seed))))
        .collect();
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[test]
fn equals_imagehash_on_real_pictures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let golden = golden();
    let files = golden["files"].as_object().unwrap();
    assert_eq!(files.len(), 22);
    for (file, wanted) in files {
        let pixels = image::open(root.join(file)).unwrap().into_rgb8();
        let image = Image::from_rgb8(pixels.width(), pixels.height(), pixels.into_raw());
        assert_eq!(hashes(&image), wanted.as_str().unwrap(), "{file}");
    }
}
