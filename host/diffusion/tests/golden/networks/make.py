"""Makes the golden data of single networks: inputs and outputs of each, and small random models of other shapes.

Made with torch 2.15.0, diffusers 0.42.1, transformers 5.23.0 on a CPU with one thread. Run it from this folder:

    python make.py ../../../../../suites/models

It rewrites the folders beside it. Weights of half types are widened to f32 before anything is computed.
"""

import json
import sys
from pathlib import Path

import family
import torch
from common import HERE, fresh, randomize, run_clip, run_unet, run_vae
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel


def small_unets():
    """`unet-linear`: the options of Stable Diffusion 2. `unet-cross`: those of its neighbours, in bf16 shards."""
    common = dict(sample_size=8, norm_num_groups=2, flip_sin_to_cos=False, freq_shift=1)
    linear = UNet2DConditionModel(
        block_out_channels=(4, 8, 8),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=(1, 2, 1),
        transformer_layers_per_block=(1, 2, 1),
        attention_head_dim=(2, 4, 1),
        cross_attention_dim=6,
        use_linear_projection=True,
        **common,
    )
    randomize(linear, 1).half().save_pretrained(fresh("unet-linear"))
    run_unet(HERE / "unet-linear", "unet-linear-even", 2, (8, 12), 731, 5)
    # 10 and 7 halve to 5, 3 and 4, 2: upsampling must follow the skips
    run_unet(HERE / "unet-linear", "unet-linear-odd", 1, (10, 7), 12.5, 3)

    cross = UNet2DConditionModel(
        block_out_channels=(4, 6),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(2, 3),
        only_cross_attention=(True, False),
        cross_attention_dim=6,
        in_channels=3,
        out_channels=5,
        conv_in_kernel=5,
        conv_out_kernel=1,
        time_embedding_dim=24,
        norm_eps=1e-3,
        **common,
    )
    randomize(cross, 2).bfloat16().save_pretrained(fresh("unet-cross"), max_shard_size="15KB")
    run_unet(HERE / "unet-cross", "unet-cross-even", 1, (8, 8), 3, 77)


def small_vae():
    """`vae-old`: f32, attention under the names and in the shape of 2022, no convolution before the decoder."""
    vae = AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=2,
        norm_num_groups=2,
        latent_channels=3,
        use_post_quant_conv=False,
        shift_factor=0.25,
    )
    folder = fresh("vae-old")
    randomize(vae, 3).save_pretrained(folder)
    run_vae(folder, "vae-old-image", (5, 6))
    file = folder / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, tensor in load_file(file).items():
        if name.startswith(("encoder.", "quant_conv.")):
            continue
        for new_name, old_name in old.items():
            if f".attentions.0.{new_name}." in name:
                name = name.replace(new_name, old_name)
                tensor = tensor[:, :, None, None] if tensor.dim() == 2 else tensor
                break
        tensors[name] = tensor.contiguous()
    save_file(tensors, file)


def small_clip():
    """`clip-gelu`: OpenCLIP's activation, the old rule for the pooled token, and a config that says its sizes twice."""
    tower = dict(intermediate_size=24, num_attention_heads=3, num_hidden_layers=2, hidden_act="gelu")
    text = dict(tower, hidden_size=12, vocab_size=40, max_position_embeddings=9, eos_token_id=2, bos_token_id=0)
    vision = dict(tower, hidden_size=18, image_size=12, patch_size=4)
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=10))
    folder = fresh("clip-gelu")
    randomize(clip, 4).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config_dict"] = {"num_hidden_layers": 2}
    config["text_config"]["num_hidden_layers"] = 12
    ids = torch.tensor([[1, 5, 39, 2, 2, 2, 2, 2, 2], [1, 7, 8, 9, 39, 39, 2, 2, 2]])
    run_clip(folder, "clip-gelu-embeds", ids)
    (folder / "config.json").write_text(json.dumps(config, indent=1))


@torch.no_grad()
def main(models):
    torch.set_num_threads(1)
    small_unets()
    small_vae()
    small_clip()
    family.make()
    run_unet(models / "shapes/unet", "shapes-unet", 2, (16, 16), 561, 77)
    run_vae(models / "shapes/vae", "shapes-vae", (16, 16))
    ids = torch.tensor([[617, 10, 20, 30, 618] + [618] * 72])
    run_clip(models / "shapes-clip", "shapes-clip", ids)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
