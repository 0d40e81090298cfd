"""Images from `builtin:shapes` with diffusers: `shapes.py MODEL WORK.json OUT THREADS BATCH`.

WORK.json holds `steps`, `guidance` and `cases`, a list of `[prompt, seed]`; case i becomes OUT/i.png. Weights are fp16 on disk and
computed in float32, one generator per image, as difftest does. `BATCH` images share a call of the pipeline.
"""

import json
import sys
import time

started = time.perf_counter()

import torch
from diffusers import StableDiffusionPipeline

from measured import answer

model, work_path, out, threads, batch = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(threads)
with open(work_path) as file:
    work = json.load(file)
pipeline = StableDiffusionPipeline.from_pretrained(model, dtype=torch.float32, safety_checker=None)
pipeline.set_progress_bar_config(disable=True)


def generate(cases):
    return pipeline(
        [prompt for prompt, _ in cases],
        generator=[torch.Generator().manual_seed(seed) for _, seed in cases],
        num_inference_steps=work["steps"],
        guidance_scale=work["guidance"],
    ).images


ready = time.perf_counter()
cases = work["cases"]
for start in range(0, len(cases), batch):
    for offset, image in enumerate(generate(cases[start : start + batch])):
        image.save(f"{out}/{start + offset}.png")
done = time.perf_counter()
answer(load_seconds=ready - started, seconds=done - ready, images=len(cases))
