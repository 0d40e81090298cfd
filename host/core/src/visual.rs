//! What a visual regression test says of one image beside its baseline.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::key::Difference;
use crate::metric::Detail;

/// How closely an image is compared, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Every byte of every pixel. Value: how many pixels differ.
    Bit,
    /// The share of pixels that differ by more than a perceptible amount, those of anti-aliased edges left out. Value: that share.
    Pixel,
    /// Structural similarity of the luma, as scikit-image computes it. Value: the mean.
    Ssim,
    /// The perceptual hash, as ImageHash computes it. Value: how many of its bits differ.
    Phash,
    /// What CLIP sees. Value: the cosine distance of the embeddings.
    Semantic,
}

impl Tier {
    /// All of them, the strictest first.
    pub const ALL: [Self; 5] = [Self::Bit, Self::Pixel, Self::Ssim, Self::Phash, Self::Semantic];

    /// As suites write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::Pixel => "pixel",
            Self::Ssim => "ssim",
            Self::Phash => "phash",
            Self::Semantic => "semantic",
        }
    }

    /// Whether a larger value means more alike: then the limit is a minimum.
    #[must_use]
    pub fn higher_is_alike(self) -> bool {
        self == Self::Ssim
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rectangle of pixels that is not compared: a clock, a watermark, an animated corner. What of it lies outside of the image is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Pixels to the left of it.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// Pixels per row of it.
    pub width: u32,
    /// Rows of it.
    pub height: u32,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} at {},{}", self.width, self.height, self.x, self.y)
    }
}

/// What a visual regression test tolerates.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerances {
    /// The tiers that all have to hold, the strictest first; at least one.
    pub tiers: Vec<Tier>,
    /// `ssim_threshold`: the least similarity.
    pub ssim: f64,
    /// `pixel_tolerance`: the distance above which two colours differ, as a share of the largest.
    pub pixel: f64,
    /// `max_diff_pixels` or `max_diff_ratio`: how many pixels may differ so.
    pub differing: Differing,
    /// `phash_distance`: how many of the 64 bits of the perceptual hash may differ.
    pub phash: u32,
    /// `semantic_distance`: the largest cosine distance of CLIP's embeddings.
    pub semantic: f64,
    /// `ignore`: what is not compared.
    pub ignore: Vec<Region>,
}

/// How many pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Differing {
    /// So many.
    Pixels(u64),
    /// This share of those that are compared.
    Share(f64),
}

impl Default for Tolerances {
    /// SSIM of 0.95; and what the other tiers tolerate where nothing is said: no pixel that differs by more than a tenth, 6 bits, a
    /// distance of 0.05.
    fn default() -> Self {
        Self {
            tiers: vec![Tier::Ssim],
            ssim: 0.95,
            pixel: 0.1,
            differing: Differing::Pixels(0),
            phash: 6,
            semantic: 0.05,
            ignore: Vec::new(),
        }
    }
}

impl Tolerances {
    /// The limit of a tier in its unit, for an image of which so many pixels are compared.
    #[must_use]
    pub fn limit(&self, tier: Tier, compared: u64) -> f64 {
        match (tier, self.differing) {
            (Tier::Bit, _) => 0.0,
            (Tier::Pixel, Differing::Pixels(most)) => most as f64 / compared.max(1) as f64,
            (Tier::Pixel, Differing::Share(most)) => most,
            (Tier::Ssim, _) => self.ssim,
            (Tier::Phash, _) => f64::from(self.phash),
            (Tier::Semantic, _) => self.semantic,
        }
    }
}

/// What one tier says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TierResult {
    /// Which.
    pub tier: Tier,
    /// What was found, in the tier's unit.
    pub value: f64,
    /// What is tolerated: a maximum, but for `ssim` a minimum.
    pub limit: f64,
    /// Whether it is.
    pub holds: bool,
}

impl TierResult {
    /// Whether `value` is within `limit`; a value that is no number never is.
    #[must_use]
    pub fn new(tier: Tier, value: f64, limit: f64) -> Self {
        let holds = if tier.higher_is_alike() { value >= limit } else { value <= limit };
        Self { tier, value, limit, holds }
    }

    /// How much of what is tolerated is used up: 0 for equal images, 1 at the limit.
    #[must_use]
    pub fn strain(&self) -> f64 {
        let (used, tolerated) = match self.tier.higher_is_alike() {
            true => (1.0 - self.value, 1.0 - self.limit),
            false => (self.value, self.limit),
        };
        if used <= 0.0 { 0.0 } else { used / tolerated.max(0.0) }
    }
}

/// How an image stands to its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Every tier holds.
    Same,
    /// A tier does not hold, or the size is another.
    Changed,
    /// The baseline has no image for this case in this environment.
    New,
}

/// An image beside its baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// What follows from the tiers.
    pub standing: Standing,
    /// Name of the baseline.
    pub baseline: String,
    /// The baseline's folder, with a folder for each environment in it: where an accepted image goes. Relative to the working
    /// directory of the run, unless the suite names an absolute one.
    #[serde(default)]
    pub folder: PathBuf,
    /// Something that a person should know: that the baseline has images of other environments only, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What of the case's question is not as it was when the baseline's image was accepted: then another image is no surprise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Difference>,
    /// Whether it is not the baseline's image, and every tier tolerates that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tolerated: bool,
    /// What a person said of this very image, where it is new or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// The baseline's image; `None` where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ComparedImage>,
    /// What each tier says; empty for a new image, and where the sizes differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierResult>,
    /// How many pixels differ and which share of those compared, how many more at soft edges, and how much: where the tier `pixel`
    /// was asked, and beside each picture of the difference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// Both images with the differing pixels marked, where a tier does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<PathBuf>,
    /// How much each pixel differs, from black to white hot, where a tier does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heatmap: Option<PathBuf>,
}

/// What a person said of an image that is new or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// In an earlier review: it is not what it should be. The baseline's audit has it.
    Rejected {
        /// Who.
        by: String,
        /// RFC 3339, UTC.
        at: String,
    },
    /// Beforehand, by `run --update`: it is accepted when the run has ended.
    Update,
}

impl Comparison {
    /// Whether it keeps its test from passing.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.standing != Standing::Same && self.said != Some(Said::Update)
    }

    /// Whether a person said that it is not what it should be.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        matches!(self.said, Some(Said::Rejected { .. }))
    }

    /// The tier whose value is nearest to what it tolerates; `None` where there are no tiers.
    #[must_use]
    pub fn nearest(&self) -> Option<&TierResult> {
        self.tiers.iter().max_by(|a, b| a.strain().total_cmp(&b.strain()))
    }
}

/// An image of a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedImage {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of size and pixels.
    pub digest: Digest,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_that_is_nearest_to_its_limit_is_the_worst() {
        let strain = |tier, value, limit| TierResult::new(tier, value, limit).strain();
        assert_eq!(strain(Tier::Ssim, 1.0, 1.0), 0.0);
        assert_eq!(strain(Tier::Bit, 0.0, 0.0), 0.0);
        assert_eq!(strain(Tier::Ssim, 0.75, 0.5), 0.5);
        assert_eq!(strain(Tier::Phash, 3.0, 6.0), 0.5);
        assert!(strain(Tier::Pixel, 0.1, 0.0).is_infinite());
        assert!(strain(Tier::Ssim, 0.4, 0.5) > 1.0);
    }
}
