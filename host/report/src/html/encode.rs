//! An image file to what stands in a data URL.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_metrics::decode::{self, Limits};
use difftest_metrics::encode::png;
use difftest_metrics::resize::{Filter, resize};
use difftest_metrics::visual::Pair;
use difftest_metrics::visual::picture::heat_map;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

/// Longest side of a thumbnail.
pub(super) const THUMBNAIL: u32 = 192;
/// Longest side of a larger picture: what a screen shows.
const PICTURE: u32 = 2048;
const THUMBNAIL_QUALITY: u8 = 80;
const PICTURE_QUALITY: u8 = 90;

/// A picture as it stands in the page.
pub(super) struct Encoded {
    pub(super) media_type: &'static str,
    pub(super) base64: String,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether these are the pixels of the file.
    pub(super) exact: bool,
}

/// How a file becomes a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Small.
    Thumbnail,
    /// As large as it is, with losses where the file has more than so many bytes.
    Picture {
        /// Files up to this go in as they are.
        as_it_is: u64,
    },
    /// The file as it is.
    File,
}

/// Reads and encodes a file whose pixels have this digest.
///
/// # Errors
/// Why it cannot be shown, for people.
pub(super) fn encode(path: &Path, digest: Option<Digest>, form: Form) -> Result<Encoded, String> {
    let (bytes, image) = open(path, digest)?;
    let (side, quality, as_it_is) = match form {
        Form::Thumbnail => (THUMBNAIL, THUMBNAIL_QUALITY, THUMBNAIL_AS_IT_IS),
        Form::Picture { as_it_is } => (PICTURE, PICTURE_QUALITY, as_it_is),
        Form::File => (u32::MAX, PICTURE_QUALITY, u64::MAX),
    };
    if image.width().max(image.height()) <= side && bytes.len() as u64 <= as_it_is {
        return Ok(encoded(media_type(&bytes), &bytes, &image, true));
    }
    jpeg(&image, side, quality)
}

/// How much an image differs from its baseline, drawn now. Exact up to so many bytes.
///
/// # Errors
/// Why it cannot be shown, for people.
pub(super) fn heat(
    (image, digest): &(PathBuf, Digest),
    (before, digest_before): &(PathBuf, Digest),
    as_it_is: u64,
) -> Result<Encoded, String> {
    let ((_, image), (_, before)) = (open(image, Some(*digest))?, open(before, Some(*digest_before))?);
    let pair = Pair::new(&image, &before, &[]).map_err(|error| error.to_string())?;
    let picture = heat_map(&pair);
    let bytes = png(&picture).map_err(|error| error.to_string())?;
    if picture.width().max(picture.height()) <= PICTURE && bytes.len() as u64 <= as_it_is {
        return Ok(encoded("image/png", &bytes, &picture, true));
    }
    jpeg(&picture, PICTURE, PICTURE_QUALITY)
}

fn open(path: &Path, digest: Option<Digest>) -> Result<(Vec<u8>, Image), String> {
    let limits = Limits::default();
    let bytes = read(path, limits.file_bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "the file is not there any more".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    })?;
    let image = decode::decode(&bytes, &limits).map_err(|error| error.to_string())?;
    if digest.is_some_and(|digest| digest != image.digest()) {
        return Err("the file was changed: it has other pixels than in this run".to_owned());
    }
    Ok((bytes, image))
}

fn jpeg(image: &Image, side: u32, quality: u8) -> Result<Encoded, String> {
    let image = shrunk(image, side).map_err(|error| error.to_string())?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality)
        .encode(image.rgb8(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|error| format!("it cannot be encoded: {error}"))?;
    Ok(encoded("image/jpeg", &jpeg, &image, false))
}

/// Thumbnails up to this many bytes go in as they are, without losses: about what a JPEG of that size has.
const THUMBNAIL_AS_IT_IS: u64 = 16 << 10;

fn encoded(media_type: &'static str, bytes: &[u8], image: &Image, exact: bool) -> Encoded {
    Encoded { media_type, base64: STANDARD.encode(bytes), width: image.width(), height: image.height(), exact }
}

fn read(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // what has more is refused by the decoder, or ends in the middle
    decode::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// At most `side` on its longer side.
fn shrunk(image: &Image, side: u32) -> Result<Image, difftest_core::image::WrongLength> {
    let longest = image.width().max(image.height());
    if longest <= side {
        return Ok(image.clone());
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longest)).max(1) as u32;
    resize(image, scaled(image.width()), scaled(image.height()), Filter::Bilinear)
}

/// Of bytes that could be decoded.
fn media_type(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        _ => "image/jpeg",
    }
}
