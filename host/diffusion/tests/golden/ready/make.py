"""Tiny models and their ONNX exports, one folder for each dialect that difftest reads.

Run it in an environment of its own: requirements.txt beside. `safetensors-*` are saved by diffusers; `optimum-onnx-*` are what
`optimum-cli export onnx` makes of them; the other dialects come from exporters that no longer install, so the graphs are traced
with torch.onnx in the names, types and ranks that those exporters used:

* optimum up to 1.23 (`optimum-1.23`): optimum/exporters/onnx/model_configs.py of those versions,
* diffusers' scripts/convert_stable_diffusion_checkpoint_to_onnx.py (`diffusers-script`), in half precision,
* ONNX Runtime's python/tools/transformers/models/stable_diffusion (`onnxruntime-tools`).
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from onnx import TensorProto
from onnx import helper as h
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

HERE = Path(__file__).parent
WORDS = HERE.parents[4] / "suites/models/shapes/tokenizer"
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
torch.set_num_threads(1)


def randomize(model, seed):
    """Weights that keep activations of order one and are numbers of half precision, so that exports in it hold the same."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        scale = 0.1 if parameter.dim() < 2 else parameter[0].numel() ** -0.5
        scale *= 0.25 if "conv_out" in name else 1.0
        base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        parameter.data = (base + scale * noise).half().float()
    return model.eval()


def text_encoder(seed, kind=CLIPTextModel, width=8, act="quick_gelu", layers=2):
    config = CLIPTextConfig(
        hidden_size=width,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=layers,
        projection_dim=6,
        hidden_act=act,
        vocab_size=619,
        max_position_embeddings=77,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    return randomize(kind._from_config(config, attn_implementation="eager"), seed)


def unet(seed, **config):
    common = dict(
        sample_size=8,
        block_out_channels=(4, 8),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=2,
        attention_head_dim=2,
        cross_attention_dim=8,
    )
    return randomize(UNet2DConditionModel(**{**common, **config}), seed)


def vae(seed, levels=2, scaling_factor=0.13025):
    model = AutoencoderKL(
        block_out_channels=(4,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=16,
        scaling_factor=scaling_factor,
    )
    return randomize(model, seed)


def common(seed, **config):
    tokenizer = CLIPTokenizer.from_pretrained(WORDS)
    return dict(vae=vae(seed), tokenizer=tokenizer, **config)


def sd():
    parts = common(1, text_encoder=text_encoder(2), unet=unet(3), scheduler=DDIMScheduler(steps_offset=1, **BETAS))
    return StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)


def lcm():
    """The networks of `sd` but for a UNet of one level that reads the guidance scale."""
    one = dict(block_out_channels=(4,), down_block_types=("CrossAttnDownBlock2D",), up_block_types=("CrossAttnUpBlock2D",))
    network = unet(13, time_cond_proj_dim=6, **one)
    parts = common(1, text_encoder=text_encoder(2), unet=network, scheduler=LCMScheduler(**BETAS))
    return LatentConsistencyModelPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def xl():
    network = unet(
        23,
        cross_attention_dim=14,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 6,
        use_linear_projection=True,
    )
    second = text_encoder(24, CLIPTextModelWithProjection, width=6, act="gelu", layers=3)
    scheduler = EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **BETAS)
    parts = common(21, text_encoder=text_encoder(22, layers=3), unet=network, scheduler=scheduler)
    return StableDiffusionXLPipeline(**parts, text_encoder_2=second, tokenizer_2=parts["tokenizer"])


class Call(torch.nn.Module):
    """A module with inputs and outputs in the order of an export."""

    def __init__(self, module, call):
        super().__init__()
        self.module, self.call = module, call

    def forward(self, *inputs):
        return self.call(self.module, *inputs)


def export(path, module, call, inputs, outputs, dynamic, opset=14):
    """`inputs`: name to example. `dynamic`: name to dimensions by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        Call(module, call),
        tuple(inputs.values()),
        path,
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes=dynamic,
        opset_version=opset,
        dynamo=False,
    )
    shorten(path)


def shorten(path):
    """Names that no reader needs are most of a tiny graph."""
    model = onnx.load(path)
    keep = {port.name for port in [*model.graph.input, *model.graph.output]} | {""}
    names = {}
    short = lambda name: name if name in keep else names.setdefault(name, f"v{len(names)}")
    for node in model.graph.node:
        node.name = ""
        node.input[:] = map(short, node.input)
        node.output[:] = map(short, node.output)
    for weight in model.graph.initializer:
        weight.name = short(weight.name)
    del model.graph.value_info[:]
    onnx.save(model, path)


IDS = torch.zeros(2, 77, dtype=torch.int32)
LATENTS = torch.randn(2, 4, 8, 8)
STATES = torch.randn(2, 77, 8)
AREA = {0: "batch_size", 2: "height", 3: "width"}


def optimum_1_23(pipe, folder):
    """Timesteps int64[steps], ids int32, channels dynamic. The VAE decoder is that of the later versions."""
    axes = {0: "batch_size", 1: "sequence_length"}
    export(
        folder / "text_encoder/model.onnx",
        pipe.text_encoder,
        lambda m, ids: tuple(m(ids).to_tuple()),
        {"input_ids": IDS},
        ["last_hidden_state", "pooler_output"],
        {"input_ids": axes, "last_hidden_state": axes, "pooler_output": {0: "batch_size"}},
    )
    area = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}
    export(
        folder / "unet/model.onnx",
        pipe.unet,
        lambda m, x, t, states: m(x, t, states, return_dict=False)[0],
        {"sample": LATENTS, "timestep": torch.tensor([3]), "encoder_hidden_states": STATES},
        ["out_sample"],
        {"sample": area, "timestep": {0: "steps"}, "encoder_hidden_states": axes, "out_sample": area},
    )
    pipe.text_encoder.config.save_pretrained(folder / "text_encoder")
    pipe.unet.save_config(folder / "unet")


def diffusers_script(pipe, folder):
    """Half precision, no configs, a `return_dict` that survives in the inputs."""
    # That pipeline has the scale and the factor of eight in its code.
    pipe.vae = vae(31, levels=4, scaling_factor=0.18215)
    shutil.rmtree(HERE / "safetensors-script", ignore_errors=True)
    pipe.vae.save_pretrained(HERE / "safetensors-script/vae")
    drop_encoder(HERE / "safetensors-script/vae/diffusion_pytorch_model.safetensors")
    export(
        folder / "text_encoder/model.onnx",
        pipe.text_encoder.half(),
        lambda m, ids: tuple(m(ids).to_tuple()),
        {"input_ids": IDS[:1]},
        ["last_hidden_state", "pooler_output"],
        {"input_ids": {0: "batch", 1: "sequence"}},
    )
    export(
        folder / "unet/model.onnx",
        pipe.unet.half(),
        # A flag that is read by nothing would be left out of the graph.
        lambda m, x, t, states, flag: m(x, t, states, return_dict=False)[0] + flag.half() * 0,
        {
            "sample": LATENTS.half(),
            "timestep": torch.tensor([3, 3]).half(),
            "encoder_hidden_states": STATES.half(),
            "return_dict": torch.tensor(False),
        },
        ["out_sample"],
        {
            "sample": {0: "batch", 1: "channels", 2: "height", 3: "width"},
            "timestep": {0: "batch"},
            "encoder_hidden_states": {0: "batch", 1: "sequence"},
        },
    )
    export(
        folder / "vae_decoder/model.onnx",
        pipe.vae.half(),
        lambda m, x: m.decode(x, return_dict=False)[0],
        {"latent_sample": LATENTS.half()},
        ["sample"],
        {"latent_sample": {0: "batch", 1: "channels", 2: "height", 3: "width"}},
    )
    index = {
        "_class_name": "OnnxStableDiffusionPipeline",
        "_diffusers_version": "0.11.1",
        **{part: ["diffusers", "OnnxRuntimeModel"] for part in ["text_encoder", "unet", "vae_decoder", "vae_encoder"]},
        "scheduler": ["diffusers", "DDIMScheduler"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    shutil.copytree(HERE / "safetensors-sd/scheduler", folder / "scheduler")


def onnxruntime_tools(pipe, folder):
    """The text encoders of Stable Diffusion XL, and a VAE decoder of one size, under the names of these tools."""
    states = lambda m, ids: m(ids, output_hidden_states=True)
    export(
        folder / "text_encoder/model.onnx",
        pipe.text_encoder,
        lambda m, ids: (states(m, ids).last_hidden_state, states(m, ids).hidden_states[-2]),
        {"input_ids": IDS},
        ["text_embeddings", "hidden_states"],
        {name: {0: "B"} for name in ["input_ids", "text_embeddings", "hidden_states"]},
    )
    export(
        folder / "text_encoder_2/model.onnx",
        pipe.text_encoder_2,
        lambda m, ids: (states(m, ids).text_embeds, states(m, ids).hidden_states[-2]),
        {"input_ids": IDS},
        ["text_embeddings", "hidden_states"],
        {name: {0: "B"} for name in ["input_ids", "text_embeddings", "hidden_states"]},
    )
    export(
        folder / "vae_decoder/model.onnx",
        pipe.vae,
        lambda m, x: m.decode(x, return_dict=False)[0],
        {"latent": LATENTS[:1]},
        ["images"],
        {},
    )
    pipe.text_encoder.config.save_pretrained(folder / "text_encoder")
    pipe.text_encoder_2.config.save_pretrained(folder / "text_encoder_2")
    pipe.vae.save_config(folder / "vae_decoder")
    # What the fusion of these tools makes of a UNet, as far as it matters: an operator that only CUDA has.
    weight = onnx.numpy_helper.from_array(np.ones(4, np.float32), "gamma")
    node = h.make_node("GroupNorm", ["sample", "gamma", "gamma"], ["latent"], domain="com.microsoft", groups=2, activation=1)
    port = lambda name, shape: h.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    inputs = [
        port("sample", ["2B", 4, "H", "W"]),
        port("timestep", [1]),
        port("encoder_hidden_states", ["2B", 77, 14]),
        port("text_embeds", ["2B", 6]),
        port("time_ids", ["2B", 6]),
    ]
    graph = h.make_graph([node], "unet", inputs, [port("latent", ["2B", 4, "H", "W"])], [weight])
    opsets = [h.make_opsetid("", 14), h.make_opsetid("com.microsoft", 1)]
    (folder / "unet").mkdir(exist_ok=True)
    onnx.save(h.make_model(graph, opset_imports=opsets, ir_version=8), folder / "unet/model.onnx")
    pipe.unet.save_config(folder / "unet")


def drop_encoder(path):
    tensors = {name: tensor for name, tensor in load_file(path).items() if not name.startswith(("encoder.", "quant_conv."))}
    save_file({name: tensor.half() for name, tensor in tensors.items()}, path, {"format": "pt"})


def main():
    pipes = {"sd": sd, "lcm": lcm, "xl": xl}
    for name, make in pipes.items():
        saved, exported = HERE / f"safetensors-{name}", HERE / f"optimum-onnx-{name}"
        for folder in [saved, exported]:
            shutil.rmtree(folder, ignore_errors=True)
        make().save_pretrained(saved)
        for part in ["text_encoder", "text_encoder_2", "unet"]:
            for path in (saved / part).glob("*.safetensors"):
                save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path, {"format": "pt"})
        cli = [Path(sys.executable).with_name("optimum-cli"), "export", "onnx", "--task", "text-to-image"]
        subprocess.run([*cli, "--model", saved, exported], check=True)
        shutil.rmtree(exported / "vae_encoder")
        if name != "sd":
            for path in exported.glob("*/model.onnx"):
                shorten(path)
        if name == "lcm":
            # The rest is the same as in `sd`.
            for folder in [saved, exported]:
                for part in ["text_encoder", "tokenizer", "vae", "vae_decoder"]:
                    shutil.rmtree(folder / part, ignore_errors=True)
        else:
            # The decoder is used alone, and all have the same words.
            drop_encoder(saved / "vae/diffusion_pytorch_model.safetensors")
    for folder in HERE.glob("*/tokenizer*"):
        if folder.parent.name != "safetensors-sd":
            shutil.rmtree(folder)
    # The same graph with its weights beside it, as it is written where they are larger than 2 GB.
    model = onnx.load(HERE / "optimum-onnx-sd/vae_decoder/model.onnx")
    folder = HERE / "external-data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx_data", size_threshold=64)
    for name, make, of in [
        ("optimum-1.23", optimum_1_23, sd),
        ("diffusers-script", diffusers_script, sd),
        ("onnxruntime-tools", onnxruntime_tools, xl),
    ]:
        shutil.rmtree(HERE / name, ignore_errors=True)
        with torch.no_grad():
            make(of(), HERE / name)
    for path in HERE.glob("*/**/*.json"):
        content = json.loads(path.read_text())
        if content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
