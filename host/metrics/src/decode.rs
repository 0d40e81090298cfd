//! Image files to pixels, within limits: a file is refused before it can fill the memory.
//!
//! PNG, JPEG and WebP, told apart by their first bytes, not by their name. Alpha is dropped, 16-bit samples keep their high
//! byte, grey is tripled, and neither orientation tags nor colour profiles are applied: what `PIL.Image.open(f).convert("RGB")`
//! does, which is what the Python metrics see. (JPEG decoders differ by a level or so among each other; PNG and lossless WebP
//! are exact.)

use std::fs::File;
use std::io::{self, Cursor, Read as _};
use std::path::Path;
use std::sync::Arc;

use difftest_core::image::Image;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader};

/// What a file may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Longest side, in pixels.
    pub side: u32,
    /// Width times height.
    pub pixels: u64,
}

impl Default for Limits {
    /// 256 MiB files, sides up to 16384, 64 megapixels in all.
    fn default() -> Self {
        Self { file_bytes: 256 << 20, side: 16_384, pixels: 64 << 20 }
    }
}

/// Why a file gives no image.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It cannot be read.
    #[error("cannot read the file: {0}")]
    Io(#[from] std::io::Error),
    /// More bytes than [`Limits::file_bytes`].
    #[error("the file is larger than {limit} bytes")]
    FileTooLarge {
        /// The limit.
        limit: u64,
    },
    /// Not one of the formats.
    #[error("not a PNG, JPEG or WebP image")]
    UnknownFormat,
    /// The header asks for more pixels than allowed: a mistake or a decompression bomb.
    #[error("the image is {width}x{height}, more than {pixels} pixels or a side over {side}")]
    TooLarge {
        /// As the header says.
        width: u32,
        /// As the header says.
        height: u32,
        /// [`Limits::pixels`].
        pixels: u64,
        /// [`Limits::side`].
        side: u32,
    },
    /// The data ends early.
    #[error("the image is cut off: its data ends early")]
    CutOff,
    /// The data makes no sense.
    #[error("the image is damaged: {0}")]
    Damaged(String),
}

/// Opens a file, or a link to one. A pipe would block whoever opens it and a device may never end, so everything else is refused before
/// it is opened.
///
/// # Errors
/// The system's answer, or that it is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let found = std::fs::metadata(path)?.file_type();
    if found.is_file() {
        return File::open(path);
    }
    let what = if found.is_dir() { "a folder" } else { "a pipe or a device" };
    Err(io::Error::other(format!("it is {what}, not a regular file")))
}

/// A [`DecodeError`] with the file it is about.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FileError {
    /// The file.
    pub path: std::path::PathBuf,
    /// Why.
    pub source: DecodeError,
}

/// Reads an image file.
///
/// # Errors
/// [`FileError`] names the file and the reason.
pub fn read(path: &Path, limits: &Limits) -> Result<Image, FileError> {
    let decoded = bytes(path, limits).and_then(|bytes| decode(&bytes, limits));
    decoded.map_err(|source| FileError { path: path.to_owned(), source })
}

/// Reads two image files that are to be compared; files of equal bytes are decoded once, and then the images share their pixels.
///
/// # Errors
/// [`FileError`] names the file and the reason, the first of two.
pub fn read_pair(paths: [&Path; 2], limits: &Limits) -> Result<[Image; 2], FileError> {
    let named = |path: &Path| {
        let path = path.to_owned();
        move |source| FileError { path, source }
    };
    let first = bytes(paths[0], limits).map_err(named(paths[0]))?;
    let second = bytes(paths[1], limits).map_err(named(paths[1]))?;
    let image = decode(&first, limits).map_err(named(paths[0]))?;
    let other = if first == second { image.clone() } else { decode(&second, limits).map_err(named(paths[1]))? };
    Ok([image, other])
}

/// The bytes of an image file.
///
/// # Errors
/// [`DecodeError::Io`], also for what is no regular file; [`DecodeError::FileTooLarge`].
pub fn bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    // one more than allowed: growing files and devices have no length to ask for
    file.take(limits.file_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limits.file_bytes {
        return Err(DecodeError::FileTooLarge { limit: limits.file_bytes });
    }
    Ok(bytes)
}

/// Decodes the bytes of an image file.
///
/// # Errors
/// [`DecodeError`]; never a panic and never more memory than the limits imply.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let format = reader.format().ok_or(DecodeError::UnknownFormat)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) {
        return Err(DecodeError::UnknownFormat);
    }
    let mut allowed = image::Limits::default();
    // 16 bits of four channels, and as much again for the decoder's own rows
    allowed.max_alloc = Some(limits.pixels.saturating_mul(16));
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > limits.side || u64::from(width) * u64::from(height) > limits.pixels {
        return Err(DecodeError::TooLarge { width, height, pixels: limits.pixels, side: limits.side });
    }
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err(DecodeError::CutOff);
    }
    let pixels = if decoder.color_type() == ColorType::Rgb8 {
        rgb8_in_place(decoder)?
    } else {
        rgb8(DynamicImage::from_decoder(decoder).map_err(damaged)?).into()
    };
    Image::new(width, height, pixels).map_err(|error| DecodeError::Damaged(error.to_string()))
}

/// What most files hold already, decoded to where it stays: no second buffer, and no copy from one to the other.
fn rgb8_in_place(decoder: impl ImageDecoder) -> Result<Arc<[u8]>, DecodeError> {
    let length = usize::try_from(decoder.total_bytes()).map_err(|error| DecodeError::Damaged(error.to_string()))?;
    let mut pixels: Arc<[u8]> = std::iter::repeat_n(0, length).collect();
    // nobody else has it yet: this never copies
    decoder.read_image(Arc::make_mut(&mut pixels)).map_err(damaged)?;
    Ok(pixels)
}

fn damaged(error: image::ImageError) -> DecodeError {
    match error {
        image::ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => DecodeError::CutOff,
        other => DecodeError::Damaged(other.to_string()),
    }
}

fn rgb8(image: DynamicImage) -> Vec<u8> {
    let high = |samples: &[u16]| samples.iter().map(|s| (s >> 8) as u8).collect::<Vec<_>>();
    let grey = |samples: &[u8], step: usize| samples.iter().step_by(step).flat_map(|&g| [g; 3]).collect();
    let drop_alpha = |samples: &[u8]| samples.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    match image {
        DynamicImage::ImageLuma8(image) => grey(&image, 1),
        DynamicImage::ImageLumaA8(image) => grey(&image, 2),
        DynamicImage::ImageRgba8(image) => drop_alpha(&image),
        DynamicImage::ImageLuma16(image) => grey(&high(&image), 1),
        DynamicImage::ImageLumaA16(image) => grey(&high(&image), 2),
        DynamicImage::ImageRgb16(image) => high(&image),
        DynamicImage::ImageRgba16(image) => drop_alpha(&high(&image)),
        other => other.into_rgb8().into_raw(),
    }
}

/// Whether the scan data of a JPEG ends with its end marker. Decoders paint the missing part of a cut-off file grey and
/// call it a success; here it must not become a score.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    // skip the segments before the first scan by their lengths: thumbnails inside them have markers of their own
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == 0xda {
            return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
        }
        at += if marker == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    false
}
