//! The image a metric looks at, and sets of them ([`ImageSet`]).
//!
//! On WebAssembly both are handles: pixels stay in the host until they are asked for (`host`). Elsewhere an image is a block
//! of memory, for tests ([`memory`]). Both give the same bytes.

#[cfg(target_family = "wasm")]
mod host;
#[cfg(not(target_family = "wasm"))]
mod memory;
mod set;

#[cfg(target_family = "wasm")]
use host::{SetSource, Source};
#[cfg(not(target_family = "wasm"))]
use memory::{SetSource, Source};

#[cfg(target_family = "wasm")]
use ref_cast::RefCast;

pub use set::{ImageSet, Images};

use crate::Rgb;

/// 8-bit sRGB, row-major, three interleaved channels, no alpha; immutable.
///
/// Nothing is cached: each call that returns pixels copies them out of the host once. Ask once and keep the answer.
#[cfg_attr(target_family = "wasm", derive(RefCast))]
#[repr(transparent)]
pub struct Image(Source);

impl Image {
    /// Width and height in pixels; both at least 1.
    #[must_use]
    pub fn size(&self) -> Size {
        self.0.size()
    }

    /// Pixels per row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.size().width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.size().height
    }

    /// All `width * height * 3` bytes: red, green and blue of each pixel in turn.
    #[must_use]
    pub fn rgb8(&self) -> Vec<u8> {
        self.0.rgb8()
    }

    /// The `width * height` BT.601 luma bytes, bit for bit as Pillow's `convert("L")`.
    #[must_use]
    pub fn luma8(&self) -> Vec<u8> {
        self.0.luma8()
    }

    /// The bytes of at most `count` rows from row `first` on, as [`Image::rgb8`] gives them. Rows that do not exist are left out.
    #[must_use]
    pub fn rows(&self, first: u32, count: u32) -> Vec<u8> {
        self.0.rows(first, count)
    }

    /// All pixels, row by row.
    pub fn pixels(&self) -> impl ExactSizeIterator<Item = Rgb> + use<> {
        Pixels { bytes: self.rgb8().into_iter() }
    }

    /// Another size of it, bit for bit as Pillow's `resize` with the same filter: columns first, then rows,
    /// 8 bits between the two. (Pillow 13 swaps the two for some sizes; this contract does not.)
    ///
    /// # Panics
    /// When a side is 0, or the host's limits are too small for the answer; in the host that ends the call.
    #[must_use]
    pub fn resize(&self, width: u32, height: u32, filter: Filter) -> Self {
        Self(self.0.resize(Size { width, height }, filter))
    }

    /// SHA-256 of width, height (both little-endian u32) and pixels, in hexadecimal: equal for equal pixels.
    #[must_use]
    pub fn digest(&self) -> String {
        self.0.digest()
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Size { width, height } = self.size();
        write!(f, "Image({width}x{height})")
    }
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// How [`Image::resize`] mixes pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// A triangle, widened when shrinking.
    Bilinear,
    /// A windowed sinc of three lobes, widened when shrinking.
    Lanczos3,
}

/// The iterator behind [`Image::pixels`].
struct Pixels {
    bytes: std::vec::IntoIter<u8>,
}

impl Iterator for Pixels {
    type Item = Rgb;

    fn next(&mut self) -> Option<Rgb> {
        Some(Rgb { r: self.bytes.next()?, g: self.bytes.next()?, b: self.bytes.next()? })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.bytes.len() / 3;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Pixels {}
