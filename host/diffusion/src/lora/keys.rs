//! Names of tensors: which weight of which component they are about.

use std::fmt;
use std::path::Path;

/// A network that a LoRA can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The denoiser.
    Unet,
    /// The first, or only, text encoder.
    TextEncoder,
    /// The second one, of Stable Diffusion XL.
    TextEncoder2,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unet, Self::TextEncoder, Self::TextEncoder2];

    /// The name of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unet => "unet",
            Self::TextEncoder => "text_encoder",
            Self::TextEncoder2 => "text_encoder_2",
        }
    }

    /// The component that lies in `folder`, by the folder's name.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?;
        Self::ALL.into_iter().find(|component| name == component.name())
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The module whose weight is meant, below its component and without `text_model` in front.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Module {
    /// As the model names it: `mid_block.attentions.0.proj_in`.
    Path(String),
    /// With `_` for `.`: `mid_block_attentions_0_proj_in`. Only the model's own names tell which is which.
    Flat(String),
}

/// What a tensor is for its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `[rank, in]` or `[rank, in, height, width]`.
    Down,
    /// `[out, rank]` or `[out, rank, 1, 1]`.
    Up,
    /// Between them, of a decomposed convolution: `[rank, rank, height, width]`.
    Mid,
    /// A number: the layer counts `alpha / rank` times.
    Alpha,
}

/// A key, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) component: Component,
    pub(super) module: Module,
    pub(super) part: Part,
}

/// A key that is not one of a LoRA for these models.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Strange {
    /// Of another kind of adapter.
    Adapter(&'static str),
    /// Of a LoRA for a component of other models.
    Component(String),
    /// Not of an adapter.
    Unknown,
}

const PARTS: [(&str, Part); 14] = [
    (".lora_down.weight", Part::Down),
    (".lora_up.weight", Part::Up),
    (".lora_mid.weight", Part::Mid),
    (".alpha", Part::Alpha),
    (".lora_A.weight", Part::Down),
    (".lora_B.weight", Part::Up),
    (".lora_A.default.weight", Part::Down),
    (".lora_B.default.weight", Part::Up),
    (".lora_linear_layer.down.weight", Part::Down),
    (".lora_linear_layer.up.weight", Part::Up),
    (".lora.down.weight", Part::Down),
    (".lora.up.weight", Part::Up),
    ("_lora.down.weight", Part::Down),
    ("_lora.up.weight", Part::Up),
];

/// Parts of names by which other adapters are known.
const OTHERS: [(&str, &str); 20] = [
    (".dora_scale", "DoRA"),
    (".lora_magnitude_vector", "DoRA"),
    (".hada_", "LoHa"),
    (".lokr_", "LoKr"),
    (".oft_", "OFT"),
    (".boft_", "BOFT"),
    (".on_input", "IA3"),
    (".ia3_l", "IA3"),
    (".vera_", "VeRA"),
    (".lora_embedding_", "a LoRA of an embedding"),
    (".lora_B.bias", "a LoRA with biases"),
    (".lora_up.bias", "a LoRA with biases"),
    (".lora.up.bias", "a LoRA with biases"),
    (".diff_b", "a difference of whole weights"),
    (".diff", "a difference of whole weights"),
    (".w_norm", "a difference of normalisations"),
    (".b_norm", "a difference of normalisations"),
    (".scalar", "LyCORIS with trained scalars"),
    (".a1.weight", "GLoRA"),
    (".b1.weight", "GLoRA"),
];

/// Takes a key apart.
pub(super) fn parse(key: &str) -> Result<Key, Strange> {
    if let Some((_, what)) = OTHERS.iter().find(|(mark, _)| has(key, mark)) {
        return Err(Strange::Adapter(what));
    }
    let found = PARTS.iter().find_map(|(suffix, part)| Some((key.strip_suffix(suffix)?, *part)));
    let (name, part) = found.ok_or(Strange::Unknown)?;
    let (component, module) = if name.starts_with("lora_") { flat(name)? } else { dotted(name)? };
    Ok(Key { component, module, part })
}

/// Whether `mark` is a part of a key between dots, or the start of one where it ends with `_`.
fn has(key: &str, mark: &str) -> bool {
    let Some((_, rest)) = key.split_once(mark) else { return false };
    mark.ends_with('_') || rest.is_empty() || rest.starts_with('.')
}

/// kohya's names.
fn flat(name: &str) -> Result<(Component, Module), Strange> {
    const PREFIXES: [(&str, Component); 4] = [
        ("lora_unet_", Component::Unet),
        ("lora_te_", Component::TextEncoder),
        ("lora_te1_", Component::TextEncoder),
        ("lora_te2_", Component::TextEncoder2),
    ];
    let found = PREFIXES.iter().find_map(|(prefix, component)| Some((*component, name.strip_prefix(prefix)?)));
    let Some((component, module)) = found else {
        let strange = name.split('_').take(2).collect::<Vec<_>>().join("_");
        return Err(Strange::Component(strange));
    };
    Ok((component, Module::Flat(module.strip_prefix("text_model_").unwrap_or(module).to_owned())))
}

/// diffusers' and peft's names, old and new.
fn dotted(name: &str) -> Result<(Component, Module), Strange> {
    let name = name.strip_prefix("base_model.model.").unwrap_or(name);
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let named = Component::ALL.into_iter().find(|component| component.name() == first);
    let (component, module) = match named {
        Some(component) => (component, rest),
        // Saved from the network itself, without the name of its component.
        None => match first {
            "down_blocks" | "mid_block" | "up_blocks" | "conv_in" | "conv_out" | "time_embedding" | "add_embedding" => {
                (Component::Unet, name)
            }
            "text_model" | "encoder" | "text_projection" => (Component::TextEncoder, name),
            other => return Err(Strange::Component(other.to_owned())),
        },
    };
    let module = module.replace(".processor.", ".");
    let module = module.strip_prefix("text_model.").unwrap_or(&module);
    let (parents, last) = module.rsplit_once('.').unwrap_or(("", module));
    let last = match (component, last) {
        (Component::Unet, "to_out") => "to_out.0",
        (Component::Unet, other) => other,
        (_, "to_q") => "q_proj",
        (_, "to_k") => "k_proj",
        (_, "to_v") => "v_proj",
        (_, "to_out") => "out_proj",
        (_, other) => other,
    };
    let module = if parents.is_empty() { last.to_owned() } else { format!("{parents}.{last}") };
    Ok((component, Module::Path(module)))
}

/// A key without its part: how the file names the layer.
pub(super) fn layer_of(key: &str) -> &str {
    PARTS.iter().find_map(|(suffix, _)| key.strip_suffix(suffix)).unwrap_or(key)
}
