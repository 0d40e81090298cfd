"""Makes the tiny models of every family (`models.py`) and what diffusers' own pipelines make of them.

Run it from this folder with the packages of `requirements.txt`, on a CPU; it rewrites the folders beside it:

    python make.py            # everything
    python make.py sd1 lcm    # these

Weights of half types are widened to f32 before anything is computed, as difftest does on a CPU.
"""

import json
import sys
from contextlib import contextmanager
from copy import deepcopy
from importlib.metadata import version

import diffusers
import torch
from diffusers import DiffusionPipeline
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_lcm
from diffusers.utils.torch_utils import randn_tensor
from safetensors.torch import save_file
from transformers import CLIPTextModel

import models
from cases import CASES

VARIANTS = {"sdxl-turbo": "fp16"}

# diffusers 0.42 asks for `text_encoder.text_model.final_layer_norm` where layers are skipped; since transformers 5 the model is
# what its attribute was
CLIPTextModel.text_model = property(lambda self: self)


def load(name):
    more = dict(safety_checker=None, feature_extractor=None) if name == "sd1" else {}
    pipeline = DiffusionPipeline.from_pretrained(
        models.HERE / name, dtype=torch.float32, variant=VARIANTS.get(name), **more
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def is_xl(pipeline):
    return hasattr(pipeline, "text_encoder_2")


def embeddings(pipeline, prompt, clip_skip=None):
    """`[1, 77, width]`, and pooled `[1, width]` where the family has it."""
    if is_xl(pipeline):
        found = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False, clip_skip=clip_skip)
        return found[0], found[2]
    return pipeline.encode_prompt(prompt, "cpu", 1, False, clip_skip=clip_skip)[0], None


def networks(pipeline):
    """Inputs and outputs of each network of a pipeline by itself."""
    generator = torch.Generator().manual_seed(7)
    text, pooled = embeddings(pipeline, "a red circle on a blue background")
    tensors = {"text.hidden": text}
    config = pipeline.unet.config
    # 10 and 7 do not halve evenly: upsampling must follow the skips
    sample = torch.randn((1, config.in_channels, 10, 7), generator=generator)
    more = {}
    if is_xl(pipeline):
        time_ids = torch.tensor([[20.0, 14.0, 3.0, 5.0, 40.0, 28.0]])
        more["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": time_ids}
        tensors |= {"text.pooled": pooled, "unet.time_ids": time_ids}
    if config.time_cond_proj_dim:
        guidance = torch.tensor([5.0])
        more["timestep_cond"] = pipeline.get_guidance_scale_embedding(guidance - 1, config.time_cond_proj_dim)
        tensors["unet.guidance"] = guidance
    timestep = 621.5
    prediction = pipeline.unet(sample, timestep, text, **more).sample
    tensors |= {"unet.sample": sample, "unet.timestep": torch.tensor([timestep]), "unet.prediction": prediction}
    latents = torch.randn((1, pipeline.vae.config.latent_channels, 5, 6), generator=generator)
    tensors |= {"vae.latents": latents, "vae.image": pipeline.vae.decode(latents).sample}
    return tensors


def scheduler(pipeline, own, case):
    """As people change it: another class, made from the settings of the model's own one. That one by name is no change."""
    kind = getattr(diffusers, case.scheduler) if case.scheduler else type(own)
    more = {"use_karras_sigmas": True} if case.karras else {}
    changed = more or kind is not type(own)
    pipeline.scheduler = kind.from_config(own.config, **more) if changed else deepcopy(own)


@contextmanager
def drawing(dtype):
    """Schedulers draw noise in the type of the model: here in another one, as a model of that type would."""
    modules = [scheduling_euler_ancestral_discrete, scheduling_lcm] if dtype else []
    draw = randn_tensor

    def half(*shape, dtype=None, **more):
        return draw(*shape, dtype=wanted, **more).to(dtype)

    wanted = getattr(torch, dtype) if dtype else None
    for module in modules:
        module.randn_tensor = half
    yield
    for module in modules:
        module.randn_tensor = draw


def run(pipeline, case):
    """The latents after the last step and the image."""
    generator = torch.Generator().manual_seed(case.seed)
    factor = pipeline.vae_scale_factor
    width, height = case.size or [pipeline.unet.config.sample_size * factor] * 2
    how = dict(num_inference_steps=case.steps, width=width, height=height, generator=generator)
    if case.guidance is not None:
        how["guidance_scale"] = case.guidance
    if case.negative is not None:
        how["negative_prompt"] = case.negative
    if case.clip_skip is not None:
        how["clip_skip"] = case.clip_skip
    if case.noise is not None:
        shape = (1, pipeline.unet.config.in_channels, height // factor, width // factor)
        how["latents"] = torch.randn(shape, generator=generator, dtype=getattr(torch, case.noise)).float()
    last = {}

    def remember(_pipeline, _step, _timestep, kwargs):
        last["latents"] = kwargs["latents"]
        return {}

    with drawing(case.noise):
        image = pipeline(case.prompt, output_type="pil", callback_on_step_end=remember, **how).images[0]
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(height, width, 3)
    return last["latents"][0].contiguous(), pixels


def record(name):
    pipeline = load(name)
    own = pipeline.scheduler
    tensors = {key: value.contiguous() for key, value in networks(pipeline).items()}
    cases = []
    for case in CASES[name]:
        scheduler(pipeline, own, case)
        latents, pixels = run(pipeline, case)
        spread = pixels.float().std().item()
        assert latents.isfinite().all() and spread > 10, f"{name} {case.name}: no picture (spread {spread})"
        tensors[f"{case.name}.latents"] = latents
        tensors[f"{case.name}.image"] = pixels
        cases.append(case.json())
    save_file(tensors, models.HERE / f"{name}.safetensors")
    return {"family": name, "cases": cases}


@torch.no_grad()
def main(names):
    torch.set_num_threads(1)
    file = models.HERE / "index.json"
    known = json.loads(file.read_text())["families"] if file.exists() else []
    families = {family["family"]: family for family in known}
    for name in names or models.FAMILIES:
        models.save(name, models.HERE / name)
        families[name] = record(name)
        print(name, len(families[name]["cases"]))
    made_with = {package: version(package) for package in ("torch", "diffusers", "transformers", "tokenizers")}
    # one case a line
    parts = []
    for name in models.FAMILIES:
        rows = ",\n".join("    " + json.dumps(case) for case in families[name]["cases"])
        parts.append(f'  {{"family": "{name}", "cases": [\n{rows}\n  ]}}')
    whole = ",\n".join(parts)
    file.write_text(f'{{"made_with": {json.dumps(made_with)},\n"families": [\n{whole}\n]}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
