"""Small random models with the options of Stable Diffusion XL and of distilled models, each stored in another way."""

import json

import torch
from common import F32, HERE, fresh, randomize, run_unet, run_vae, write
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

DOWN, DOWN_TEXT, UP, UP_TEXT = "DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"


def unets():
    """`unet-xl`: Stable Diffusion XL, in the fp16 variant. `unet-guided`: a consistency model, in f32. `unet-uneven`: SSD-1B with
    a guidance scale. `unet-shallow`: a distilled model without a middle block, where some attentions have no layers."""
    common = dict(sample_size=8, norm_num_groups=2, cross_attention_dim=6)
    xl = dict(
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=30,
        use_linear_projection=True,
    )
    unet = UNet2DConditionModel(
        block_out_channels=(4, 8, 8),
        down_block_types=(DOWN, DOWN_TEXT, DOWN_TEXT),
        up_block_types=(UP_TEXT, UP_TEXT, UP),
        layers_per_block=1,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(1, 2, 4),
        **xl,
        **common,
    )
    randomize(unet, 11).half().save_pretrained(fresh("unet-xl"), variant="fp16")
    run_unet(HERE / "unet-xl", "unet-xl-even", 2, (8, 4), 999, 5, variant="fp16", pooled=6)

    unet = UNet2DConditionModel(
        block_out_channels=(4, 8),
        down_block_types=(DOWN_TEXT, DOWN),
        up_block_types=(UP, UP_TEXT),
        layers_per_block=1,
        attention_head_dim=2,
        time_cond_proj_dim=9,
        **common,
    )
    randomize(unet, 12).save_pretrained(fresh("unet-guided"))
    run_unet(HERE / "unet-guided", "unet-guided-even", 2, (8, 8), 759, 4, guidance=[8.5, 1.5])

    unet = UNet2DConditionModel(
        block_out_channels=(4, 8),
        down_block_types=(DOWN, DOWN_TEXT),
        mid_block_type="UNetMidBlock2D",
        up_block_types=(UP_TEXT, UP),
        layers_per_block=2,
        transformer_layers_per_block=[1, [2, 1]],
        reverse_transformer_layers_per_block=[[1, 1, 2], 1],
        attention_head_dim=(1, 2),
        time_cond_proj_dim=8,
        **xl,
        **common,
    )
    randomize(unet, 13).half().save_pretrained(fresh("unet-uneven"))
    run_unet(HERE / "unet-uneven", "unet-uneven-even", 2, (6, 8), 499, 3, pooled=6, guidance=[3.0, 7.0])

    unet = UNet2DConditionModel(
        block_out_channels=(4, 8),
        down_block_types=(DOWN_TEXT, DOWN),
        mid_block_type=None,
        up_block_types=(UP, UP_TEXT),
        layers_per_block=1,
        transformer_layers_per_block=[[0], 1],
        reverse_transformer_layers_per_block=[1, [0, 1]],
        attention_head_dim=2,
        upcast_attention=True,
        **common,
    )
    randomize(unet, 14).half().save_pretrained(fresh("unet-shallow"))
    run_unet(HERE / "unet-shallow", "unet-shallow-even", 2, (8, 8), 21.25, 3)


def vae():
    """`vae-xl`: no attention, latents with a mean and a deviation for each channel, an encoder that nobody reads."""
    vae = AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=2,
        mid_block_add_attention=False,
        scaling_factor=0.5,
        latents_mean=[-1.5, 0.25, 3.0, 0.0],
        latents_std=[8.5, 1.0, 0.5, 2.0],
        force_upcast=True,
    )
    folder = fresh("vae-xl")
    randomize(vae, 15).half().save_pretrained(folder)
    run_vae(folder, "vae-xl-image", (4, 6))


def text_encoders():
    """`text-projected`: the second encoder of Stable Diffusion XL, in shards of the fp16 variant. `text-plain`: a bare tower with the
    old rule for the pooled token and the names of transformers 4."""
    sizes = dict(vocab_size=40, max_position_embeddings=9, bos_token_id=1, pad_token_id=0)
    small = dict(hidden_size=12, intermediate_size=24, num_attention_heads=3, num_hidden_layers=3, **sizes)
    model = CLIPTextModelWithProjection(CLIPTextConfig(hidden_act="gelu", eos_token_id=2, projection_dim=10, **small))
    folder = fresh("text-projected")
    randomize(model, 16).half().save_pretrained(folder, variant="fp16", max_shard_size="6KB")
    model = CLIPTextModelWithProjection.from_pretrained(folder, variant="fp16", **F32).eval()
    ids = torch.tensor([[1, 5, 39, 2, 0, 0, 0, 0, 0], [1, 7, 8, 9, 38, 39, 2, 0, 0]])
    record_text("text-projected-features", model, model.text_model, ids)

    model = CLIPTextModel(CLIPTextConfig(hidden_act="quick_gelu", eos_token_id=38, **small))
    folder = fresh("text-plain")
    randomize(model, 17).save_pretrained(folder)
    record_text("text-plain-features", model, model, ids)
    file = folder / "model.safetensors"
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(file).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(9)[None]
    save_file(tensors, file, {"format": "pt"})


def record_text(name, model, tower, ids):
    """Hidden states from the last to the embeddings, without and with the final norm."""
    out = model(input_ids=ids, output_hidden_states=True)
    tensors = {"ids": ids, "last": out.last_hidden_state}
    for skip, hidden in enumerate(reversed(out.hidden_states)):
        tensors[f"hidden-{skip}"] = hidden
        tensors[f"normed-{skip}"] = tower.final_layer_norm(hidden)
    if "text_embeds" in out:
        tensors["pooled"] = out.text_embeds
    write(name, tensors)


def vision():
    """`vision-projected`: a vision tower alone, exact gelu, a patch that leaves pixels over."""
    config = dict(hidden_size=12, intermediate_size=24, num_attention_heads=2, num_hidden_layers=2, projection_dim=10)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_act="gelu", image_size=14, patch_size=4, **config))
    folder = fresh("vision-projected")
    randomize(model, 18).bfloat16().save_pretrained(folder)
    model = CLIPVisionModelWithProjection.from_pretrained(folder, **F32).eval()
    pixels = torch.randn((2, 3, 14, 14), generator=torch.Generator().manual_seed(9))
    write("vision-projected-embeds", {"pixels": pixels, "image": model(pixel_values=pixels).image_embeds})


def make():
    unets()
    vae()
    text_encoders()
    vision()
