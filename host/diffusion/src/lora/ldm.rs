//! Module names of the original UNet, which kohya's trainer uses for Stable Diffusion XL.
//!
//! There, blocks are counted through: `input_blocks_4_1_...` is the second part of the fifth entry. The mapping is that of
//! diffusers' `_maybe_map_sgm_blocks_to_diffusers` and `_convert_unet_lora_key`.

/// Whether a flat module name is one of the original UNet's.
pub(super) fn is_ldm(module: &str) -> bool {
    ["input_blocks_", "middle_block_", "output_blocks_", "time_embed_", "label_emb_", "out_"]
        .iter()
        .any(|start| module.starts_with(start))
}

/// The same module in diffusers' words, flat; `resnets` is the number of them in a down block. `None` where there is none.
pub(super) fn to_diffusers(module: &str, resnets: usize) -> Option<String> {
    let fixed = match module {
        "input_blocks_0_0" => "conv_in",
        "out_2" => "conv_out",
        "time_embed_0" => "time_embedding_linear_1",
        "time_embed_2" => "time_embedding_linear_2",
        "label_emb_0_0" => "add_embedding_linear_1",
        "label_emb_0_2" => "add_embedding_linear_2",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.to_owned());
    }
    // A block holds its resnets and, as one entry more, what changes the size: down after them, up beside the last.
    let entries = resnets + 1;
    if let Some(rest) = module.strip_prefix("input_blocks_") {
        let (entry, part, rest) = entry(rest)?;
        let entry = entry.checked_sub(1)?;
        let (block, layer) = (entry / entries, entry % entries);
        return Some(match (part, rest) {
            (0, "op") => format!("down_blocks_{block}_downsamplers_0_conv"),
            (0, rest) => format!("down_blocks_{block}_resnets_{layer}_{}", resnet(rest)),
            (1, rest) => format!("down_blocks_{block}_attentions_{layer}_{rest}"),
            _ => return None,
        });
    }
    if let Some(rest) = module.strip_prefix("middle_block_") {
        let (part, rest) = number(rest)?;
        return Some(match part {
            0 => format!("mid_block_resnets_0_{}", resnet(rest)),
            1 => format!("mid_block_attentions_0_{rest}"),
            2 => format!("mid_block_resnets_1_{}", resnet(rest)),
            _ => return None,
        });
    }
    let (entry, part, rest) = entry(module.strip_prefix("output_blocks_")?)?;
    let (block, layer) = (entry / entries, entry % entries);
    Some(match (part, rest) {
        (0, rest) => format!("up_blocks_{block}_resnets_{layer}_{}", resnet(rest)),
        // Second where the block has no attention.
        (1 | 2, "conv") => format!("up_blocks_{block}_upsamplers_0_conv"),
        (1, rest) => format!("up_blocks_{block}_attentions_{layer}_{rest}"),
        _ => return None,
    })
}

/// `4_1_rest`
fn entry(text: &str) -> Option<(usize, usize, &str)> {
    let (entry, rest) = number(text)?;
    let (part, rest) = number(rest)?;
    Some((entry, part, rest))
}

fn number(text: &str) -> Option<(usize, &str)> {
    let (number, rest) = text.split_once('_')?;
    Some((number.parse().ok()?, rest))
}

fn resnet(layer: &str) -> &str {
    match layer {
        "in_layers_2" => "conv1",
        "out_layers_3" => "conv2",
        "emb_layers_1" => "time_emb_proj",
        "skip_connection" => "conv_shortcut",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_ldm, to_diffusers};

    /// Pairs from diffusers' two functions, run on these names with two resnets in a block.
    #[test]
    fn blocks_have_diffusers_names() {
        let pairs = [
            ("input_blocks_0_0", "conv_in"),
            ("input_blocks_1_0_in_layers_2", "down_blocks_0_resnets_0_conv1"),
            ("input_blocks_3_0_op", "down_blocks_0_downsamplers_0_conv"),
            ("input_blocks_4_0_skip_connection", "down_blocks_1_resnets_0_conv_shortcut"),
            ("input_blocks_4_1_proj_in", "down_blocks_1_attentions_0_proj_in"),
            (
                "input_blocks_8_1_transformer_blocks_9_attn2_to_k",
                "down_blocks_2_attentions_1_transformer_blocks_9_attn2_to_k",
            ),
            ("middle_block_0_emb_layers_1", "mid_block_resnets_0_time_emb_proj"),
            (
                "middle_block_1_transformer_blocks_0_ff_net_0_proj",
                "mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj",
            ),
            ("middle_block_2_out_layers_3", "mid_block_resnets_1_conv2"),
            ("output_blocks_2_2_conv", "up_blocks_0_upsamplers_0_conv"),
            ("output_blocks_5_1_proj_out", "up_blocks_1_attentions_2_proj_out"),
            ("label_emb_0_2", "add_embedding_linear_2"),
            ("out_2", "conv_out"),
        ];
        for (ldm, diffusers) in pairs {
            assert!(is_ldm(ldm), "{ldm}");
            assert_eq!(to_diffusers(ldm, 2).as_deref(), Some(diffusers));
        }
        for strange in
            ["input_blocks_x_0_op", "input_blocks_4", "middle_block_7_conv", "output_blocks_1_9_conv", "out_3"]
        {
            assert_eq!(to_diffusers(strange, 2), None, "{strange}");
        }
        assert!(!is_ldm("down_blocks_0_resnets_0_conv1"));
    }
}
