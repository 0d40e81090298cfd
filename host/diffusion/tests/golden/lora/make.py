"""Makes small LoRA files for the models of `../families`, and what diffusers and peft make of the models with them.

Run it from this folder, on a CPU, with the packages of `../families/requirements.txt` and peft 0.21.2:

    python make.py

Every file is loaded, weighted and merged by diffusers' `load_lora_weights`, `set_adapters` and `fuse_lora`; only the file with
a decomposed convolution, which diffusers does not read, is checked against the three convolutions that it stands for. Weights of
half types are widened to f32 before anything is computed, as difftest does on a CPU.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import CLIPTextModel

HERE = Path(__file__).parent
FAMILIES = HERE.parent / "families"
sys.path.insert(0, str(FAMILIES))

import cases  # noqa: E402
import make as families  # noqa: E402

# `families` gives it back for `clip_skip`; diffusers tells by it how the modules of an encoder are called
del CLIPTextModel.text_model

ENCODERS = ("text_encoder", "text_encoder_2")


def modules(network, wanted):
    """Names and weights of the linear layers and convolutions of a network that `wanted` takes."""
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return {name: module.weight for name, module in network.named_modules() if isinstance(module, kinds) and wanted(name)}


def layers(pipeline, seed, wanted, rank):
    """`(component, module) -> (down, up)`; `rank` is asked for each module."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for component in ("unet", *ENCODERS):
        network = getattr(pipeline, component, None)
        for name, weight in (modules(network, lambda name: wanted(component, name)) if network else {}).items():
            size, (out, inputs, *kernel) = rank(name), weight.shape
            down = torch.randn((size, inputs, *kernel), generator=generator) * weight[0].numel() ** -0.5
            up = torch.randn((out, size, *(1 for _ in kernel)), generator=generator) * 0.5
            found[component, name] = (down, up)
    return found


def attention(component, name):
    """What most files change: projections of attention, here in some blocks."""
    if component == "unet":
        return any(part in name for part in ("down_blocks.0", "mid_block", "up_blocks.1.attentions.0")) and ".to_" in name
    return ".layers.1." in name and name.endswith("_proj")


def everything(component, name):
    """Layers of every kind, in some places."""
    if component == "unet":
        blocks = ("down_blocks.1", "mid_block", "up_blocks.1.attentions.1", "up_blocks.1.resnets.1", "up_blocks.0.upsamplers")
        outside = ("conv_in", "conv_out", "time_embedding", "add_embedding")
        return name.startswith(blocks + outside)
    return ".layers.0." in name or ".layers.1.mlp" in name or name == "text_projection"


def ldm(name, resnets):
    """A module of diffusers' UNet in the words of the original one."""
    fixed = {
        "conv_in": "input_blocks.0.0",
        "conv_out": "out.2",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
    }
    if name in fixed:
        return fixed[name]
    of_resnet = {"conv1": "in_layers.2", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
    side, *rest = name.split(".")
    if side == "mid_block":
        kind, number, *rest = rest
        entry = f"middle_block.{1 if kind == 'attentions' else 2 * int(number)}"
    else:
        block, kind, number, *rest = rest
        at = int(block) * (resnets + 1) + int(number)
        if kind.endswith("samplers"):
            at = int(block) * (resnets + 1) + resnets
            rest = ["op"] if side == "down_blocks" else ["conv"]
        part = {"resnets": 0, "attentions": 1, "downsamplers": 0, "upsamplers": 2}[kind]
        entry = f"input_blocks.{at + 1}.{part}" if side == "down_blocks" else f"output_blocks.{at}.{part}"
    inside = ".".join(rest)
    return f"{entry}.{of_resnet.get(inside, inside)}"


def kohya(lora, alphas, unet_name=lambda name: name, encoders=("lora_te_",)):
    """kohya's names; transformers of his time had `text_model` in front."""
    tensors = {}
    for (component, name), (down, up) in lora.items():
        if component == "unet":
            base = "lora_unet_" + unet_name(name).replace(".", "_")
        else:
            # an encoder with a projection still has it
            inside = name if name.startswith("text_") else f"text_model.{name}"
            base = encoders[ENCODERS.index(component)] + inside.replace(".", "_")
        tensors |= {f"{base}.lora_down.weight": down, f"{base}.lora_up.weight": up}
        tensors[f"{base}.alpha"] = torch.tensor(float(alphas(name)))
    return tensors


def new_names(lora, prefix=lambda component: f"{component}."):
    """diffusers' and peft's names."""
    tensors = {}
    for (component, name), (down, up) in lora.items():
        inside = name if component == "unet" else f"text_model.{name}"
        base = f"{prefix(component)}{inside}"
        tensors |= {f"{base}.lora_A.weight": down, f"{base}.lora_B.weight": up}
    return tensors


def old_names(lora, scale):
    """diffusers' names of 2023, in which nothing tells a scale."""
    tensors = {}
    for (component, name), (down, up) in lora.items():
        if component == "unet":
            parent, last = name.replace("to_out.0", "to_out").rsplit(".", 1)
            base = f"unet.{parent}.processor.{last}_lora"
        else:
            parent, last = name.rsplit(".", 1)
            base = f"{component}.text_model.{parent}.{last.replace('out_proj', 'to_out').replace('_proj', '').replace('to_', '')}"
            base = base.rsplit(".", 1)[0] + ".to_" + base.rsplit(".", 1)[1] + "_lora"
        tensors |= {f"{base}.down.weight": down, f"{base}.up.weight": up * scale}
    return tensors


def config(lora, component, rank, alpha):
    """What peft writes of a LoRA."""
    names = [name for of, name in lora if of == component]
    found = LoraConfig(r=rank, lora_alpha=alpha, target_modules=names).to_dict()
    return {key: sorted(value) if isinstance(value, set) else value for key, value in found.items()}


def save(tensors, path, metadata=None, dtype=torch.float32):
    path.parent.mkdir(exist_ok=True)
    save_file({key: value.to(dtype).contiguous() for key, value in tensors.items()}, path, metadata)


def merged(name, files):
    """The pipeline of a family with the files merged, each with its weight."""
    pipeline = families.load(name)
    for number, (file, _) in enumerate(files):
        pipeline.load_lora_weights(HERE / name, weight_name=f"{file}.safetensors", adapter_name=f"lora{number}")
    names = [f"lora{number}" for number in range(len(files))]
    pipeline.set_adapters(names, [weight for _, weight in files])
    pipeline.fuse_lora(components=[part for part in ("unet", *ENCODERS) if hasattr(pipeline, part)], adapter_names=names)
    pipeline.unload_lora_weights()
    return pipeline


def weights(pipeline, lora):
    """The merged weights of a few layers of each kind."""
    seen, tensors = set(), {}
    for component, name in lora:
        kind = (component, name.split(".")[-1])
        if kind not in seen:
            seen.add(kind)
            tensors[f"{component}.{name}.weight"] = getattr(pipeline, component).get_submodule(name).weight.detach().clone()
    return tensors


def record(name, files, loras):
    pipeline = merged(name, files)
    tensors = {key: value for key, value in families.networks(pipeline).items() if not key.startswith("vae")}
    for lora in loras:
        tensors |= weights(pipeline, lora)
    return {key: value.detach().contiguous() for key, value in tensors.items()}, pipeline


def same(left, right):
    for key, value in left.items():
        assert torch.allclose(value, right[key], rtol=0, atol=2e-5), (key, (value - right[key]).abs().max())


def sd1():
    pipeline = families.load("sd1")
    style = layers(pipeline, 1, attention, lambda name: 2)
    save(kohya(style, lambda name: 1), HERE / "sd1/kohya.safetensors")
    says = {f"{component}.{key}": value for component in ("unet", "text_encoder") for key, value in config(style, component, 2, 1).items()}
    save(new_names(style), HERE / "sd1/new.safetensors", {"lora_adapter_metadata": json.dumps(says), "format": "pt"})
    save(old_names(style, 0.5), HERE / "sd1/old.safetensors")
    of_unet = {key: value for key, value in style.items() if key[0] == "unet"}
    save(new_names(of_unet, lambda _: "base_model.model."), HERE / "sd1/peft/adapter_model.safetensors")
    (HERE / "sd1/peft/adapter_config.json").write_text(json.dumps(config(of_unet, "unet", 2, 1), default=str) + "\n")

    rank = lambda name: 1 if "conv" in name or "sampler" in name else 3
    locon = layers(pipeline, 2, everything, rank)
    save(kohya(locon, lambda name: 0.5 if rank(name) == 1 else 2), HERE / "sd1/locon.safetensors", dtype=torch.float16)

    expected, _ = record("sd1", [("kohya", 1.0)], [style])
    for other in ("new", "old"):
        same(expected, record("sd1", [(other, 1.0)], [style])[0])
    save_file(expected, HERE / "sd1/one.safetensors")
    pair = [("kohya", 0.7), ("locon", -0.3)]
    expected, pipeline = record("sd1", pair, [style, locon])
    own = pipeline.scheduler
    for case in (
        cases.Case("guided", 5, scheduler="DDIMScheduler", guidance=7.5, prompt=cases.STAR, negative=cases.AGAINST, seed=3),
        cases.Case("lcm", 4, scheduler="LCMScheduler", guidance=1.0, prompt=cases.STAR, seed=4),
    ):
        families.scheduler(pipeline, own, case)
        latents, pixels = families.run(pipeline, case)
        expected |= {f"{case.name}.latents": latents, f"{case.name}.image": pixels}
    save_file(expected, HERE / "sd1/two.safetensors")


def sdxl():
    pipeline = families.load("sdxl")
    lora = layers(pipeline, 3, everything, lambda name: 2)
    resnets = pipeline.unet.config.layers_per_block
    tensors = kohya(lora, lambda name: 1, lambda name: ldm(name, resnets), ("lora_te1_", "lora_te2_"))
    save(tensors, HERE / "sdxl/ldm.safetensors", dtype=torch.bfloat16)
    expected, pipeline = record("sdxl", [("ldm", 0.8)], [lora])
    case = cases.Case("guided", 3, guidance=5.0, prompt=cases.STAR, negative=cases.AGAINST, seed=5)
    latents, pixels = families.run(pipeline, case)
    save_file(expected | {"guided.latents": latents, "guided.image": pixels}, HERE / "sdxl/one.safetensors")


def cp():
    """A convolution in three parts, as LyCORIS trains it (`use_cp`): what goes through them goes through their sum."""
    generator = torch.Generator().manual_seed(4)
    base = families.load("sd1").unet.conv_in
    out, inputs = base.weight.shape[:2]
    down = torch.randn((3, inputs, 1, 1), generator=generator)
    mid = torch.randn((2, 3, 3, 3), generator=generator)
    up = torch.randn((out, 2, 1, 1), generator=generator) * 0.1
    # as many pictures as channels, each with one pixel set: what comes out is the kernel, turned
    dots = torch.zeros((inputs, inputs, 5, 5))
    dots[range(inputs), range(inputs), 2, 2] = 1.0
    through = torch.nn.functional.conv2d(
        torch.nn.functional.conv2d(torch.nn.functional.conv2d(dots, down), mid, padding=1), up
    )
    kernel = through[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1)
    alpha = 1.5
    name = "lora_unet_conv_in"
    parts = {f"{name}.lora_down.weight": down, f"{name}.lora_mid.weight": mid, f"{name}.lora_up.weight": up}
    save(parts | {f"{name}.alpha": torch.tensor(alpha)}, HERE / "sd1/cp.safetensors")
    save_file(
        {"unet.conv_in.weight": (base.weight + kernel * alpha / 3).detach().contiguous()}, HERE / "sd1/cp-merged.safetensors"
    )


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    sd1()
    sdxl()
    cp()
    print({package: version(package) for package in ("torch", "diffusers", "transformers", "peft")})


if __name__ == "__main__":
    main()
