//! What must hold for every image: the fast loops equal the formula written plainly, and scores stay in their range.

use image_stats::{brightness_of, colorfulness_of, contrast_of, entropy_of, sharpness_of};
use proptest::collection::vec;
use proptest::prelude::*;

/// Variance of the Laplacian as the definition says, mean included.
fn plain_sharpness(luma: &[u8], width: usize) -> f64 {
    let height = luma.len() / width;
    let at = |x: usize, y: usize| f64::from(luma[y * width + x]) / 255.0;
    let mut responses = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let horizontal = at(x.saturating_sub(1), y) + at((x + 1).min(width - 1), y);
            let vertical = at(x, y.saturating_sub(1)) + at(x, (y + 1).min(height - 1));
            responses.push(horizontal + vertical - 4.0 * at(x, y));
        }
    }
    let mean = responses.iter().sum::<f64>() / responses.len() as f64;
    responses.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / responses.len() as f64
}

fn plane() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let value = prop_oneof![3 => any::<u8>(), 1 => Just(0), 1 => Just(255)];
    (1..70_usize, 1..20_usize).prop_flat_map(move |(w, h)| (Just(w), vec(value.clone(), w * h)))
}

proptest! {
    #[test]
    fn the_laplacian_has_mean_zero((width, luma) in plane()) {
        prop_assert!((sharpness_of(&luma, width) - plain_sharpness(&luma, width)).abs() < 1e-12);
    }

    #[test]
    fn scores_stay_in_range((width, luma) in plane()) {
        prop_assert!((0.0..=1.0).contains(&brightness_of(&luma)));
        prop_assert!((0.0..=0.5).contains(&contrast_of(&luma)));
        prop_assert!((0.0..=16.0).contains(&sharpness_of(&luma, width)));
        prop_assert!((0.0..=298.0).contains(&colorfulness_of(&luma)));
        prop_assert!((0.0..=8.0).contains(&entropy_of(&luma)));
    }

    #[test]
    fn two_valued_images_stay_in_range(bits in vec(prop_oneof![Just(0_u8), Just(255)], 3..600)) {
        prop_assert!((0.0..=0.5).contains(&contrast_of(&bits)));
        prop_assert!((0.0..=298.0).contains(&colorfulness_of(&bits)));
    }
}

#[test]
fn ends_of_the_ranges() {
    let board: Vec<u8> = (0..64 * 64).map(|i| if (i + i / 64) % 2 == 0 { 0 } else { 255 }).collect();
    let ramp: Vec<u8> = (0..=255).collect();
    assert_eq!(brightness_of(&[0; 9]), 0.0);
    assert_eq!(brightness_of(&[255; 9]), 1.0);
    assert_eq!(contrast_of(&board), 0.5);
    assert!(sharpness_of(&board, 64) > 15.0);
    assert_eq!(entropy_of(&ramp), 8.0);
    assert_eq!(entropy_of(&[7; 9]).to_bits(), 0.0_f64.to_bits());
}

#[test]
fn flat_images_score_zero() {
    for value in 0..=255 {
        let flat = [value; 3 * 5 * 7];
        assert_eq!((contrast_of(&flat), sharpness_of(&flat, 15), colorfulness_of(&flat)), (0.0, 0.0, 0.0));
    }
}

#[test]
fn sums_do_not_overflow_across_blocks() {
    // the largest response on every pixel, over several blocks of every loop
    let width = 9_001;
    let stripes: Vec<u8> = (0..width * 5).map(|i| if (i % width + i / width) % 2 == 0 { 0 } else { 255 }).collect();
    assert!((sharpness_of(&stripes, width) - plain_sharpness(&stripes, width)).abs() < 1e-9);
    let white = vec![255_u8; 1 << 20];
    assert_eq!((brightness_of(&white), contrast_of(&white)), (1.0, 0.0));
    let blue: Vec<u8> = [0, 0, 255].repeat(100_000);
    assert_eq!(colorfulness_of(&blue), 0.3 * 255.0);
}
