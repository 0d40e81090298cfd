//! `prompts`: a list, or a prompt generator.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::DeValue;

use super::PromptSource;
use super::fields::{Fields, Item, Problems, config, integer, list, string, table, unique, wrong_type};
use crate::plan::MAX_CASES;

/// How many prompts a generator may give where the suite sets no `limit`.
pub const DEFAULT_LIMIT: u32 = 10_000;

const EXPECTED: &str = "a list of strings, or a table such as { generator = \"prompt-matrix\" }";

pub(super) fn read_prompts(item: &Item<'_>, problems: &mut Problems) -> Option<PromptSource> {
    match item.get_ref() {
        DeValue::Array(_) => written(item, problems),
        DeValue::Table(_) => generated(item, problems),
        _ => wrong_type(item, "prompts", EXPECTED, problems),
    }
}

fn written(item: &Item<'_>, problems: &mut Problems) -> Option<PromptSource> {
    let mut seen = BTreeMap::new();
    let mut prompts = Vec::new();
    for (index, entry) in list(item, "prompts", EXPECTED, problems)?.iter().enumerate() {
        if let Some(prompt) = string(entry, &format!("prompts[{index}]"), problems) {
            // The same prompt and seed give the same image: it would only count twice in the mean.
            unique(prompt, &entry.span(), "this prompt", &mut seen, problems);
            prompts.push(prompt.to_owned());
        }
    }
    Some(PromptSource::List(prompts))
}

fn generated(item: &Item<'_>, problems: &mut Problems) -> Option<PromptSource> {
    let known = ["generator", "config", "seed", "limit"];
    let fields = Fields::new(table(item, "prompts", EXPECTED, problems)?, "`prompts`", &known, problems);
    let config = fields.get("config").map_or(Some(Value::Null), |item| config(item, problems));
    let seed = fields.get("seed").map_or(Some(0), |item| integer(item, "seed", 0, i64::MAX as u64, problems));
    let limit = fields
        .get("limit")
        .map_or(Some(DEFAULT_LIMIT.into()), |item| integer(item, "limit", 1, MAX_CASES as u64, problems));
    let Some(name_item) = fields.get("generator") else {
        return wrong_type(item, "prompts", "a table with the key `generator`", problems);
    };
    let name = string(name_item, "generator", problems);
    Some(PromptSource::Generator {
        name: name?.to_owned(),
        span: name_item.span(),
        config: config?,
        seed: seed?,
        limit: limit.and_then(|limit| u32::try_from(limit).ok())?,
    })
}
