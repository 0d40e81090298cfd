//! An image beside its baseline: how much they differ, by measures from strict to lenient, and pictures of where.
//!
//! ```text
//! image, baseline, ignored regions -> Pair -> bit | pixel | ssim | phash -> a number each
//!                                          -> diff image, heat map, tiles  -> where it is
//! ```
//!
//! | module | tier | what it gives | equal to |
//! |---|---|---|---|
//! | [`pair`] | `bit` | pixels whose bytes differ | |
//! | [`pixel`] | `pixel` | pixels that differ perceptibly and are not anti-aliasing, and by how much | pixelmatch 7 |
//! | [`ssim`] | `ssim` | structural similarity of the luma: mean and map | scikit-image 0.26, Gaussian form |
//! | [`phash`] | `phash` | bits in which the perceptual hashes differ | ImageHash 4.3.2 |
//! | [`picture`] | | the diff image and the heat map | |
//! | [`tiles`] | | squares of the image, and the one that differs most | |
//!
//! The `semantic` tier needs a model, and is the caller's: it gives [`Pair::image`] and [`Pair::baseline`] to CLIP.
//!
//! # What holds for all of them
//! - Ignored regions are painted one grey in both images before anything is compared, and do not count in any sum: what they hold cannot
//!   change a result. See [`Pair::new`].
//! - Equal images give 0 (`ssim`: 1), exactly. Image and baseline may change places without changing a bit of a result.
//! - Results do not depend on the machine: integers, or `f64` in one fixed order without transcendental functions. Nothing here starts
//!   threads; whoever has many pairs runs them side by side.
//! - What cannot be compared is a [`VisualError`]: two sizes, nothing left to compare. Never a panic, never a made-up number.

pub mod antialias;
pub mod colour;
pub mod pair;
pub mod phash;
pub mod picture;
pub mod pixel;
pub mod region;
pub mod ssim;
pub mod tiles;

pub use pair::Pair;
pub use pixel::{PixelDifference, PixelOptions};
pub use tiles::{Tile, Tiles};

use difftest_core::visual::Region;

/// Why two images are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VisualError {
    /// They are compared pixel by pixel.
    #[error("the image has {}x{} pixels and its baseline {}x{}", image.0, image.1, baseline.0, baseline.1)]
    Sizes {
        /// Width and height of the image.
        image: (u32, u32),
        /// Width and height of the baseline's.
        baseline: (u32, u32),
    },
    /// A region that ignores nothing is a mistake in the suite.
    #[error("the ignored region {region} covers no pixel of an image of {width}x{height}")]
    RegionOutside {
        /// The region.
        region: Region,
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A comparison of nothing proves nothing.
    #[error("the ignored regions cover the whole image of {width}x{height}: nothing is left to compare")]
    NothingLeft {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// SSIM looks at whole windows only.
    #[error("ssim needs a square of {side}x{side} pixels that is not ignored, and an image of {width}x{height} has none here", side = ssim::TAPS)]
    NoWindow {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
}
