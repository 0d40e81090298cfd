"""Turns a published LAION aesthetic head (.pth or .safetensors) into the ONNX file that a suite declares.

    python export.py "sac+logos+ava1-l14-linearMSE.pth" head.onnx

The heads are chains of linear layers with nothing between them (dropout does nothing outside of training), so each is one
affine map: the layers are multiplied in f64 and stored as f32, 769 numbers for 768 inputs. Heads with activations
(`reluMSE`) are no such chain and are refused. Nothing in the file is executed: `.pth` is read with `weights_only=True`.

Needs numpy and onnx, and torch for .pth or safetensors for .safetensors. Written with Python 3.11, numpy 2.4.6, onnx 1.23.2,
torch 2.15.0, safetensors 0.8.0. The graph has opset 17: input "embedding", f32 [n, inputs], output "score", f32 [n, 1].
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

import numpy as np

# Places of the linear layers in torch's Sequential. Of v2: dropout after the first three, nothing after the fourth.
V2 = [0, 2, 4, 6, 7]
# What f32 weights in one layer may differ from f32 weights in five, relative to the size of the sums.
TOLERANCE = 1e-5

Layer = tuple[np.ndarray, np.ndarray]


class NotAHead(Exception):
    """The file is no chain of linear layers that ends in one number."""


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise NotAHead("it holds no table of tensors; a state dict is wanted")
    return {name: value.detach().to(torch.float64).numpy() for name, value in state.items()}


def layers(state: dict[str, np.ndarray]) -> list[Layer]:
    """Weights `[outputs, inputs]` and biases `[outputs]` of the linear layers, in order, in f64.

    Knows two forms: five layers `layers.0`, `.2`, `.4`, `.6`, `.7` (v2), and one, `weight` and `bias` (v1).
    """
    if set(state) == {"weight", "bias"}:
        names = [""]
    else:
        places = sorted({int(found[1]) for name in state if (found := re.fullmatch(r"layers\.(\d+)\.(weight|bias)", name))})
        if places != V2 or len(state) != 2 * len(V2):
            raise NotAHead(
                f"its tensors are {', '.join(sorted(state))}; a linear head has `weight` and `bias`, or these of `layers.N` with "
                f"N = {', '.join(map(str, V2))} (a head with activations between its layers has others and is not supported)"
            )
        names = [f"layers.{place}." for place in places]
    chain = [(state[f"{name}weight"].astype(np.float64), state[f"{name}bias"].astype(np.float64)) for name in names]
    for number, (weight, bias) in enumerate(chain):
        follows = number == 0 or weight.shape[-1] == chain[number - 1][0].shape[0]
        if weight.ndim != 2 or bias.shape != weight.shape[:1] or not follows:
            raise NotAHead(f"layer {number + 1} has the shapes {weight.shape} and {bias.shape}, which do not fit what is before it")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise NotAHead(f"layer {number + 1} has numbers that are not finite")
    if chain[-1][0].shape[0] != 1:
        raise NotAHead(f"it ends in {chain[-1][0].shape[0]} numbers; a score is one")
    return chain


def collapse(chain: list[Layer]) -> Layer:
    """The one layer that does what the chain does: `W x + b`."""
    weight, bias = chain[0]
    for next_weight, next_bias in chain[1:]:
        weight, bias = next_weight @ weight, next_weight @ bias + next_bias
    return weight, bias


def graph(weight: np.ndarray, bias: np.ndarray, about: dict[str, str]) -> bytes:
    """An ONNX file of one Gemm."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    inputs = weight.shape[1]
    body = helper.make_graph(
        [helper.make_node("Gemm", ["embedding", "weight", "bias"], ["score"], transB=1)],
        "aesthetic",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", inputs])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        [
            numpy_helper.from_array(weight.astype(np.float32), "weight"),
            numpy_helper.from_array(bias.astype(np.float32), "bias"),
        ],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="difftest aesthetic/export.py")
    helper.set_model_props(model, about)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def difference(chain: list[Layer], model: bytes) -> float:
    """The largest difference between file and chain over 256 unit vectors, relative to the largest score (at least 1)."""
    from onnx.reference import ReferenceEvaluator

    x = np.random.default_rng(0).normal(size=(256, chain[0][0].shape[1]))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    (got,) = ReferenceEvaluator(model).run(None, {"embedding": x})
    wanted = x.astype(np.float64)
    for weight, bias in chain:
        wanted = wanted @ weight.T + bias
    return float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max()))


def export(head: Path, out: Path) -> tuple[list[Layer], float]:
    """Reads `head`, writes `out`, and says what was in it and how close the file is.

    Raises NotAHead where it is no head or the file would not be close to it.
    """
    chain = layers(read(head))
    about = {
        "source": head.name,
        "source_sha256": hashlib.sha256(head.read_bytes()).hexdigest(),
        "layers": "-".join(str(size) for size in [chain[0][0].shape[1], *(weight.shape[0] for weight, _ in chain)]),
    }
    model = graph(*collapse(chain), about)
    off = difference(chain, model)
    if not off <= TOLERANCE:
        raise NotAHead(f"its layers lose too much as one layer in f32: {off:.1e} of the score, {TOLERANCE:.0e} is the most")
    out.write_bytes(model)
    return chain, off


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("head", type=Path, help="the published weights: .pth or .safetensors")
    parser.add_argument("out", type=Path, help="the ONNX file to write")
    arguments = parser.parse_args()
    try:
        chain, off = export(arguments.head, arguments.out)
    except (NotAHead, OSError, ImportError) as error:
        print(f"{arguments.head}: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # torch and safetensors have no common class for a file that they cannot read
        print(f"{arguments.head}: not readable as weights: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {chain[0][0].shape[1]} inputs, {len(chain)} layer(s) as one, within {off:.1e} of them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
