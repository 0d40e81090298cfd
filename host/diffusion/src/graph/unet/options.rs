//! The options of `UNet2DConditionModel` that are read one by one, and those that are refused.
//!
//! The class has grown options for many models. What Stable Diffusion 1, 2 and XL, their distilled and their turbo and
//! consistency versions use is implemented; the rest is pinned to its neutral value, so a model that uses it is refused by the
//! option's name.

use serde_json::{Value, json};

use super::config::Middle;
use crate::config::{ConfigReader, MOST, MOST_LAYERS};
use crate::error::Result;

/// Pins what is not implemented, and drops what has no effect here.
pub(super) fn refuse(reader: &mut ConfigReader) -> Result<()> {
    reader.only("_class_name", &[json!("UNet2DConditionModel")])?;
    for key in [
        "class_embed_type",
        "cross_attention_norm",
        "encoder_hid_dim",
        "encoder_hid_dim_type",
        // diffusers refuses it too: for this class `attention_head_dim` counts heads
        "num_attention_heads",
        "num_class_embeds",
        "time_embedding_act_fn",
        "timestep_post_act",
    ] {
        reader.only(key, &[Value::Null])?;
    }
    for (key, neutral) in [
        ("attention_type", json!(["default"])),
        ("act_fn", json!(["silu", "swish"])),
        ("center_input_sample", json!([false])),
        ("class_embeddings_concat", json!([false])),
        ("downsample_padding", json!([1])),
        ("dual_cross_attention", json!([false])),
        ("mid_block_scale_factor", json!([1])),
        ("resnet_out_scale_factor", json!([1])),
        ("resnet_skip_time_act", json!([false])),
        ("resnet_time_scale_shift", json!(["default"])),
        ("time_embedding_type", json!(["positional"])),
    ] {
        reader.only(key, neutral.as_array().map_or(&[], Vec::as_slice))?;
    }
    reader.ignore(&[
        // act only on options refused above
        "addition_embed_type_num_heads",
        // read by another kind of middle block only
        "mid_block_only_cross_attention",
        // training
        "dropout",
        // the two forms are one here: a 1x1 convolution is a linear layer on the transposed image
        "use_linear_projection",
    ]);
    Ok(())
}

/// Height and width of the latents; one number where they are equal.
pub(super) fn sample_size(reader: &mut ConfigReader) -> Result<[usize; 2]> {
    const EXPECTED: &str = "a size, or a height and a width";
    let sensible = |sizes: &[usize; 2]| sizes.iter().all(|size| (1..=MOST).contains(size));
    let value: Value = reader.require("sample_size", EXPECTED)?;
    let sizes = match &value {
        Value::Array(_) => serde_json::from_value::<[usize; 2]>(value.clone()).ok(),
        _ => value.as_u64().map(|size| [size as usize; 2]),
    };
    sizes.filter(sensible).ok_or_else(|| reader.wrong("sample_size", EXPECTED, Some(&value)))
}

/// For each block whether it is the second of the two `kinds`.
pub(super) fn block_types(
    reader: &mut ConfigReader,
    key: &str,
    kinds: [&str; 2],
    default: [bool; 4],
    count: usize,
) -> Result<Vec<bool>> {
    let names: Option<Vec<String>> = reader.take_optional(key, "a list of block names")?;
    let Some(names) = names else {
        return if count == default.len() {
            Ok(default.to_vec())
        } else {
            Err(reader.wrong(key, &format!("a list of {count} block names"), None))
        };
    };
    if names.len() != count {
        let expected = format!("{count} block names, as block_out_channels has sizes");
        return Err(reader.wrong(key, &expected, Some(&json!(names))));
    }
    names
        .iter()
        .map(|name| kinds.iter().position(|kind| kind == name).map(|kind| kind == 1))
        .collect::<Option<Vec<bool>>>()
        .ok_or_else(|| reader.unsupported(key, &json!(names), &kinds.map(Value::from)))
}

/// The middle block: a `null` says there is none, an absent key says the usual one.
pub(super) fn middle(reader: &mut ConfigReader) -> Result<Middle> {
    const KINDS: [(&str, Middle); 2] =
        [("UNetMidBlock2DCrossAttn", Middle::CrossAttention), ("UNetMidBlock2D", Middle::Residual)];
    let Some(value) = reader.remove("mid_block_type") else { return Ok(Middle::CrossAttention) };
    if value.is_null() {
        return Ok(Middle::None);
    }
    let found = KINDS.iter().find(|(name, _)| value == *name).map(|(_, kind)| *kind);
    found.ok_or_else(|| {
        let supported = [Value::from(KINDS[0].0), Value::from(KINDS[1].0), Value::Null];
        reader.unsupported("mid_block_type", &value, &supported)
    })
}

/// `attention_head_dim` is, in this class, the number of heads.
pub(super) fn heads(reader: &mut ConfigReader, channels: &[usize]) -> Result<Vec<usize>> {
    let heads = reader.per_block("attention_head_dim", channels.len(), 8usize)?;
    if heads.iter().zip(channels).any(|(&heads, &channels)| heads == 0 || channels % heads != 0) {
        let expected = format!("divisors of block_out_channels {channels:?} (it counts heads)");
        return Err(reader.wrong("attention_head_dim", &expected, Some(&json!(heads))));
    }
    Ok(heads)
}

/// Width of the text embedding, which is one for all blocks: they all read the same text.
pub(super) fn text_width(reader: &mut ConfigReader, count: usize) -> Result<usize> {
    let widths = reader.numbers("cross_attention_dim", count, MOST, 1280)?;
    match widths.as_slice() {
        [first, rest @ ..] if *first > 0 && rest.iter().all(|width| width == first) => Ok(*first),
        _ => Err(reader.unsupported("cross_attention_dim", &json!(widths), &[])),
    }
}

/// Side of a convolution that keeps the size.
pub(super) fn odd(reader: &mut ConfigReader, key: &str) -> Result<usize> {
    let kernel = reader.size(key, 3)?;
    if kernel % 2 == 1 { Ok(kernel) } else { Err(reader.wrong(key, "an odd number", Some(&json!(kernel)))) }
}

/// Transformer layers of each attention: of the down blocks, of the middle block, of the up blocks in the order they run.
pub(super) struct Depths {
    pub(super) down: Vec<Vec<usize>>,
    pub(super) middle: usize,
    pub(super) up: Vec<Vec<usize>>,
}

/// Reads the depths: one number for all attentions, one for each block, or (distilled models) one for each attention of a block,
/// where the up blocks have a list of their own. `layers` are the residual blocks of each down block.
pub(super) fn depths(reader: &mut ConfigReader, layers: &[usize]) -> Result<Depths> {
    const DOWN: &str = "transformer_layers_per_block";
    const UP: &str = "reverse_transformer_layers_per_block";
    let down_layers = layers.to_vec();
    let up_layers: Vec<usize> = layers.iter().rev().map(|layers| layers + 1).collect();
    let down = reader.remove(DOWN).filter(|value| !value.is_null()).unwrap_or_else(|| json!(1));
    let nested = down.as_array().is_some_and(|blocks| blocks.iter().any(Value::is_array));
    let up = match reader.remove(UP).filter(|value| !value.is_null()) {
        Some(up) => up,
        None if nested => return Err(reader.wrong(UP, "a list, as transformer_layers_per_block has lists", None)),
        None => match &down {
            Value::Array(blocks) => Value::Array(blocks.iter().rev().cloned().collect()),
            one => one.clone(),
        },
    };
    let expand = |key: &str, value: &Value, layers: &[usize]| {
        expanded(value, layers).ok_or_else(|| {
            let expected = format!(
                "a number up to {MOST_LAYERS}, or for each of {} blocks a number or {layers:?} numbers",
                layers.len()
            );
            reader.wrong(key, &expected, Some(value))
        })
    };
    let down = expand(DOWN, &down, &down_layers)?;
    let middle = down.last().and_then(|block| block.first()).copied().unwrap_or(1);
    Ok(Depths { middle, up: expand(UP, &up, &up_layers)?, down })
}

/// One number for each layer of each block; further numbers of a block are unused, as in diffusers.
fn expanded(value: &Value, layers: &[usize]) -> Option<Vec<Vec<usize>>> {
    let number = |value: &Value| {
        value.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|&number| number <= MOST_LAYERS)
    };
    if let Some(depth) = number(value) {
        return Some(layers.iter().map(|&layers| vec![depth; layers]).collect());
    }
    let blocks = value.as_array().filter(|blocks| blocks.len() == layers.len())?;
    let block = |(block, &layers): (&Value, &usize)| match block {
        Value::Array(depths) if depths.len() >= layers => depths[..layers].iter().map(number).collect(),
        one => number(one).map(|depth| vec![depth; layers]),
    };
    blocks.iter().zip(layers).map(block).collect()
}

/// Width of the guidance scale's embedding: half of it are sines, which need two frequencies.
pub(super) fn guidance_width(reader: &mut ConfigReader) -> Result<Option<usize>> {
    const KEY: &str = "time_cond_proj_dim";
    const EXPECTED: &str = "a size of at least 4";
    match reader.take_optional::<usize>(KEY, EXPECTED)? {
        Some(width) if !(4..=MOST).contains(&width) => Err(reader.wrong(KEY, EXPECTED, Some(&json!(width)))),
        width => Ok(width),
    }
}

/// Number of features that each added number becomes, and width of all conditions together, of `addition_embed_type`
/// `text_time`.
pub(super) fn added(reader: &mut ConfigReader) -> Result<Option<(usize, usize)>> {
    let kind = reader.remove("addition_embed_type").unwrap_or(Value::Null);
    let (wave, width) = ("addition_time_embed_dim", "projection_class_embeddings_input_dim");
    match kind.as_str() {
        Some("text_time") => Ok(Some((reader.size(wave, None)?, reader.size(width, None)?))),
        _ if kind.is_null() => {
            reader.ignore(&[wave, width]);
            Ok(None)
        }
        _ => Err(reader.unsupported("addition_embed_type", &kind, &[Value::Null, json!("text_time")])),
    }
}
