//! What must hold for every pair of images.
#![allow(clippy::unwrap_used, reason = "tests")]

use difftest_sdk::{Error, Filter, Image, PairMetricPlugin, Rgb, Sample};
use phash::PairMetrics;
use phash::dct::{LENGTH, transform};
use phash::lanczos::Resize;
use proptest::collection::vec;
use proptest::prelude::*;

const NAMES: [&str; 2] = ["phash-distance", "dhash-distance"];

fn distance(name: &str, image: &Image, reference: &Image) -> f64 {
    PairMetrics::measure(name, image, reference, &Sample::default(), "").unwrap().value
}

fn image() -> impl Strategy<Value = Image> {
    (1..50_u32, 1..50_u32).prop_flat_map(|(width, height)| {
        vec(any::<u8>(), (width * height * 3) as usize).prop_map(move |pixels| Image::from_rgb8(width, height, pixels))
    })
}

proptest! {
    #[test]
    fn an_image_has_no_distance_to_itself(image in image()) {
        for name in NAMES {
            prop_assert_eq!(distance(name, &image, &image), 0.0);
        }
    }

    #[test]
    fn distances_are_whole_symmetric_and_in_range(image in image(), reference in image()) {
        for name in NAMES {
            let there = distance(name, &image, &reference);
            prop_assert_eq!(there, distance(name, &reference, &image));
            prop_assert!((0.0..=64.0).contains(&there) && there.fract() == 0.0);
        }
    }

    #[test]
    fn the_transform_is_its_definition(values in vec(-1000.0..1000.0_f64, LENGTH)) {
        let fast = transform(std::array::from_fn(|n| values[n]));
        for (k, fast) in fast.into_iter().enumerate() {
            let angle = |n: usize| std::f64::consts::PI * (k * (2 * n + 1)) as f64 / (2 * LENGTH) as f64;
            let plain: f64 = values.iter().enumerate().map(|(n, value)| 2.0 * value * angle(n).cos()).sum();
            prop_assert!((fast - plain).abs() < 1e-9, "{k}: {fast} {plain}");
        }
    }

    #[test]
    fn grey_images_are_resized_as_the_contract_does(
        (width, bytes) in (1..60_usize, 1..60_usize).prop_flat_map(|(w, h)| (Just(w), vec(any::<u8>(), w * h))),
        to in (1..40_usize, 1..40_usize),
    ) {
        let size = (width, bytes.len() / width);
        let grey: Vec<u8> = bytes.iter().flat_map(|&value| [value; 3]).collect();
        let image = Image::from_rgb8(size.0 as u32, size.1 as u32, grey);
        let wanted = image.resize(to.0 as u32, to.1 as u32, Filter::Lanczos3).luma8();
        prop_assert_eq!(Resize::new(size, to).apply(&bytes), wanted);
    }
}

#[test]
fn size_and_small_changes_matter_little() {
    let scene = |size: u32| {
        Image::from_fn(size, size, |x, y| {
            let (x, y) = (x * 256 / size, y * 256 / size);
            if x.abs_diff(90).pow(2) + y.abs_diff(150).pow(2) < 3_600 {
                Rgb::new(230, 40, 40)
            } else {
                Rgb::new(20, y as u8 / 2, x as u8)
            }
        })
    };
    let (small, large) = (scene(128), scene(512));
    let negative = Image::from_fn(128, 128, |x, y| Rgb::new(255 - (x ^ y) as u8, (x * 2) as u8, 255 - (y * 2) as u8));
    for name in NAMES {
        assert!(distance(name, &small, &large) <= 4.0, "{name}");
        assert!(distance(name, &small, &negative) >= 12.0, "{name}");
    }
}

#[test]
fn one_pixel_is_enough() {
    let [black, white] = [0, 255].map(|value| Image::from_rgb8(1, 1, [value; 3]));
    // a flat image has no frequency above the median but its mean, and black not even that
    assert_eq!(distance("phash-distance", &black, &white), 1.0);
    assert_eq!(distance("dhash-distance", &black, &white), 0.0);
}

#[test]
fn there_is_no_config() {
    let image = Image::from_rgb8(1, 1, [0; 3]);
    let refused = PairMetrics::measure(NAMES[0], &image, &image, &Sample::default(), r#"{"size": 8}"#);
    assert!(matches!(refused, Err(Error::InvalidConfig(_))));
}
