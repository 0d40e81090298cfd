//! `loras`: files that are added to the model's weights.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::DeValue;

use super::fields::{Fields, Item, Problems, list, number, string, unique, wrong_type};
use super::{LoraUse, ModelSpec, SuiteError};

/// The largest weight of a LoRA, with either sign; usual ones are around 1.
pub const MAX_LORA_WEIGHT: f64 = 100.0;

/// `["style.safetensors", { path = "b.safetensors", weight = 0.7 }]`
pub(super) fn read_loras(item: &Item<'_>, model: Option<&ModelSpec>, problems: &mut Problems) -> Vec<LoraUse> {
    if let Some(ModelSpec::Images { .. }) = model {
        let error = SuiteError::at(
            &item.span(),
            "`loras` change a diffusion model, and the images of this suite are there already",
        );
        problems.add(error.hint("leave `loras` out, or name a diffusion model"));
        return Vec::new();
    }
    let expected = "a list of files such as [\"style.safetensors\", { path = \"b.safetensors\", weight = 0.7 }]";
    let mut seen = BTreeMap::new();
    let mut loras = Vec::new();
    for (index, entry) in list(item, "loras", expected, problems).unwrap_or_default().iter().enumerate() {
        if let Some(lora) = read_lora(entry, &format!("loras[{index}]"), problems) {
            unique(lora.path.clone(), &lora.span, &format!("LoRA `{}`", lora.path.display()), &mut seen, problems);
            loras.push(lora);
        }
    }
    loras
}

/// A number that may be meant: beyond [`MAX_LORA_WEIGHT`] nothing of the model is left.
fn weight(item: &Item<'_>, problems: &mut Problems) -> Option<f64> {
    let weight = number(item, "weight", problems)?;
    if weight.abs() > MAX_LORA_WEIGHT {
        let error = SuiteError::at(&item.span(), format!("`weight` is out of range: {weight}"));
        problems.add(error.label(format!("expected -{MAX_LORA_WEIGHT} to {MAX_LORA_WEIGHT}")));
        return None;
    }
    Some(weight)
}

fn read_lora(item: &Item<'_>, key: &str, problems: &mut Problems) -> Option<LoraUse> {
    let span = item.span();
    match item.get_ref() {
        DeValue::String(_) => Some(LoraUse { path: PathBuf::from(string(item, key, problems)?), weight: 1.0, span }),
        DeValue::Table(table) => {
            let fields = Fields::new(table, "an entry of `loras`", &["path", "weight"], problems);
            let weight = fields.get("weight").map_or(Some(1.0), |item| weight(item, problems));
            let Some(path) = fields.get("path") else {
                // A misspelt `path` has its own problem already.
                return if fields.is_misspelt("path") {
                    None
                } else {
                    wrong_type(item, key, "a table with the key `path`", problems)
                };
            };
            let path = string(path, "path", problems).map(PathBuf::from);
            Some(LoraUse { path: path?, weight: weight?, span })
        }
        _ => wrong_type(item, key, "a path, or a table such as { path = \"b.safetensors\", weight = 0.7 }", problems),
    }
}
