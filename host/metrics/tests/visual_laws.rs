//! What must hold for every image and baseline.
#![allow(clippy::unwrap_used, reason = "tests")]

use difftest_core::image::Image;
use difftest_core::visual::{Region, Tier, TierResult};
use difftest_metrics::visual::{Pair, PixelOptions, Tiles, VisualError, picture, pixel, ssim};
use proptest::collection::vec;
use proptest::prelude::*;

const TIERS: [Tier; 4] = [Tier::Bit, Tier::Pixel, Tier::Ssim, Tier::Phash];

fn pair(image: &Image, baseline: &Image, ignored: &[Region]) -> Pair {
    Pair::new(image, baseline, ignored).unwrap()
}

/// What every tier says, to the last bit.
fn values(pair: &Pair) -> Vec<Result<Option<u64>, VisualError>> {
    let value = |tier| pair.value(tier, &PixelOptions::default()).map(|value| value.map(f64::to_bits));
    TIERS.map(value).to_vec()
}

/// Two images of one size: of any bytes, of few levels, or nearly equal.
fn images(sides: std::ops::Range<u32>) -> impl Strategy<Value = (Image, Image)> {
    let value = prop_oneof![any::<u8>().boxed(), (0..3_u8).boxed(), prop_oneof![Just(0), Just(255)].boxed()];
    let bytes = (sides.clone(), sides, Just(value)).prop_flat_map(|(width, height, value)| {
        let length = (width * height * 3) as usize;
        (Just((width, height)), vec(value.clone(), length), vec(value, length), any::<bool>())
    });
    bytes.prop_map(|((width, height), image, mut baseline, near)| {
        if near {
            baseline.iter_mut().zip(&image).for_each(|(b, a)| *b = a.saturating_add(*b % 2));
        }
        (Image::new(width, height, image).unwrap(), Image::new(width, height, baseline).unwrap())
    })
}

/// A region that touches an image of at least 1x1.
fn region() -> impl Strategy<Value = Region> {
    (0..12_u32, 0..12_u32, 1..9_u32, 1..9_u32).prop_map(|(x, y, width, height)| Region { x, y, width, height })
}

/// The image with what lies in the regions replaced.
fn scribbled(image: &Image, regions: &[Region], with: &[u8]) -> Image {
    let width = image.width();
    let inside = |at: usize| {
        let (x, y) = (at as u32 / 3 % width, at as u32 / 3 / width);
        regions.iter().any(|r| (r.x..r.x + r.width).contains(&x) && (r.y..r.y + r.height).contains(&y))
    };
    let bytes = image.rgb8().iter().enumerate();
    let bytes: Vec<u8> = bytes.map(|(at, byte)| if inside(at) { with[at % with.len()] } else { *byte }).collect();
    Image::new(width, image.height(), bytes).unwrap()
}

proptest! {
    #[test]
    fn they_may_change_places((a, b) in images(1..24)) {
        prop_assert_eq!(values(&pair(&a, &b, &[])), values(&pair(&b, &a, &[])));
        let (ours, theirs) = (pair(&a, &b, &[]), pair(&b, &a, &[]));
        let options = PixelOptions::default();
        prop_assert_eq!(pixel::compare(&ours, &options), pixel::compare(&theirs, &options));
        prop_assert_eq!(picture::heat_map(&ours), picture::heat_map(&theirs));
        prop_assert_eq!(picture::diff_image(&ours, &options), picture::diff_image(&theirs, &options));
    }

    #[test]
    fn equal_images_are_equal_in_every_tier((a, _) in images(11..24)) {
        // other bytes in memory, the same in value
        let copy = Image::new(a.width(), a.height(), a.rgb8().to_vec()).unwrap();
        let wanted = [0.0, 0.0, 1.0, 0.0].map(|value: f64| Ok(Some(value.to_bits())));
        prop_assert_eq!(values(&pair(&a, &copy, &[])), wanted.to_vec());
        prop_assert!(picture::heat_map(&pair(&a, &copy, &[])).rgb8().iter().all(|&byte| byte == 0));
    }

    #[test]
    fn what_is_ignored_cannot_change_anything(
        (a, b) in images(12..40), regions in vec(region(), 1..4), with in vec(any::<u8>(), 1..50), other in vec(any::<u8>(), 1..50)
    ) {
        let Ok(plain) = Pair::new(&a, &b, &regions) else { return Ok(()) };
        let changed = pair(&scribbled(&a, &regions, &with), &scribbled(&b, &regions, &other), &regions);
        prop_assert_eq!(values(&plain), values(&changed));
        prop_assert_eq!(picture::heat_map(&plain), picture::heat_map(&changed));
        let options = PixelOptions::default();
        prop_assert_eq!(picture::diff_image(&plain, &options), picture::diff_image(&changed, &options));
    }

    #[test]
    fn differences_are_all_somewhere((a, b) in images(1..40), side in 1..50_u32, count_antialiased: bool, threshold in 0.0..0.5) {
        let (pair, options) = (pair(&a, &b, &[]), PixelOptions { threshold, count_antialiased });
        let (found, tiles) = (pixel::compare(&pair, &options), Tiles::new(&pair, &options, side));
        prop_assert_eq!(tiles.tiles.iter().map(|tile| tile.differing).sum::<u64>(), found.differing);
        let area: u64 = tiles.tiles.iter().map(|tile| u64::from(tile.width * tile.height)).sum();
        prop_assert_eq!(area, found.compared);
        prop_assert_eq!(tiles.worst().is_some(), found.differing > 0);
        let marked = |colour| {
            let picture = picture::diff_image(&pair, &options);
            picture.rgb8().as_chunks().0.iter().filter(|pixel| **pixel == colour).count() as u64
        };
        prop_assert_eq!(marked(picture::DIFFERENT), found.differing);
        prop_assert_eq!(marked(picture::ANTIALIASED), found.antialiased);
        prop_assert!(found.differing + found.antialiased <= pair.differing());
        prop_assert!(found.mean_magnitude <= found.largest_magnitude && found.largest_magnitude <= 1.0);
        prop_assert!(found.differing == 0 || found.mean_magnitude > threshold);
    }

    #[test]
    fn a_higher_threshold_finds_no_more((a, b) in images(1..30), low in 0.0..0.5, more in 0.0..0.5) {
        let of = |threshold| pixel::compare(&pair(&a, &b, &[]), &PixelOptions { threshold, count_antialiased: true }).differing;
        prop_assert!(of(low) >= of(low + more));
        prop_assert_eq!(of(0.0), pair(&a, &b, &[]).differing());
    }

    #[test]
    fn the_mean_is_over_the_windows_that_are_left((a, b) in images(12..40), regions in vec(region(), 1..3)) {
        let Ok(pair) = Pair::new(&a, &b, &regions) else { return Ok(()) };
        let map = ssim::map(&pair).unwrap();
        let touched = pair.mask().unwrap().squares(ssim::TAPS);
        let left: Vec<f64> =
            map.values.iter().zip(&touched).filter(|(_, touched)| !**touched).map(|(index, _)| *index).collect();
        match ssim::mean(&pair) {
            Ok(mean) => prop_assert!((mean - left.iter().sum::<f64>() / left.len() as f64).abs() < 1e-12),
            Err(_) => prop_assert!(left.is_empty()),
        }
    }
}

/// Wide enough for several strips.
#[test]
fn a_wide_map_has_every_window() {
    let bytes = |factor: u32| (0..300 * 13 * 3).map(|at| (at * factor % 251) as u8).collect::<Vec<_>>();
    let (a, b) = (Image::new(300, 13, bytes(7)).unwrap(), Image::new(300, 13, bytes(11)).unwrap());
    let pair = pair(&a, &b, &[]);
    let (map, mean) = (ssim::map(&pair).unwrap(), ssim::mean(&pair).unwrap());
    assert_eq!((map.width, map.height), (290, 3));
    assert!((map.values.iter().sum::<f64>() / 870.0 - mean).abs() < 1e-12);
}

#[test]
fn one_pixel_is_compared() {
    let [black, white] = [0, 255].map(|value| Image::new(1, 1, vec![value; 3]).unwrap());
    let pair = pair(&white, &black, &[]);
    let value = |tier| pair.value(tier, &PixelOptions::default());
    assert_eq!((value(Tier::Bit), value(Tier::Pixel)), (Ok(Some(1.0)), Ok(Some(1.0))));
    assert_eq!(value(Tier::Ssim), Err(VisualError::NoWindow { width: 1, height: 1 }));
    assert_eq!((value(Tier::Phash), value(Tier::Semantic)), (Ok(Some(1.0)), Ok(None)));
    assert_eq!(picture::diff_image(&pair, &PixelOptions::default()).rgb8(), picture::DIFFERENT);
    assert_eq!(picture::heat_map(&pair).rgb8(), [255; 3]);
}

#[test]
fn ignoring_everything_is_an_error() {
    let image = Image::new(20, 20, vec![0; 1200]).unwrap();
    let all = Region { x: 0, y: 0, width: 20, height: 20 };
    assert_eq!(Pair::new(&image, &image, &[all]).unwrap_err(), VisualError::NothingLeft { width: 20, height: 20 });
    // pixels are left, but no whole window
    let cross = [Region { x: 9, y: 0, width: 1, height: 20 }, Region { x: 0, y: 10, width: 20, height: 1 }];
    let pair = pair(&image, &image, &cross);
    assert_eq!(pair.compared(), 19 * 19);
    assert_eq!(ssim::mean(&pair), Err(VisualError::NoWindow { width: 20, height: 20 }));
}

#[test]
fn limits_hold_on_the_right_side() {
    let holds = |tier, value, limit| TierResult::new(tier, value, limit).holds;
    assert!(holds(Tier::Ssim, 0.95, 0.95) && !holds(Tier::Ssim, 0.94, 0.95));
    assert!(holds(Tier::Phash, 8.0, 8.0) && !holds(Tier::Phash, 9.0, 8.0));
    assert!(!holds(Tier::Ssim, f64::NAN, 0.5) && !holds(Tier::Pixel, f64::NAN, 0.5));
}
