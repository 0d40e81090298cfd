//! What must hold for every pair of images, and the refusals.
#![allow(clippy::unwrap_used, reason = "tests")]

use difftest_sdk::{Error, Image, PairMetricPlugin, Rgb, Sample, Score};
use proptest::collection::vec;
use proptest::prelude::*;
use ssim::PairMetrics;
use ssim::plane::Plane;
use ssim::similarity::{Map, mean};

const BLACK: Rgb = Rgb::new(0, 0, 0);
const WHITE: Rgb = Rgb::new(255, 255, 255);

fn measure(name: &str, image: &Image, reference: &Image, config: &str) -> Result<Score, Error> {
    PairMetrics::measure(name, image, reference, &Sample::default(), config)
}

/// SSIM of one channel of 8-bit values as the definition says: every window by itself, in f64.
fn plain(image: &[u8], reference: &[u8], width: usize) -> f64 {
    let gaussian = |k: usize| (-0.5 * (k.abs_diff(5) as f64 / 1.5).powi(2)).exp();
    let norm: f64 = (0..11).map(gaussian).sum();
    let mut indices = Vec::new();
    for top in 0..=image.len() / width - 11 {
        for left in 0..=width - 11 {
            let mut moments = [0.0; 5];
            for (i, j) in (0..11).flat_map(|i| (0..11).map(move |j| (i, j))) {
                let at = (top + i) * width + left + j;
                let (weight, x, y) =
                    (gaussian(i) * gaussian(j) / (norm * norm), f64::from(image[at]), f64::from(reference[at]));
                for (moment, value) in moments.iter_mut().zip([x, y, x * x, y * y, x * y]) {
                    *moment += weight * value;
                }
            }
            let [x, y, xx, yy, xy] = moments;
            let (c1, c2) = (6.5025, 58.5225);
            let cs = (2.0 * (xy - x * y) + c2) / (xx - x * x + yy - y * y + c2);
            indices.push((2.0 * x * y + c1) / (x * x + y * y + c1) * cs);
        }
    }
    indices.iter().sum::<f64>() / indices.len() as f64
}

/// A width, and two planes of that width: of any bytes, few grey levels, or black and white.
fn planes() -> impl Strategy<Value = (usize, Vec<u8>, Vec<u8>)> {
    let value = prop_oneof![any::<u8>().boxed(), (0..3_u8).boxed(), prop_oneof![Just(0), Just(255)].boxed()];
    (11..24_usize, 11..16_usize, Just(value))
        .prop_flat_map(|(w, h, value)| (Just(w), vec(value.clone(), w * h), vec(value, w * h)))
}

fn plane(bytes: &[u8], width: usize) -> Plane {
    Plane::of_bytes(bytes, width, 0, 1)
}

proptest! {
    #[test]
    fn it_is_the_definition((width, image, reference) in planes()) {
        let value = mean(&plane(&image, width), &plane(&reference, width), Map::Ssim).unwrap();
        prop_assert!((value - plain(&image, &reference, width)).abs() < 1e-6);
    }

    #[test]
    fn it_is_symmetric_to_the_last_bit((width, image, reference) in planes()) {
        let (image, reference) = (plane(&image, width), plane(&reference, width));
        for map in [Map::Ssim, Map::ContrastStructure] {
            let values = [mean(&image, &reference, map), mean(&reference, &image, map)];
            prop_assert_eq!(values[0].unwrap().to_bits(), values[1].unwrap().to_bits());
        }
    }

    #[test]
    fn equal_images_score_exactly_one((width, bytes, _) in planes()) {
        let one = Some(1.0);
        prop_assert_eq!(mean(&plane(&bytes, width), &plane(&bytes, width), Map::Ssim), one);
        prop_assert_eq!(mean(&plane(&bytes, width), &plane(&bytes, width), Map::ContrastStructure), one);
    }

    #[test]
    fn wide_images_are_their_strips(bytes in vec(any::<u8>(), 300 * 12), other in vec(any::<u8>(), 300 * 12)) {
        let value = mean(&plane(&bytes, 300), &plane(&other, 300), Map::Ssim).unwrap();
        prop_assert!((value - plain(&bytes, &other, 300)).abs() < 1e-6);
    }
}

#[test]
fn the_largest_values_do_not_overflow() {
    for [first, second] in [[0, 255], [255, 255], [0, 0], [255, 0], [128, 127]] {
        let (image, reference) = ([first; 40 * 30], [second; 40 * 30]);
        let value = mean(&plane(&image, 40), &plane(&reference, 40), Map::Ssim).unwrap();
        assert!((value - plain(&image, &reference, 40)).abs() < 1e-9, "{first} {second}: {value}");
    }
}

#[test]
fn every_scale_of_equal_images_is_exactly_one() {
    let image = Image::from_fn(161, 183, |x, y| Rgb { r: (x * y) as u8, g: (x * 7) as u8, b: (y ^ x) as u8 });
    for config in ["", r#"{"channels":"luma"}"#] {
        for name in ["ssim", "ms-ssim"] {
            assert_eq!(measure(name, &image, &image, config).unwrap().value, 1.0);
        }
    }
}

#[test]
fn a_negative_is_zero_at_five_scales() {
    let image = Image::from_fn(170, 170, |x, y| if (x / 3 + y / 3) % 2 == 0 { BLACK } else { WHITE });
    let negative = Image::from_fn(170, 170, |x, y| if (x / 3 + y / 3) % 2 == 0 { WHITE } else { BLACK });
    assert!(measure("ssim", &image, &negative, "").unwrap().value < -0.5);
    assert_eq!(measure("ms-ssim", &image, &negative, "").unwrap().value, 0.0);
}

#[test]
fn channels_are_details() {
    let image = Image::from_fn(20, 20, |x, y| Rgb { r: (x * 12) as u8, g: (y * 9) as u8, b: 40 });
    let reference = Image::from_fn(20, 20, |x, y| Rgb { r: (x * 12) as u8, g: (x * y) as u8, b: 41 });
    let score = measure("ssim", &image, &reference, "").unwrap();
    let details: Vec<_> = score.details.iter().map(|detail| (detail.name.as_str(), detail.value)).collect();
    assert_eq!(details.iter().map(|detail| detail.0).collect::<Vec<_>>(), ["red", "green", "blue"]);
    assert_eq!(details[0].1, 1.0);
    assert!((details.iter().map(|detail| detail.1).sum::<f64>() / 3.0 - score.value).abs() < 1e-15);
    assert_eq!(measure("ssim", &image, &reference, r#"{"channels":"luma"}"#).unwrap().details, []);
}

#[test]
fn sizes_that_have_no_answer_are_refused_by_name() {
    let of = |width, height| Image::from_fn(width, height, |_, _| BLACK);
    let refused = |name: &str, image: Image, reference: Image| match measure(name, &image, &reference, "") {
        Err(Error::UnsupportedInput(message)) => message,
        other => panic!("{name} of {image:?} and {reference:?}: {other:?}"),
    };
    let message = refused("ssim", of(30, 20), of(20, 30));
    assert!(message.contains("30x20") && message.contains("20x30"), "{message}");
    for (name, image, wanted) in
        [("ssim", of(1, 1), "11x11"), ("ssim", of(11, 10), "11x11"), ("ms-ssim", of(160, 400), "161x161")]
    {
        let message = refused(name, Image::from_rgb8(image.width(), image.height(), image.rgb8()), image);
        assert!(message.contains(wanted), "{message}");
    }
    assert!(measure("ssim", &of(11, 11), &of(11, 11), "").is_ok());
    assert!(measure("ms-ssim", &of(161, 161), &of(161, 161), "").is_ok());
}

#[test]
fn unknown_channels_are_refused() {
    let image = Image::from_fn(11, 11, |_, _| BLACK);
    assert!(matches!(measure("ssim", &image, &image, r#"{"channels":"lab"}"#), Err(Error::InvalidConfig(_))));
}
