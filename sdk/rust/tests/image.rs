//! Images in memory give the bytes that the host gives: those of Pillow 12.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use difftest_sdk::{Filter, Image, Rgb, Size};

/// 7x5 pixels whose bytes are `(i * i * 37 + i * 11) % 256`.
fn pattern() -> Image {
    Image::from_rgb8(7, 5, (0..105u32).map(|i| u8::try_from((i * i * 37 + i * 11) % 256).unwrap()).collect::<Vec<_>>())
}

/// FNV-1a over size and pixels, so that the table below stays readable.
fn hash(image: &Image) -> u64 {
    let size = [image.width(), image.height()].into_iter().flat_map(u32::to_le_bytes);
    size.chain(image.rgb8())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The hashes are of `numpy.asarray(image.resize(size, filter))` for the same pixels, Pillow 12.0.0:
/// the last release whose horizontal pass always comes first. (Pillow 13 picks the order by size, which differs at 64x3.)
#[test]
fn resize_equals_pillow() {
    for (filter, width, height, wanted) in RESIZED {
        let image = pattern().resize(width, height, filter);
        assert_eq!(image.size(), Size { width, height });
        assert_eq!(hash(&image), wanted, "{filter:?} {width}x{height}");
    }
}

const RESIZED: [(Filter, u32, u32, u64); 21] = [
    (Filter::Nearest, 3, 2, 0x6bd7_d8ad_407e_76be),
    (Filter::Nearest, 11, 9, 0x4230_5ede_b6c2_c407),
    (Filter::Nearest, 7, 2, 0xec46_cc58_4a74_4b5a),
    (Filter::Nearest, 2, 5, 0xe338_eb4b_ed91_884a),
    (Filter::Nearest, 7, 5, 0x7ed1_1624_c580_7625),
    (Filter::Nearest, 1, 1, 0x06a8_9c6e_0354_dd19),
    (Filter::Nearest, 64, 3, 0x6e68_f7f3_f98a_93b2),
    (Filter::Bilinear, 3, 2, 0xf211_a6d3_2258_7204),
    (Filter::Bilinear, 11, 9, 0x6f29_c8f6_488e_ea61),
    (Filter::Bilinear, 7, 2, 0x2bf1_c400_f295_ae51),
    (Filter::Bilinear, 2, 5, 0x91de_a4d0_47e4_d4ff),
    (Filter::Bilinear, 7, 5, 0x7ed1_1624_c580_7625),
    (Filter::Bilinear, 1, 1, 0xc7d3_7a6f_0163_8b12),
    (Filter::Bilinear, 64, 3, 0x5904_a7e9_6686_235c),
    (Filter::Lanczos3, 3, 2, 0x78e1_22e8_949b_a2e5),
    (Filter::Lanczos3, 11, 9, 0x288b_e71b_3e25_adb6),
    (Filter::Lanczos3, 7, 2, 0x41e9_7154_9802_8dae),
    (Filter::Lanczos3, 2, 5, 0x999a_15bd_3a61_2fe5),
    (Filter::Lanczos3, 7, 5, 0x7ed1_1624_c580_7625),
    (Filter::Lanczos3, 1, 1, 0x9509_1d6e_e4f4_a5ce),
    (Filter::Lanczos3, 64, 3, 0xa338_d4a5_fe08_d64c),
];

/// `list(image.convert("L").tobytes())` of Pillow.
#[test]
fn luma_equals_pillow() {
    let wanted = [
        48, 130, 110, 168, 200, 130, 215, 197, 107, 141, 73, 159, 144, 205, 91, 176, 37, 24, 164, 126, 139, 152, 141,
        56, 96, 35, 127, 117, 185, 77, 168, 35, 27, 174, 141,
    ];
    assert_eq!(pattern().luma8(), wanted);
}

#[test]
fn rows_are_clamped() {
    let image = pattern();
    let bytes = image.rgb8();
    assert_eq!(image.rows(0, u32::MAX), bytes);
    assert_eq!(image.rows(1, 2), bytes[21..63]);
    assert_eq!(image.rows(4, 9), bytes[84..]);
    assert!(image.rows(5, 1).is_empty() && image.rows(u32::MAX, u32::MAX).is_empty() && image.rows(0, 0).is_empty());
}

#[test]
fn pixels_come_row_by_row() {
    let image = Image::from_fn(3, 2, |x, y| Rgb::new(u8::try_from(x).unwrap(), u8::try_from(y).unwrap(), 9));
    assert_eq!(image.pixels().len(), 6);
    assert_eq!(image.pixels().nth(4), Some(Rgb::new(1, 1, 9)));
    assert_eq!(image.rgb8()[..6], [0, 0, 9, 1, 0, 9]);
}

/// `hashlib.sha256(struct.pack("<II", 7, 5) + pixels)`.
#[test]
fn the_digest_covers_size_and_pixels() {
    assert_eq!(pattern().digest(), "5e2844bbf94d603902300a46aa640f17f4dabd8c0e5a0e81754397f33b66a3e5");
    assert_ne!(Image::from_rgb8(1, 2, [0; 6]).digest(), Image::from_rgb8(2, 1, [0; 6]).digest());
}

#[test]
#[should_panic(expected = "an image of 2x2 has 12 bytes, but 11 were given")]
fn a_wrong_length_is_refused() {
    let _ = Image::from_rgb8(2, 2, [0; 11]);
}

#[test]
#[should_panic(expected = "an image of 0x2 has no pixels")]
fn an_image_has_pixels() {
    let _ = Image::from_rgb8(0, 2, []);
}
