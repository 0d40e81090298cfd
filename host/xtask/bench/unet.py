"""A random UNet of Stable Diffusion 1.5's size in diffusers.

`unet.py make FOLDER` writes it (config.json and float32 safetensors, 3.4 GB) with one input and torch's answer beside it.
`unet.py run FOLDER THREADS REPEATS` times one call on that input: latents [1, 4, 64, 64], text [1, 77, 768], timestep 500.
"""

import sys
import time

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from measured import answer

TIMESTEP = 500


def load(folder):
    return UNet2DConditionModel.from_pretrained(folder, dtype=torch.float32).eval()


@torch.inference_mode()
def make(folder):
    torch.manual_seed(0)
    # the configuration of Stable Diffusion 1.5: what is not named here is the default of the class
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8).eval()
    unet.save_pretrained(folder)
    inputs = {"latents": torch.randn(1, 4, 64, 64), "text": torch.randn(1, 77, 768)}
    answer_to_check = unet(inputs["latents"], TIMESTEP, inputs["text"]).sample
    save_file({**inputs, "noise": answer_to_check}, f"{folder}/example.safetensors")
    answer()


@torch.inference_mode()
def run(folder, threads, repeats):
    torch.set_num_threads(threads)
    started = time.perf_counter()
    unet = load(folder)
    loaded = time.perf_counter()
    example = load_file(f"{folder}/example.safetensors")
    seconds = []
    for _ in range(1 + repeats):
        begin = time.perf_counter()
        unet(example["latents"], TIMESTEP, example["text"])
        seconds.append(time.perf_counter() - begin)
    # the first call pays for memory and code that later steps find ready
    answer(load_seconds=loaded - started, first_seconds=seconds[0], step_seconds=seconds[1:])


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
