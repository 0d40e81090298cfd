"""What export.py reads, refuses and writes. Run with: python -m unittest discover plugins/aesthetic/tests"""

import pickle
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import save_file

SCRIPT = Path(__file__).resolve().parents[1] / "export.py"
V2_SIZES = [768, 1024, 128, 64, 16, 1]


def v2(sizes: list[int] = V2_SIZES, places: tuple[int, ...] = (0, 2, 4, 6, 7)) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    state = {}
    for place, inputs, outputs in zip(places, sizes, sizes[1:], strict=False):
        state[f"layers.{place}.weight"] = (rng.normal(size=(outputs, inputs)) / inputs**0.5).astype(np.float32)
        state[f"layers.{place}.bias"] = rng.normal(size=outputs).astype(np.float32)
    return state


class Shell:
    """A pickle that runs a command when it is read without care."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):  # noqa: ANN204
        return subprocess.call, (["touch", str(self.file)],)


class Export(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "head.onnx"

    def run_on(self, file: Path) -> tuple[int, str]:
        done = subprocess.run([sys.executable, SCRIPT, file, self.out], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def refused(self, state: dict[str, np.ndarray], wanted: str) -> None:
        file = self.folder / "head.safetensors"
        save_file(state, file)
        code, said = self.run_on(file)
        self.assertEqual((code, wanted in said, self.out.exists()), (1, True, False), said)

    def test_both_forms_in_both_files(self) -> None:
        v1 = {"weight": np.full((1, 512), 0.5, np.float32), "bias": np.array([2.0], np.float32)}
        for state in [v2(), v1]:
            for suffix in [".pth", ".safetensors"]:
                file = self.folder / f"head{suffix}"
                if suffix == ".pth":
                    torch.save({name: torch.from_numpy(value) for name, value in state.items()}, file)
                else:
                    save_file(state, file)
                code, said = self.run_on(file)
                self.assertEqual(code, 0, said)
                x = np.random.default_rng(2).normal(size=(3, 512 if "weight" in state else 768)).astype(np.float32)
                wanted = x
                for name in state:
                    if name.endswith("weight"):
                        wanted = wanted @ state[name].T + state[name.replace("weight", "bias")]
                (got,) = onnxruntime.InferenceSession(self.out).run(["score"], {"embedding": x})
                np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)

    def test_what_is_no_linear_head(self) -> None:
        self.refused(v2(places=(0, 3, 6, 9, 11)), "a head with activations between its layers")
        self.refused(v2(sizes=[768, 1024, 128, 64, 16, 2]), "it ends in 2 numbers")
        self.refused(v2() | {"layers.4.weight": np.ones((64, 99), np.float32)}, "layer 3 has the shapes (64, 99)")
        self.refused(v2() | {"layers.7.bias": np.array([np.nan], np.float32)}, "layer 5 has numbers that are not finite")
        self.refused({"unet.weight": np.ones(3, np.float32)}, "its tensors are unet.weight")

    def test_what_is_no_file_of_weights(self) -> None:
        file = self.folder / "head.pth"
        torch.save(torch.ones(3), file)
        self.assertIn("a state dict is wanted", self.run_on(file)[1])
        file.write_bytes(b"<html>not found</html>")
        self.assertIn("not readable as weights", self.run_on(file)[1])
        self.assertIn("No such file", self.run_on(self.folder / "missing.pth")[1])
        trace = self.folder / "executed"
        file.write_bytes(pickle.dumps({"layers.0.weight": Shell(trace)}))
        code, said = self.run_on(file)
        self.assertEqual((code, trace.exists()), (1, False), said)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
