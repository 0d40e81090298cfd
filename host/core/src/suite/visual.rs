//! The keys of a test of `kind = "visual_regression"`: what its images are compared with, and how closely.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::DeValue;

use super::fields::{Fields, Item, Problems, integer, list, number, string, unique, wrong_type};
use super::{MAX_SIDE, Span, SuiteError, Visual};
use crate::nearest::did_you_mean;
use crate::visual::{Differing, Region, Tier, Tolerances};

/// What `kind` may say.
const KINDS: [&str; 2] = ["scores", "visual_regression"];

/// The keys that only such a test has.
pub(super) const KEYS: [&str; 9] = [
    "tiers",
    "ssim_threshold",
    "pixel_tolerance",
    "max_diff_pixels",
    "max_diff_ratio",
    "phash_distance",
    "semantic_distance",
    "ignore",
    "baseline_dir",
];

/// What is written, in a test or in `[defaults]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    tiers: Option<Vec<Tier>>,
    ssim: Option<(f64, Span)>,
    pixel: Option<(f64, Span)>,
    differing: Option<(Differing, Span)>,
    phash: Option<(u32, Span)>,
    semantic: Option<(f64, Span)>,
    ignore: Option<Vec<Region>>,
    folder: Option<(PathBuf, Span)>,
    /// The first of these keys, for a test that has no use for it.
    first: Option<(&'static str, Span)>,
}

pub(super) fn read_written(fields: &Fields<'_>, problems: &mut Problems) -> Written {
    // `all` is the value that nothing can exceed.
    let within = |key: &'static str, most: f64, all: f64, problems: &mut Problems| {
        let item = fields.get(key)?;
        let value = in_range(item, key, most, problems)?;
        refuse_all(key, value == all, &item.span(), problems).then(|| (value, item.span()))
    };
    let pixels = fields.get("max_diff_pixels").and_then(|item| {
        let most = u64::from(MAX_SIDE) * u64::from(MAX_SIDE);
        Some((Differing::Pixels(integer(item, "max_diff_pixels", 0, most, problems)?), item.span()))
    });
    let share = within("max_diff_ratio", 1.0, 1.0, problems).map(|(share, span)| (Differing::Share(share), span));
    if let (Some(_), Some((_, span))) = (&pixels, &share) {
        let error = SuiteError::at(span, "`max_diff_pixels` and `max_diff_ratio` say the same thing in two ways");
        problems.add(error.label("leave one of them out"));
    }
    Written {
        tiers: fields.get("tiers").and_then(|item| read_tiers(item, problems)),
        ssim: within("ssim_threshold", 1.0, 0.0, problems),
        pixel: within("pixel_tolerance", 1.0, 1.0, problems),
        differing: pixels.or(share),
        phash: fields.get("phash_distance").and_then(|item| {
            let bits = integer(item, "phash_distance", 0, 64, problems)?;
            if !refuse_all("phash_distance", bits == 64, &item.span(), problems) {
                return None;
            }
            Some((u32::try_from(bits).ok()?, item.span()))
        }),
        semantic: within("semantic_distance", 2.0, 2.0, problems),
        ignore: fields.get("ignore").and_then(|item| read_ignore(item, problems)),
        folder: fields
            .get("baseline_dir")
            .and_then(|item| Some((PathBuf::from(string(item, "baseline_dir", problems)?), item.span()))),
        first: KEYS.into_iter().find_map(|key| Some((key, fields.get(key)?.span()))),
    }
}

/// Reads `kind`: whether the test is a visual regression test.
pub(super) fn read_kind(item: &Item<'_>, problems: &mut Problems) -> Option<bool> {
    match string(item, "kind", problems)? {
        "visual_regression" => Some(true),
        "scores" => Some(false),
        other => {
            let error = SuiteError::at(&item.span(), format!("unknown kind of test `{other}`")).label("no such kind");
            problems.add(error.hint(did_you_mean(other, KINDS, "kinds")));
            None
        }
    }
}

impl Written {
    /// Keys of a test that compares no images have no effect, which is a mistake.
    pub(super) fn refuse(&self, problems: &mut Problems) {
        if let Some((key, span)) = &self.first {
            let error = SuiteError::at(span, format!("`{key}` has no effect: this test compares no images"));
            problems
                .add(error.label("only for visual regression").hint("add kind = \"visual_regression\" to the test"));
        }
    }

    /// The key of `[defaults]` that no test uses, where no test compares images.
    pub(super) fn first(&self) -> Option<&(&'static str, Span)> {
        self.first.as_ref()
    }

    /// What a visual regression test says: its own keys, then those of `[defaults]`, then what is usual. `span` is where the test
    /// stands, `named` whether a baseline is named, `size` that of the images where the suite says it.
    pub(super) fn complete(
        self,
        defaults: &Self,
        span: &Span,
        named: bool,
        size: Option<(u32, u32)>,
        problems: &mut Problems,
    ) -> Visual {
        let own = self.clone();
        let usual = Tolerances::default();
        let ssim = self.ssim.or_else(|| defaults.ssim.clone());
        let differing = self.differing.or_else(|| defaults.differing.clone());
        if let (Some((Differing::Pixels(most), span)), Some((width, height))) = (&differing, size) {
            refuse_all("max_diff_pixels", *most >= u64::from(width) * u64::from(height), span, problems);
        }
        let pixel = self.pixel.or_else(|| defaults.pixel.clone());
        let phash = self.phash.or_else(|| defaults.phash.clone());
        let semantic = self.semantic.or_else(|| defaults.semantic.clone());
        let tolerated = [
            (Tier::Pixel, pixel.is_some() || differing.is_some()),
            (Tier::Ssim, ssim.is_some()),
            (Tier::Phash, phash.is_some()),
            (Tier::Semantic, semantic.is_some()),
        ];
        let tiers = self.tiers.or_else(|| defaults.tiers.clone());
        if let Some(tiers) = &tiers {
            let keys = [
                (Tier::Pixel, own.pixel.as_ref().map(|(_, span)| ("pixel_tolerance", span))),
                (Tier::Pixel, own.differing.as_ref().map(|(_, span)| ("max_diff_pixels", span))),
                (Tier::Ssim, own.ssim.as_ref().map(|(_, span)| ("ssim_threshold", span))),
                (Tier::Phash, own.phash.as_ref().map(|(_, span)| ("phash_distance", span))),
                (Tier::Semantic, own.semantic.as_ref().map(|(_, span)| ("semantic_distance", span))),
            ];
            for (tier, key) in keys {
                if let Some((key, span)) = key.filter(|_| !tiers.contains(&tier)) {
                    let error = SuiteError::at(span, format!("`{key}` has no effect: `{tier}` is not among the tiers"));
                    problems.add(error.label("tolerates nothing").hint(format!("add \"{tier}\" to `tiers`")));
                }
            }
        }
        // Without `tiers`, those that a tolerance is given for; SSIM where none is.
        let implied = || -> Vec<Tier> { tolerated.iter().filter(|(_, given)| *given).map(|(tier, _)| *tier).collect() };
        let mut tiers = tiers.unwrap_or_else(implied);
        if tiers.is_empty() {
            tiers.push(Tier::Ssim);
        }
        tiers.sort_unstable();
        let folder = self.folder.or_else(|| defaults.folder.clone()).map(|(folder, _)| folder);
        if folder.is_none() && !named {
            let error = SuiteError::at(span, "this visual regression test names no baseline");
            problems.add(
                error.label("compared with what?").hint(
                    "add baseline_dir = \"../baselines/NAME\" (it need not be there yet), or baseline = \"NAME\"",
                ),
            );
        }
        Visual {
            tolerances: Tolerances {
                tiers,
                ssim: ssim.map_or(usual.ssim, |(value, _)| value),
                pixel: pixel.map_or(usual.pixel, |(value, _)| value),
                differing: differing.map_or(usual.differing, |(value, _)| value),
                phash: phash.map_or(usual.phash, |(value, _)| value),
                semantic: semantic.map_or(usual.semantic, |(value, _)| value),
                ignore: self.ignore.or_else(|| defaults.ignore.clone()).unwrap_or_default(),
            },
            folder,
        }
    }
}

/// A tolerance that every image is within compares nothing. Answers whether it is none.
fn refuse_all(key: &str, all: bool, span: &Span, problems: &mut Problems) -> bool {
    if all {
        let error = SuiteError::at(span, format!("`{key}` tolerates every image: no difference could fail this test"));
        problems.add(error.label("nothing is compared").hint("say how much may differ, or leave the key out"));
    }
    !all
}

fn in_range(item: &Item<'_>, key: &str, most: f64, problems: &mut Problems) -> Option<f64> {
    let value = number(item, key, problems)?;
    if !(0.0..=most).contains(&value) {
        let error = SuiteError::at(&item.span(), format!("`{key}` is out of range: {value}"));
        problems.add(error.label(format!("expected 0 to {most}")));
        return None;
    }
    Some(value)
}

fn read_tiers(item: &Item<'_>, problems: &mut Problems) -> Option<Vec<Tier>> {
    let entries = list(item, "tiers", "a list such as [\"pixel\", \"ssim\"]", problems)?;
    let (mut seen, mut tiers) = (BTreeMap::new(), Vec::with_capacity(entries.len()));
    for (index, entry) in entries.iter().enumerate() {
        let Some(name) = string(entry, &format!("tiers[{index}]"), problems) else { continue };
        match Tier::ALL.into_iter().find(|tier| tier.name() == name) {
            Some(tier) => {
                unique(tier, &entry.span(), &format!("tier `{tier}`"), &mut seen, problems);
                tiers.push(tier);
            }
            None => {
                let error = SuiteError::at(&entry.span(), format!("unknown tier `{name}`")).label("no such tier");
                problems.add(error.hint(did_you_mean(name, Tier::ALL.map(Tier::name), "tiers")));
            }
        }
    }
    Some(tiers)
}

/// `[[x, y, width, height], ...]`.
fn read_ignore(item: &Item<'_>, problems: &mut Problems) -> Option<Vec<Region>> {
    const EXPECTED: &str = "a list of regions such as [[x, y, width, height]]";
    let entries = list(item, "ignore", EXPECTED, problems)?;
    let mut regions = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let key = format!("ignore[{index}]");
        let DeValue::Array(sides) = entry.get_ref() else {
            wrong_type::<()>(entry, &key, "four integers: [x, y, width, height]", problems);
            continue;
        };
        let [x, y, width, height] = &sides[..] else {
            let error = SuiteError::at(&entry.span(), format!("`{key}` has {} numbers", sides.len()));
            problems.add(error.label("expected [x, y, width, height]"));
            continue;
        };
        let mut side = |item: &Item<'_>, least: u64| {
            integer(item, &key, least, MAX_SIDE.into(), problems).and_then(|side| u32::try_from(side).ok())
        };
        let read = (side(x, 0), side(y, 0), side(width, 1), side(height, 1));
        if let (Some(x), Some(y), Some(width), Some(height)) = read {
            regions.push(Region { x, y, width, height });
        }
    }
    Some(regions)
}
