"""Random networks of the size people run, in diffusers and transformers: `unet` and `vae` of Stable Diffusion 1.5, `clip` ViT-L/14.

`networks.py make KIND FOLDER` writes one (config.json and float32 safetensors) with one input and torch's answer beside it.
`networks.py run KIND FOLDER THREADS REPEATS` times one call on that input, after a first one that is told apart:
unet: latents [1, 4, 64, 64], text [1, 77, 768], timestep 500; vae: decoding latents [1, 4, 64, 64] to 512x512;
clip: the image embeddings of pixels [8, 3, 224, 224] by a `CLIPModel`, which is what torchmetrics' CLIPScore loads and calls.
`networks.py gemm THREADS REPEATS` times products of large matrices: as fast as torch multiplies on this machine.
"""

import sys
import time

import torch

from measured import answer

TIMESTEP = 500
# side of the matrices, and products in one timing
GEMM_SIDE, GEMM_CHAIN = 2048, 8


class Unet:
    inputs = {"latents": (1, 4, 64, 64), "text": (1, 77, 768)}
    output = "noise"

    @staticmethod
    def library():
        from diffusers import UNet2DConditionModel

        return UNet2DConditionModel

    @classmethod
    def build(cls):
        # the configuration of Stable Diffusion 1.5: what is not named here is the default of the class
        return cls.library()(sample_size=64, cross_attention_dim=768, attention_head_dim=8)

    @staticmethod
    def call(model, example):
        return model(example["latents"], TIMESTEP, example["text"]).sample


class Vae:
    inputs = {"latents": (1, 4, 64, 64)}
    output = "image"

    @staticmethod
    def library():
        from diffusers import AutoencoderKL

        return AutoencoderKL

    @classmethod
    def build(cls):
        channels = [128, 256, 512, 512]
        return cls.library()(
            block_out_channels=channels,
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            layers_per_block=2,
            sample_size=512,
        )

    @staticmethod
    def call(model, example):
        return model.decode(example["latents"]).sample


class Clip:
    inputs = {"pixels": (8, 3, 224, 224)}
    output = "embeds"

    @staticmethod
    def library():
        from transformers import CLIPModel

        return CLIPModel

    @classmethod
    def build(cls):
        from transformers import CLIPConfig

        text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "projection_dim": 768}
        vision = {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 14,
            "projection_dim": 768,
        }
        return cls.library()(CLIPConfig(text_config=text, vision_config=vision, projection_dim=768))

    @staticmethod
    def call(model, example):
        features = model.get_image_features(pixel_values=example["pixels"])
        return features if isinstance(features, torch.Tensor) else features.pooler_output


KINDS = {"unet": Unet, "vae": Vae, "clip": Clip}


@torch.inference_mode()
def make(kind, folder):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = kind.build().eval()
    model.save_pretrained(folder)
    example = {name: torch.randn(shape) for name, shape in kind.inputs.items()}
    save_file({**example, kind.output: kind.call(model, example).contiguous()}, f"{folder}/example.safetensors")
    answer()


@torch.inference_mode()
def run(kind, folder, threads, repeats):
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    started = time.perf_counter()
    model = kind.library().from_pretrained(folder, dtype=torch.float32).eval()
    loaded = time.perf_counter()
    example = load_file(f"{folder}/example.safetensors")
    seconds = []
    for _ in range(1 + repeats):
        begin = time.perf_counter()
        kind.call(model, example)
        seconds.append(time.perf_counter() - begin)
    # the first call pays for memory and code that later calls find ready
    times = {"load_seconds": loaded - started, "first_seconds": seconds[0], "step_seconds": seconds[1:]}
    # without repeats, the whole process is what is timed: nothing more is to happen in it
    answer(**times, **({"flops": flops(kind)} if repeats else {}))


def flops(kind):
    """Floating-point operations of one call, as torch counts them, on tensors without data."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        model = kind.build().eval()
        example = {name: torch.empty(shape) for name, shape in kind.inputs.items()}
        with FlopCounterMode(display=False) as counter:
            kind.call(model, example)
    return counter.get_total_flops()


@torch.inference_mode()
def gemm(threads, repeats):
    torch.set_num_threads(threads)
    matrix = torch.full((GEMM_SIDE, GEMM_SIDE), 1.0 / GEMM_SIDE)
    rates = []
    for _ in range(1 + repeats):
        begin = time.perf_counter()
        product = matrix
        for _ in range(GEMM_CHAIN):
            product = product @ matrix
        rates.append(2 * GEMM_SIDE**3 * GEMM_CHAIN / (time.perf_counter() - begin))
    answer(gemm_flops=rates[1:], mean=product.mean().item())


if sys.argv[1] == "gemm":
    gemm(int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "make":
    make(KINDS[sys.argv[2]], sys.argv[3])
else:
    run(KINDS[sys.argv[2]], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
