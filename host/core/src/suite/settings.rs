//! Seeds and sampler settings: the same keys in `[defaults]` and in a test.

use std::collections::BTreeMap;

use super::fields::{Fields, Item, Problems, integer, list, number, string, unique, wrong_type};
use super::{Span, SuiteError};
use crate::generate::{LongPrompt, Settings};

/// The seeds of a test where neither it nor `[defaults]` gives any.
pub const DEFAULT_SEEDS: [u64; 3] = [42, 123, 456];

/// Schedulers are trained on a thousand timesteps: more steps than that cannot be told apart.
pub const MAX_STEPS: u32 = 1000;

/// Pixels on a side; more is a slip of the keyboard.
pub const MAX_SIDE: u32 = 8192;

/// TOML integers end at 2^63 - 1.
const MAX_SEED: u64 = i64::MAX as u64;

/// The names of the keys that [`read_settings`] reads.
pub(super) const KEYS: [&str; 8] =
    ["scheduler", "steps", "guidance", "size", "negative_prompt", "clip_skip", "long_prompt", "noise"];

/// The deepest text encoder of the family has 32 layers.
const MAX_CLIP_SKIP: u64 = 31;

pub(super) fn read_settings(fields: &Fields<'_>, problems: &mut Problems) -> Settings {
    Settings {
        scheduler: fields.get("scheduler").and_then(|item| string(item, "scheduler", problems)).map(str::to_owned),
        steps: fields
            .get("steps")
            .and_then(|item| integer(item, "steps", 1, MAX_STEPS.into(), problems))
            .and_then(|steps| u32::try_from(steps).ok()),
        guidance: fields.get("guidance").and_then(|item| guidance(item, problems)),
        size: fields.get("size").and_then(|item| size(item, problems)),
        negative_prompt: fields.get("negative_prompt").and_then(|item| match item.get_ref().as_str() {
            // Empty is fine here: an empty text, in place of the one from `[defaults]`.
            Some(text) => Some(text.to_owned()),
            None => wrong_type(item, "negative_prompt", "a string", problems),
        }),
        clip_skip: fields
            .get("clip_skip")
            .and_then(|item| integer(item, "clip_skip", 0, MAX_CLIP_SKIP, problems))
            .and_then(|layers| u32::try_from(layers).ok()),
        long_prompt: fields.get("long_prompt").and_then(|item| long_prompt(item, problems)),
        noise: fields.get("noise").and_then(|item| string(item, "noise", problems)).map(str::to_owned),
    }
}

/// Where the keys stand that are there.
pub(super) fn read_spans(fields: &Fields<'_>) -> BTreeMap<&'static str, Span> {
    KEYS.into_iter().filter_map(|key| Some((key, fields.get(key)?.span()))).collect()
}

/// What `own` leaves out comes from `defaults`.
pub(super) fn fill(own: Settings, defaults: &Settings) -> Settings {
    Settings {
        scheduler: own.scheduler.or_else(|| defaults.scheduler.clone()),
        steps: own.steps.or(defaults.steps),
        guidance: own.guidance.or(defaults.guidance),
        size: own.size.or(defaults.size),
        negative_prompt: own.negative_prompt.or_else(|| defaults.negative_prompt.clone()),
        clip_skip: own.clip_skip.or(defaults.clip_skip),
        long_prompt: own.long_prompt.or(defaults.long_prompt),
        noise: own.noise.or_else(|| defaults.noise.clone()),
    }
}

/// Different integers from 0 to 2^63 - 1.
pub(super) fn read_seeds(item: &Item<'_>, problems: &mut Problems) -> Option<Vec<u64>> {
    let entries = list(item, "seeds", "a list of integers such as [42, 123]", problems)?;
    let mut seen = BTreeMap::new();
    let mut seeds = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if let Some(seed) = integer(entry, &format!("seeds[{index}]"), 0, MAX_SEED, problems) {
            unique(seed, &entry.span(), &format!("seed {seed}"), &mut seen, problems);
            seeds.push(seed);
        }
    }
    Some(seeds)
}

fn guidance(item: &Item<'_>, problems: &mut Problems) -> Option<f64> {
    let scale = number(item, "guidance", problems)?;
    if scale < 0.0 {
        let error = SuiteError::at(&item.span(), format!("`guidance` is out of range: {scale}"));
        problems.add(error.label("expected 0 or more; 1 or less turns it off"));
        return None;
    }
    Some(scale)
}

/// `"cut"` or `"error"`.
fn long_prompt(item: &Item<'_>, problems: &mut Problems) -> Option<LongPrompt> {
    match string(item, "long_prompt", problems)? {
        "cut" => Some(LongPrompt::Cut),
        "error" => Some(LongPrompt::Error),
        other => {
            let error = SuiteError::at(&item.span(), format!("`long_prompt` is \"{other}\""));
            problems.add(error.label("expected \"cut\" or \"error\""));
            None
        }
    }
}

/// `512` or `[768, 512]`.
fn size(item: &Item<'_>, problems: &mut Problems) -> Option<(u32, u32)> {
    const EXPECTED: &str = "a side in pixels such as 512, or [width, height]";
    let mut side =
        |item: &Item<'_>| integer(item, "size", 1, MAX_SIDE.into(), problems).and_then(|side| u32::try_from(side).ok());
    if item.get_ref().is_integer() {
        return side(item).map(|side| (side, side));
    }
    match item.get_ref().as_array().map(|sides| &**sides) {
        Some([width, height]) => {
            let (width, height) = (side(width), side(height));
            width.zip(height)
        }
        _ => wrong_type(item, "size", EXPECTED, problems),
    }
}
