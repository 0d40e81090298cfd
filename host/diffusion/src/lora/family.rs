//! Which models a file looks made for. Only for messages: whether it fits is decided by names and shapes.

use std::fmt;

use super::Component;
use super::file::LoraFile;
use super::keys::Module;
use super::layers::Layer;

/// A family of models.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Stable Diffusion 1.x: text of width 768.
    Sd1,
    /// Stable Diffusion 2.x: text of width 1024.
    Sd2,
    /// Stable Diffusion XL: text of width 2048.
    Sdxl,
    /// Stable Diffusion 3.
    Sd3,
    /// Flux.
    Flux,
    /// A UNet that reads text of another width.
    Width(usize),
    /// What the file says of itself.
    Said(String),
}

impl Family {
    /// By the width of the text that a UNet reads.
    pub(super) fn of_width(width: usize) -> Self {
        match width {
            768 => Self::Sd1,
            1024 => Self::Sd2,
            2048 => Self::Sdxl,
            other => Self::Width(other),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sd1 => f.write_str("Stable Diffusion 1"),
            Self::Sd2 => f.write_str("Stable Diffusion 2"),
            Self::Sdxl => f.write_str("Stable Diffusion XL"),
            Self::Sd3 => f.write_str("Stable Diffusion 3"),
            Self::Flux => f.write_str("Flux"),
            Self::Width(width) => write!(f, "a UNet that reads text of width {width}"),
            Self::Said(text) => write!(f, "`{}`", text.escape_debug()),
        }
    }
}

/// Where a UNet's text comes in.
const TEXT_KEYS: [&str; 2] = ["attn2.to_k", "attn2_to_k"];

/// What the layers tell, and else what the header says.
pub(super) fn of(layers: &[Layer], file: &LoraFile) -> Option<Family> {
    let name = |layer: &Layer| match &layer.module {
        Module::Path(name) | Module::Flat(name) => name.clone(),
    };
    let unet = || layers.iter().filter(|layer| layer.component == Component::Unet);
    if let Some(layer) = unet().find(|layer| TEXT_KEYS.iter().any(|key| name(layer).ends_with(key))) {
        return Some(Family::of_width(layer.down.shape[1]));
    }
    if layers.iter().any(|layer| layer.component == Component::TextEncoder2) {
        return Some(Family::Sdxl);
    }
    for (start, family) in
        [("double_blocks", Family::Flux), ("single_blocks", Family::Flux), ("joint_blocks", Family::Sd3)]
    {
        if unet().any(|layer| name(layer).starts_with(start)) {
            return Some(family);
        }
    }
    ["modelspec.architecture", "ss_base_model_version"]
        .iter()
        .find_map(|key| file.said.get(*key))
        .map(|text| Family::Said(text.chars().take(64).collect()))
}

/// The family of the model whose weights are `tensors`.
pub(super) fn of_model<'t>(mut tensors: impl Iterator<Item = (&'t str, &'t [usize])>) -> Option<Family> {
    let (_, shape) = tensors.find(|(name, _)| name.ends_with("attn2.to_k.weight"))?;
    Some(Family::of_width(*shape.get(1)?))
}

/// What a file without a single layer of a LoRA looks like.
pub(super) fn something_else(file: &LoraFile) -> String {
    let keys = || file.tensors.keys().map(String::as_str);
    let any = |starts: &[&str]| keys().any(|key| starts.iter().any(|start| key.starts_with(start)));
    if any(&["model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner."]) {
        return "it is a whole checkpoint; the model goes under `model`".to_owned();
    }
    if any(&["down_blocks.", "text_model.", "decoder.up_blocks.", "encoder.layers."]) {
        return "it holds the weights of a network; the model goes under `model`".to_owned();
    }
    if any(&["emb_params", "string_to_param", "clip_l", "clip_g"]) || (file.tensors.len() == 1 && any(&["<"])) {
        return "it looks like a textual inversion (an embedding for a word)".to_owned();
    }
    let first: Vec<&str> = keys().take(3).collect();
    if first.is_empty() { "it holds no tensors".to_owned() } else { format!("it holds {}", first.join(", ")) }
}
