//! The one pixel type that travels between crates.

use std::sync::{Arc, OnceLock};

use crate::digest::{Digest, Hasher};

/// 8-bit sRGB, row-major, three interleaved channels, no alpha. Immutable and cheap to clone.
#[derive(Clone)]
pub struct Image {
    width: u32,
    height: u32,
    pixels: Arc<[u8]>,
    /// Most metrics of an image want its luma: it is computed once for all of them.
    luma: Arc<OnceLock<Arc<[u8]>>>,
    /// The record of the run and every cache want its digest: it is computed once for all of them.
    digest: Arc<OnceLock<Digest>>,
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        (self.width, self.height, &self.pixels) == (other.width, other.height, &other.pixels)
    }
}

impl Eq for Image {}

impl Image {
    /// Wraps `width * height * 3` bytes.
    ///
    /// # Errors
    /// [`WrongLength`] when the number of bytes does not fit the size, or a side is 0.
    pub fn new(width: u32, height: u32, pixels: impl Into<Arc<[u8]>>) -> Result<Self, WrongLength> {
        let pixels = pixels.into();
        let wanted = u64::from(width) * u64::from(height) * 3;
        if wanted == 0 || wanted != pixels.len() as u64 {
            return Err(WrongLength { width, height, bytes: pixels.len() });
        }
        Ok(Self { width, height, pixels, luma: Arc::default(), digest: Arc::default() })
    }

    /// Pixels per row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All `width * height * 3` bytes, interleaved.
    #[must_use]
    pub fn rgb8(&self) -> &[u8] {
        &self.pixels
    }

    /// The same bytes as [`Image::rgb8`], shared: for whoever has to own them without copying them.
    #[must_use]
    pub fn shared(&self) -> Arc<[u8]> {
        self.pixels.clone()
    }

    /// The luma of the pixels as `weigh` computes it, computed once for this image and all its clones. There is one `weigh`, in
    /// the crate of the pixel arithmetic; this is only the place where its answer is kept.
    pub fn luma_by(&self, weigh: impl FnOnce(&Self) -> Vec<u8>) -> Arc<[u8]> {
        self.luma.get_or_init(|| weigh(self).into()).clone()
    }

    /// Says what [`Image::digest`] is, for whoever knows it: the pixels are those of bytes that were decoded and hashed before.
    pub fn is_known_as(&self, digest: Digest) {
        // One that was computed in the meantime is as good.
        let _ = self.digest.set(digest);
    }

    /// SHA-256 of width, height (both little-endian u32) and pixels: equal for equal pixels, whatever file they came from.
    #[must_use]
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| {
            let mut hasher = Hasher::new();
            hasher.update(&self.width.to_le_bytes());
            hasher.update(&self.height.to_le_bytes());
            hasher.update(&self.pixels);
            hasher.finish()
        })
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}x{})", self.width, self.height)
    }
}

/// The bytes do not make an image of that size.
#[derive(Debug, thiserror::Error)]
#[error("{bytes} bytes do not make an image of {width}x{height} with 3 channels")]
pub struct WrongLength {
    width: u32,
    height: u32,
    bytes: usize,
}
