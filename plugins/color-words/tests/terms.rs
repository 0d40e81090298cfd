//! Words and regions.
#![allow(clippy::unwrap_used, reason = "tests")]

use color_words::opening::open;
use color_words::share::shares;
use color_words::terms::{TERMS, named_in};
use difftest_sdk::Rgb;
use proptest::prelude::*;

fn names(prompt: &str) -> Vec<&'static str> {
    named_in(prompt).into_iter().map(|term| term.name).collect()
}

#[test]
fn words_end_at_word_boundaries_and_case_does_not_matter() {
    assert_eq!(names("A RED circle on a blue background"), ["red", "blue"]);
    assert_eq!(names("red-haired, grey-eyed; Gray! grey_"), ["red", "gray"]);
    assert_eq!(names("tired reddish greenhouse blackboard redshift blue2"), [""; 0]);
    assert_eq!(names(""), [""; 0]);
    assert_eq!(names("ein Bild, 猫, ÉCRU, navy teal crimson violet"), ["blue", "cyan", "red", "purple"]);
}

#[test]
fn no_word_means_two_colours() {
    let mut words: Vec<_> = TERMS.iter().flat_map(|term| term.words).collect();
    words.sort_unstable();
    let count = words.len();
    words.dedup();
    assert_eq!(words.len(), count);
}

/// The CSS value of every word (scarlet: the xkcd survey's neighbour of it) lies in the region of its term.
#[test]
fn every_word_names_its_own_colour() {
    let css = [
        ("black", 0x000000),
        ("white", 0xffffff),
        ("gray", 0x808080),
        ("grey", 0x808080),
        ("red", 0xff0000),
        ("crimson", 0xdc143c),
        ("scarlet", 0xff2400),
        ("maroon", 0x800000),
        ("orange", 0xffa500),
        ("yellow", 0xffff00),
        ("green", 0x008000),
        ("lime", 0x00ff00),
        ("cyan", 0x00ffff),
        ("aqua", 0x00ffff),
        ("turquoise", 0x40e0d0),
        ("teal", 0x008080),
        ("blue", 0x0000ff),
        ("navy", 0x000080),
        ("purple", 0x800080),
        ("violet", 0xee82ee),
        ("indigo", 0x4b0082),
        ("pink", 0xffc0cb),
        ("magenta", 0xff00ff),
        ("fuchsia", 0xff00ff),
        ("brown", 0xa52a2a),
    ];
    let words: usize = TERMS.iter().map(|term| term.words.len()).sum();
    assert_eq!(words, css.len());
    for (word, hex) in css {
        let [_, red, green, blue] = u32::to_be_bytes(hex);
        let membership = named_in(word)[0].membership(Rgb::new(red, green, blue).to_lab());
        assert!(membership >= 0.5, "{word}: {membership}");
    }
}

/// The ten colours of a palette that leaves no doubt, each by its own name alone.
#[test]
fn plain_colours_have_one_name() {
    for (name, rgb) in [
        ("red", [220, 30, 30]),
        ("green", [30, 160, 50]),
        ("blue", [40, 80, 220]),
        ("yellow", [250, 220, 40]),
        ("orange", [255, 140, 0]),
        ("white", [245, 245, 245]),
        ("black", [15, 15, 15]),
        ("gray", [128, 128, 128]),
        ("cyan", [0, 210, 220]),
        ("brown", [110, 70, 30]),
        ("pink", [255, 150, 190]),
        ("purple", [140, 60, 180]),
    ] {
        for term in &TERMS {
            let membership = term.membership(Rgb::from(rgb).to_lab());
            if term.name == name {
                assert_eq!(membership, 1.0, "{name}")
            } else {
                assert!(membership < 0.5, "{name} as {}", term.name)
            }
        }
    }
}

#[test]
fn seams_do_not_count_and_areas_do() {
    let mut plane = vec![0_u8; 9 * 8];
    for y in 0..8 {
        plane[y * 9] = 9; // at the edge, one pixel wide
        plane[y * 9 + 3] = 200; // two pixels wide
        plane[y * 9 + 4] = 200;
    }
    let mut wanted = vec![0_u8; 9 * 8];
    for y in 0..3 {
        plane[y * 9 + 6..y * 9 + 9].fill(100);
        wanted[y * 9 + 6..y * 9 + 9].fill(100);
    }
    // the edge column has only the image on one side, and on that side a zero
    assert_eq!(open(&plane, 9), wanted);
}

#[test]
fn tiny_images_have_shares() {
    let terms: Vec<_> = TERMS.iter().collect();
    for (width, rgb) in [(1, vec![255, 0, 0]), (5, [255, 0, 0].repeat(5)), (1, [255, 0, 0].repeat(5))] {
        let found = shares(&rgb, width, &terms);
        assert_eq!(found[3], 1.0, "{width}");
        assert!(found.iter().all(|share| (0.0..=1.0).contains(share)));
    }
}

proptest! {
    /// Opening as its definition says: the maximum over a 3x3 window of the minima over 3x3 windows.
    #[test]
    fn opening_equals_its_definition(width in 1..9_usize, height in 1..9_usize, seed in proptest::collection::vec(any::<u8>(), 64)) {
        let plane: Vec<u8> = seed.into_iter().cycle().take(width * height).collect();
        let window = |plane: &[u8], pick: fn(u8, u8) -> u8| -> Vec<u8> {
            (0..plane.len()).map(|i| {
                let (x, y) = (i % width, i / width);
                let columns = x.saturating_sub(1)..=(x + 1).min(width - 1);
                columns.flat_map(|x| (y.saturating_sub(1)..=(y + 1).min(height - 1)).map(move |y| (x, y)))
                    .map(|(x, y)| plane[y * width + x]).reduce(pick).unwrap()
            }).collect()
        };
        prop_assert_eq!(open(&plane, width), window(&window(&plane, u8::min), u8::max));
    }

    #[test]
    fn shares_are_shares(rgb in proptest::collection::vec(any::<u8>(), 3 * 30)) {
        let terms: Vec<_> = TERMS.iter().collect();
        prop_assert!(shares(&rgb, 6, &terms).into_iter().all(|share| (0.0..=1.0).contains(&share)));
    }
}
