//! Visual comparison against pixelmatch, odiff, scikit-image and ImageHash, over real pictures and generated ones with soft edges, down
//! to a single pixel. `golden/visual/make.py` computes the expected values.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::Path;

use difftest_core::image::Image;
use difftest_core::visual::Tier;
use difftest_metrics::decode::{self, Limits};
use difftest_metrics::visual::{Pair, PixelOptions, phash, pixel, ssim};
use serde_json::Value;

/// What the reference page allows is 1e-6; both sides are `f64`.
const SSIM_TOLERANCE: f64 = 1e-9;

/// SplitMix64 of a counter.
fn mix(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The picture of the same name in `golden/visual/make.py`.
fn picture(seed: u64, moved: bool) -> Image {
    let draw = |n: u64, below: u64| (mix(seed * 1_000 + n) % below) as i64;
    let sides = if seed.is_multiple_of(11) { 14 } else { 90 };
    let (width, height) = (draw(0, sides) + 1, draw(1, sides) + 1);
    let noise = |at: i64| (mix(seed * 1_000_000_007 + at as u64) >> 56) as i64;
    let shift = if moved { draw(2, 7) } else { 0 };
    let (centre_x, centre_y) = (draw(3, 4 * width as u64) + shift, draw(4, 4 * height as u64));
    let (radius, slope) = (4 + draw(5, 160), draw(6, 9) - 4);
    let recoloured = if moved && seed % 6 == 3 { 3 } else { 0 };
    let value = |x: i64, y: i64, c: i64| {
        let grain = noise((y * width + x) * 3 + c);
        if seed % 6 == 4 {
            return (grain + if moved { 96 * (grain % 2) } else { 0 }) % 256;
        }
        let covered = |sub: i64| {
            let (across, down) = (4 * x + sub / 4 - centre_x, 4 * y + sub % 4 - centre_y);
            if seed % 6 == 1 { across * 4 + down * slope < 0 } else { across.pow(2) + down.pow(2) < radius.pow(2) }
        };
        let cover = (0..16).filter(|&sub| covered(sub)).count() as i64;
        let (ground, shape) = (draw(10 + c as u64, 256), draw(20 + recoloured + c as u64, 256));
        let value = (ground * (16 - cover) + shape * cover) / 16;
        match seed % 6 {
            2 if moved && noise((y * width + x) * 3) < 80 => (value + grain % 64) % 256,
            5 => (value + x * 2 + y) % 256,
            _ => value,
        }
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels: Vec<u8> = places.flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c) as u8)).collect();
    Image::new(width as u32, height as u32, pixels).unwrap()
}

struct Case {
    pair: Pair,
    golden: Value,
}

impl Case {
    fn name(&self) -> &str {
        self.golden["name"].as_str().unwrap()
    }

    /// Of `key`, with the options it was counted under.
    fn counts<'a>(&'a self, key: &str, options: &'a [PixelOptions]) -> impl Iterator<Item = (&'a PixelOptions, u64)> {
        let counts: Vec<u64> =
            self.golden[key].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
        assert_eq!(counts.len(), options.len());
        options.iter().zip(counts)
    }
}

fn cases() -> (Vec<PixelOptions>, Vec<Case>) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(package.join("tests/golden/visual/golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let options = golden["options"].as_array().unwrap().iter().map(|option| PixelOptions {
        threshold: option[0].as_f64().unwrap(),
        count_antialiased: option[1].as_bool().unwrap(),
    });
    let read = |file: &str| decode::read(&package.join("../..").join(file), &Limits::default()).unwrap();
    let cases: Vec<_> = golden["cases"].as_array().unwrap().to_vec();
    assert_eq!(cases.len(), 134);
    let case = |golden: Value| {
        let [image, baseline] = match golden["name"].as_str().unwrap().split_once(' ').unwrap() {
            ("generated", seed) => [true, false].map(|moved| picture(seed.parse().unwrap(), moved)),
            files => [files.0, files.1].map(read),
        };
        Case { pair: Pair::new(&image, &baseline, &[]).unwrap(), golden }
    };
    (options.collect(), cases.into_iter().map(case).collect())
}

#[test]
fn bits_are_numpys() {
    for case in cases().1 {
        assert_eq!(Some(case.pair.differing()), case.golden["differing"].as_u64(), "{}", case.name());
    }
}

#[test]
fn counts_are_pixelmatchs() {
    let (options, cases) = cases();
    let mut soft = 0;
    for case in &cases {
        for (options, expected) in case.counts("pixelmatch", &options) {
            let found = pixel::compare(&case.pair, options);
            assert_eq!(found.differing, expected, "{} {options:?}", case.name());
            soft += found.antialiased;
        }
    }
    assert!(soft > 10_000, "soft edges hardly occur: {soft}");
}

/// odiff computes in fixed point and looks at the neighbours of a soft edge in its own way, so single pixels beside the threshold and at
/// edges fall on the other side.
#[test]
fn counts_are_near_odiffs() {
    let (options, cases) = cases();
    for case in &cases {
        for (options, expected) in case.counts("odiff", &options) {
            let found = pixel::compare(&case.pair, options);
            let of = if options.count_antialiased { found.differing } else { found.antialiased };
            let near = 15 + if options.count_antialiased { 0 } else { of / 10 };
            assert!(found.differing.abs_diff(expected) <= near, "{} {options:?} {found:?} {expected}", case.name());
        }
    }
}

#[test]
fn ssim_is_scikit_images() {
    let (mut worst, mut compared) = (0.0_f64, 0);
    for case in cases().1 {
        let value = ssim::mean(&case.pair);
        let Some(expected) = case.golden["ssim"].as_f64() else {
            assert!(value.is_err(), "{}", case.name());
            continue;
        };
        let (value, map) = (value.unwrap(), ssim::map(&case.pair).unwrap());
        let difference = (value - expected).abs();
        assert!(difference <= SSIM_TOLERANCE, "{}: {value} is {difference:e} off", case.name());
        let of_map = map.values.iter().sum::<f64>() / map.values.len() as f64;
        assert_eq!(map.values.len(), map.width * map.height);
        assert!((of_map - value).abs() < 1e-12);
        worst = worst.max(difference);
        compared += 1;
    }
    assert!(compared > 100);
    println!("largest difference over {compared} values: {worst:e}");
}

#[test]
fn hashes_are_imagehashs() {
    for case in cases().1 {
        let hashes = [case.pair.image(), case.pair.baseline()].map(|image| format!("{:016x}", phash::hash(image)));
        let expected = case.golden["hashes"].as_array().unwrap();
        assert_eq!(hashes.each_ref().map(|hash| Value::from(hash.as_str())), expected[..], "{}", case.name());
        let value = case.pair.value(Tier::Phash, &PixelOptions::default()).unwrap();
        assert_eq!(value, case.golden["phash"].as_f64(), "{}", case.name());
    }
}
