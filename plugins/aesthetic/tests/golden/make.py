"""Golden values of aesthetic: a head with random weights, through export.py, and what torch's five layers give.

Made with Python 3.11, torch 2.15.0, numpy 2.4.6, onnx 1.23.2, onnxruntime 1.31.1:

    python make.py

Writes head.onnx (3 kB), golden.json, and two graphs that are no head (wide.onnx, two.onnx). The embeddings follow from a rule that the test repeats. The layers have the sizes and
places of the published head, so the same code path reads both.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
import export  # noqa: E402

DIMENSIONS = 768
IMAGES = 24


def head() -> torch.nn.Sequential:
    """The published form. Torch's starting weights shrink what goes through them; these are scaled to give about 1 to 10."""
    torch.manual_seed(0)
    linear, drop = torch.nn.Linear, torch.nn.Dropout
    model = torch.nn.Sequential(
        linear(DIMENSIONS, 1024), drop(0.2), linear(1024, 128), drop(0.2), linear(128, 64), drop(0.1), linear(64, 16), linear(16, 1)
    )
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, linear):
                layer.weight *= 4
        model[-1].bias += 5.5
    return model.eval()


def embeddings() -> np.ndarray:
    """Knuth's MMIX generator; the upper 24 bits as a multiple of 2^-23 in -1 .. 1, exact in f32."""
    state, values = 768, []
    for _ in range(IMAGES * DIMENSIONS):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append((state >> 40) / 2**23 - 1)
    rows = np.array(values, dtype=np.float32).reshape(IMAGES, DIMENSIONS).astype(np.float64)
    # as the host gives them
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def not_heads() -> None:
    """Two numbers for an embedding; two outputs."""
    from onnx import TensorProto, helper

    def save(name: str, nodes: list, outputs: list) -> None:
        inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSIONS])]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs]
        graph = helper.make_graph(nodes, name, inputs, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())

    mean = helper.make_node("ReduceMean", ["embedding"], ["mean"], axes=[1])
    save("wide", [mean, helper.make_node("Concat", ["mean", "mean"], ["score"], axis=1)], ["score"])
    save("two", [mean, helper.make_node("Neg", ["mean"], ["score"])], ["score", "mean"])


def small() -> None:
    """A head for the CLIP model that ships with difftest, whose embeddings have 64 numbers: the conformance test runs it."""
    random = np.random.default_rng(64)
    weight = torch.from_numpy((random.normal(size=(1, 64)) * 3).astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "small.pth"
        torch.save({"weight": weight, "bias": torch.tensor([5.0])}, weights)
        export.export(weights, HERE / "small.onnx")


def main() -> None:
    small()
    torch.set_num_threads(1)
    model = head()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random-linearMSE.pth"
        torch.save({f"layers.{name}": value for name, value in model.state_dict().items()}, weights)
        export.export(weights, HERE / "head.onnx")
    not_heads()
    rows = embeddings()
    with torch.no_grad():
        single = model(torch.from_numpy(rows)).numpy()[:, 0]
        double = model.double()(torch.from_numpy(rows).double()).numpy()[:, 0]
    session = onnxruntime.InferenceSession(str(HERE / "head.onnx"), providers=["CPUExecutionProvider"])
    exported = session.run(None, {"embedding": rows})[0][:, 0]
    print(f"scores {double.min():.3f} to {double.max():.3f}")
    print(f"torch f32 is within {np.abs(single - double).max():.1e} of f64, head.onnx within {np.abs(exported - double).max():.1e}")
    golden = {
        "made_with": {m.__name__: m.__version__ for m in (torch, np, onnx, onnxruntime)},
        "dimensions": DIMENSIONS,
        "scores": [float(value) for value in double],
    }
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
