"""Writes the small ONNX graphs that tests/declared.rs runs. Needs onnx 1.20 or newer and numpy."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h

HERE = Path(__file__).parent


def save(name, nodes, inputs, outputs, weights=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(weights))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def port(name, kind, shape):
    return h.make_tensor_value_info(name, kind, shape)


TYPES = {"f16": T.FLOAT16, "f32": T.FLOAT, "f64": T.DOUBLE, "bf16": T.BFLOAT16, "u8": T.UINT8, "i32": T.INT32, "i64": T.INT64}

# What goes in comes out, in every element type that wasi:nn has.
model = save(
    "identity",
    [h.make_node("Identity", [f"in_{t}"], [f"out_{t}"]) for t in TYPES],
    [port(f"in_{t}", kind, ["n", 3]) for t, kind in TYPES.items()],
    [port(f"out_{t}", kind, ["n", 3]) for t, kind in TYPES.items()],
)
onnx.save(model, HERE / "identity.onnx")

# Output of a type that wasi:nn does not have.
model = save("bool", [h.make_node("Not", ["x"], ["y"])], [port("x", T.BOOL, [2])], [port("y", T.BOOL, [2])])
onnx.save(model, HERE / "bool-in.onnx")
model = save("bool", [h.make_node("IsNaN", ["x"], ["y"])], [port("x", T.FLOAT, [2])], [port("y", T.BOOL, [2])])
onnx.save(model, HERE / "bool-out.onnx")

# Fails only when it runs.
shape = h.make_tensor("shape", T.INT64, [2], [7, 7])
model = save(
    "reshape",
    [h.make_node("Reshape", ["x", "shape"], ["y"])],
    [port("x", T.FLOAT, ["n"])],
    [port("y", T.FLOAT, [7, 7])],
    [shape],
)
onnx.save(model, HERE / "reshape.onnx")

# x @ w + b with the weights in a file beside.
w = onnx.numpy_helper.from_array(np.arange(1024 * 2, dtype=np.float32).reshape(1024, 2) / 1024, "w")
model = save(
    "linear",
    [h.make_node("MatMul", ["x", "w"], ["y"])],
    [port("x", T.FLOAT, [1, 1024])],
    [port("y", T.FLOAT, [1, 2])],
    [w],
)
onnx.save(model, HERE / "linear.onnx", save_as_external_data=True, location="linear.weights", size_threshold=0)
