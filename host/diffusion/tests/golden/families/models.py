"""Tiny random models of every family, in folders as their real repositories are laid out.

A family keeps every field of the configs of the repository it stands for; only sizes are shrunk. Where a real file leaves
fields out, has older names or other tensors than a library of today would write, the folder is changed to be like it.
"""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

HERE = Path(__file__).parent
WORDS = HERE.parents[4] / "suites/models/shapes/tokenizer"
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
"""What stands in the scheduler_config.json of most repositories, whatever the class."""
COMMON = dict(BETAS, clip_sample=False, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None)


def randomize(model, seed, out=1.0):
    """Weights that keep activations of order one, with no two channels and no norm alike; `out` scales the last layer's."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        scale = 0.1 if parameter.dim() < 2 else fan_in**-0.5
        if "embedding.weight" in name:
            scale = 1.0
        if name.endswith("conv_out.weight") and not name.startswith("encoder."):
            scale *= out
        base = 1.0 if parameter.dim() == 1 and "norm" in name and name.endswith("weight") else 0.0
        parameter.data = base + scale * noise
    return model.eval()


def text_encoder(seed, kind=CLIPTextModel, **config):
    """CLIP's text tower; ids of the special tokens in the config as the real ones have them: of no vocabulary."""
    sizes = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=3, projection_dim=16)
    common = dict(vocab_size=619, max_position_embeddings=77, bos_token_id=0, eos_token_id=2, pad_token_id=1)
    return randomize(kind(CLIPTextConfig(**{**sizes, **common, **config})), seed)


def tokenizer(**config):
    return CLIPTokenizer.from_pretrained(WORDS, **config)


def vae(seed, levels=2, **config):
    common = dict(norm_num_groups=2, layers_per_block=1, sample_size=8 << (levels - 1))
    model = AutoencoderKL(
        block_out_channels=(4, 8, 8)[:levels],
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        **{**common, **config},
    )
    # few pixels beyond black and white, which would hide differences
    return randomize(model, seed, out=0.5)


def unet(seed, blocks, **config):
    """`blocks`: one letter a level, `x` with cross attention."""
    down = {"x": "CrossAttnDownBlock2D", "d": "DownBlock2D"}
    up = {"x": "CrossAttnUpBlock2D", "d": "UpBlock2D"}
    common = dict(sample_size=8, norm_num_groups=2, layers_per_block=1, cross_attention_dim=16)
    model = UNet2DConditionModel(
        down_block_types=[down[block] for block in blocks],
        up_block_types=[up[block] for block in reversed(blocks)],
        **{**common, **config},
    )
    # with small steps, or the walk multiplies every rounding: trained models do not
    return randomize(model, seed, out=0.15)


def sd(seed, text, unet, vae, scheduler, pad="<|endoftext|>", kind=StableDiffusionPipeline):
    return kind(
        text_encoder=text,
        tokenizer=tokenizer(pad_token=pad),
        unet=unet,
        vae=vae,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sd1():
    """Stable Diffusion 1.5: convolutions around attention, 8 heads everywhere (2 here), PNDM."""
    network = unet(11, "xxd", block_out_channels=(4, 8, 8), layers_per_block=2, attention_head_dim=2)
    scheduler = PNDMScheduler(**{key: COMMON[key] for key in COMMON if key != "clip_sample"})
    return sd(1, text_encoder(12, hidden_act="quick_gelu"), network, vae(13), scheduler)


def sd2():
    """Stable Diffusion 2.1: linear projections, heads by level, exact gelu, v-prediction, DDIM, `!` as padding."""
    network = unet(
        21,
        "xxxd",
        block_out_channels=(4, 8, 8, 8),
        attention_head_dim=(1, 2, 4, 4),
        use_linear_projection=True,
        upcast_attention=True,
    )
    scheduler = DDIMScheduler(prediction_type="v_prediction", **{k: COMMON[k] for k in COMMON if k != "skip_prk_steps"})
    return sd(2, text_encoder(22, hidden_act="gelu"), network, vae(23), scheduler, pad="!")


def sd_turbo():
    """SD-Turbo: the networks of Stable Diffusion 2, epsilon, Euler with trailing timesteps."""
    network = unet(
        31, "xxxd", block_out_channels=(4, 8, 8, 8), attention_head_dim=(1, 2, 4, 4), use_linear_projection=True
    )
    scheduler = EulerDiscreteScheduler(timestep_spacing="trailing", steps_offset=1, **BETAS)
    return sd(3, text_encoder(32, hidden_act="gelu"), network, vae(33), scheduler, pad="!")


def sdxl_networks(seed, **config):
    """Two text encoders whose widths add up, sizes of the picture beside the timestep."""
    network = unet(
        seed + 1,
        "dxx",
        block_out_channels=(4, 8, 8),
        attention_head_dim=(1, 2, 4),
        cross_attention_dim=28,
        use_linear_projection=True,
        upcast_attention=None,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 10,
        **{"transformer_layers_per_block": (1, 1, 2), **config},
    )
    return dict(
        unet=network,
        text_encoder=text_encoder(seed + 2, hidden_act="quick_gelu", num_hidden_layers=4),
        text_encoder_2=text_encoder(
            seed + 3, CLIPTextModelWithProjection, hidden_act="gelu", hidden_size=12, projection_dim=10, num_hidden_layers=4
        ),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(pad_token="!"),
        vae=vae(seed + 4, levels=3, scaling_factor=0.13025, force_upcast=True),
        add_watermarker=False,
    )


def sdxl():
    """Stable Diffusion XL: Euler with leading timesteps; nothing said against means zeros, not the empty prompt."""
    scheduler = EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **BETAS)
    return StableDiffusionXLPipeline(scheduler=scheduler, **sdxl_networks(40))


def sdxl_turbo():
    """SDXL-Turbo: ancestral Euler with trailing timesteps."""
    scheduler = EulerAncestralDiscreteScheduler(timestep_spacing="trailing", steps_offset=1, **BETAS)
    return StableDiffusionXLPipeline(scheduler=scheduler, **sdxl_networks(50))


def ssd():
    """SSD-1B, distilled from SDXL: depths by single attention, others upwards, a middle without attention."""
    scheduler = EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **BETAS)
    networks = sdxl_networks(
        60,
        layers_per_block=2,
        mid_block_type="UNetMidBlock2D",
        transformer_layers_per_block=(0, 2, (2, 1)),
        reverse_transformer_layers_per_block=((1, 1, 2), (2, 1, 1), 0),
    )
    return StableDiffusionXLPipeline(scheduler=scheduler, **networks)


def lcm():
    """LCM Dreamshaper v7: Stable Diffusion 1 that takes the guidance as an input."""
    network = unet(71, "xxd", block_out_channels=(4, 8, 8), attention_head_dim=2, time_cond_proj_dim=16)
    text = text_encoder(72, hidden_act="quick_gelu")
    return sd(7, text, network, vae(73), LCMScheduler(**BETAS), kind=LatentConsistencyModelPipeline)


def tiny_sd():
    """Segmind's tiny-sd, distilled from Stable Diffusion 1: attention at every level, no middle."""
    network = unet(81, "xxx", block_out_channels=(4, 8, 8), attention_head_dim=2, mid_block_type=None)
    scheduler = PNDMScheduler(**{key: COMMON[key] for key in COMMON if key != "clip_sample"})
    return sd(8, text_encoder(82, hidden_act="quick_gelu"), network, vae(83), scheduler)


FAMILIES = {
    "sd1": (sd1, {}),
    "sd2": (sd2, dict(half=True)),
    "sd-turbo": (sd_turbo, dict(half=True)),
    "sdxl": (sdxl, dict(half=True)),
    "sdxl-turbo": (sdxl_turbo, dict(half=True, variant="fp16")),
    "ssd": (ssd, dict(half=True)),
    "lcm": (lcm, dict(half=True)),
    "tiny-sd": (tiny_sd, dict(half=True, max_shard_size="24KB")),
}


def save(name, folder):
    """Writes the folder of a family."""
    make, how = FAMILIES[name]
    how = dict(how)
    shutil.rmtree(folder, ignore_errors=True)
    pipeline = make()
    if how.pop("half", False):
        pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, **how)
    if name == "sd1":
        like_2022(folder)
    if name in ("sd1", "sd2", "sdxl"):
        for tokens in folder.glob("tokenizer*"):
            slow_tokenizer(tokens, "!" if name == "sd2" or tokens.name == "tokenizer_2" else "<|endoftext|>")
    if name == "tiny-sd":
        # as the oldest files: pipelines of Stable Diffusion set the offset to 1, but only for the scheduler they come with
        edit(folder / "scheduler/scheduler_config.json", lambda config: config.pop("steps_offset"))
    if name in ("sd2", "sd-turbo", "sdxl", "sdxl-turbo"):
        foreign_scheduler_fields(folder / "scheduler/scheduler_config.json")


def edit(file, change):
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def keep(file, keys):
    """Leaves only `keys`: a reader has to know the defaults of the rest."""
    keys = keys.split() + ["_class_name", "_diffusers_version"]
    edit(file, lambda config: [config.pop(key) for key in list(config) if key not in keys])


def like_2022(folder):
    """A safety checker in the index, which nothing here reads; only the fields that files had then; attention of the VAE and
    the text encoder under their names of then, and position ids among the weights."""
    checker = dict(
        feature_extractor=["transformers", "CLIPImageProcessor"],
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
    )
    edit(folder / "model_index.json", lambda index: (index.update(checker), index.pop("requires_safety_checker")))
    keep(
        folder / "unet/config.json",
        """act_fn attention_head_dim block_out_channels center_input_sample cross_attention_dim down_block_types
        downsample_padding flip_sin_to_cos freq_shift in_channels layers_per_block mid_block_scale_factor norm_eps
        norm_num_groups out_channels sample_size up_block_types""",
    )
    keep(
        folder / "vae/config.json",
        """act_fn block_out_channels down_block_types in_channels latent_channels layers_per_block norm_num_groups
        out_channels sample_size up_block_types""",
    )
    keep(
        folder / "scheduler/scheduler_config.json",
        """beta_end beta_schedule beta_start num_train_timesteps set_alpha_to_one skip_prk_steps steps_offset
        trained_betas clip_sample""",
    )
    edit(folder / "scheduler/scheduler_config.json", lambda config: config.update(clip_sample=False))

    file = folder / "vae/diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, tensor in load_file(file).items():
        for new_name, old_name in old.items():
            name = name.replace(f".attentions.0.{new_name}.", f".attentions.0.{old_name}.")
        tensors[name] = tensor.contiguous()
    save_file(tensors, file, {"format": "pt"})

    file = folder / "text_encoder/model.safetensors"
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(file).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(tensors, file, {"format": "pt"})


def slow_tokenizer(folder, pad):
    """The four files that nearly all repositories have, from before `tokenizer.json`."""
    shutil.rmtree(folder)
    folder.mkdir()
    for file in ("vocab.json", "merges.txt"):
        shutil.copyfile(WORDS / file, folder / file)

    def token(text):
        return dict(content=text, lstrip=False, normalized=True, rstrip=False, single_word=False)

    special = dict(bos_token=token("<|startoftext|>"), eos_token=token("<|endoftext|>"), unk_token=token("<|endoftext|>"))
    typed = {name: dict(token, __type="AddedToken") for name, token in special.items()}
    config = dict(
        typed,
        add_prefix_space=False,
        do_lower_case=True,
        errors="replace",
        model_max_length=77,
        pad_token=pad,
        tokenizer_class="CLIPTokenizer",
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    special["pad_token"] = pad
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2, sort_keys=True) + "\n")


def foreign_scheduler_fields(file):
    """Fields of other classes, which the real files carry along from scheduler to scheduler."""
    foreign = dict(clip_sample=False, set_alpha_to_one=False, skip_prk_steps=True, sample_max_value=1.0)
    edit(file, lambda config: [config.setdefault(key, value) for key, value in foreign.items()])
