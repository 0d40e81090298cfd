"""What the scripts of this folder share."""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPModel

HERE = Path(__file__).parent
F32 = {"torch_dtype": torch.float32}


def randomize(model, seed):
    """Weights that keep activations of order one, with no two channels and no norm alike."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        scale = 0.1 if parameter.dim() < 2 else fan_in**-0.5
        base = 1.0 if parameter.dim() == 1 and "norm" in name and name.endswith("weight") else 0.0
        parameter.data = base + scale * noise
    return model.eval()


def fresh(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def write(name, tensors):
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, HERE / f"{name}.safetensors")


def run_unet(folder, name, batch, size, timestep, length, variant=None, pooled=None, guidance=None):
    """Records a prediction. `pooled` is the width of the added text embedding; `guidance` the scale of each row."""
    unet = UNet2DConditionModel.from_pretrained(folder, variant=variant, **F32).eval()
    generator = torch.Generator().manual_seed(7)
    sample = torch.randn((batch, unet.config.in_channels, *size), generator=generator)
    text = torch.randn((batch, length, unet.config.cross_attention_dim), generator=generator)
    tensors = {"sample": sample, "timestep": torch.tensor([float(timestep)]), "text": text}
    more = {}
    if pooled is not None:
        sizes = torch.tensor([[512.0, 768, 0, 0, 512, 768], [1024.0, 640, 16, 200, 1023, 1]])[:batch]
        added = {"text_embeds": torch.randn((batch, pooled), generator=generator), "time_ids": sizes}
        more["added_cond_kwargs"] = added
        tensors |= {"pooled": added["text_embeds"], "time_ids": sizes}
    if guidance is not None:
        more["timestep_cond"] = guidance_embedding(torch.tensor(guidance) - 1, unet.config.time_cond_proj_dim)
        tensors["guidance"] = torch.tensor(guidance)
    tensors["prediction"] = unet(sample, timestep, text, **more).sample
    write(name, tensors)


def guidance_embedding(scale, width):
    """As the pipeline that needs it computes it."""
    from diffusers import LatentConsistencyModelPipeline

    return LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, scale, embedding_dim=width)


def run_vae(folder, name, size):
    vae = AutoencoderKL.from_pretrained(folder, **F32).eval()
    latents = torch.randn((1, vae.config.latent_channels, *size), generator=torch.Generator().manual_seed(8))
    write(name, {"latents": latents, "image": vae.decode(latents).sample})


def run_clip(folder, name, ids):
    clip = CLIPModel.from_pretrained(folder, **F32).eval()
    side = clip.config.vision_config.image_size
    pixels = torch.randn((2, 3, side, side), generator=torch.Generator().manual_seed(9))
    text = clip.text_projection(clip.text_model(input_ids=ids).pooler_output)
    image = clip.visual_projection(clip.vision_model(pixel_values=pixels).pooler_output)
    write(name, {"ids": ids, "text": text, "pixels": pixels, "image": image})
