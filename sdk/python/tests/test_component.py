"""A component in the host: what Python does there, and how it fails. Needs componentize-py, and the program in `DIFFTEST`."""

import base64
import json
import os
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path
from typing import Any

from difftest_sdk import Image
from difftest_sdk.build import build
from difftest_sdk.project import find

from . import component_plugin as native
from .test_build import tool

PROGRAM = os.environ.get("DIFFTEST")
# y = x + x on float32[1, 3], written by onnx 1.x with opset 17
DOUBLE = (
    "CAg6PQoOCgF4CgF4EgF5IgNBZGQSAWdaEwoBeBIOCgwIARIICgIIAQoCCANiEwoBeRIOCgwIARIICgIIAQoCCANCBAoAEBE="
)


def png(width: int, height: int, pixels: bytes) -> bytes:
    """The least PNG: 8-bit RGB, no filters."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[y * width * 3 : (y + 1) * width * 3] for y in range(height))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def picture(level: int) -> Image:
    return Image.from_function(9, 5, lambda x, y: (level, x * 20, y * 40))


@unittest.skipUnless(PROGRAM and tool(), "DIFFTEST does not name the program, or componentize-py is not installed")
class InTheHost(unittest.TestCase):
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        build(find(Path(__file__).parent, "component_plugin.py"), cls.folder / "p.wasm")
        (cls.folder / "double.onnx").write_bytes(base64.b64decode(DOUBLE))
        for name, levels in [("images", [10, 20, 30]), ("others", [1, 2, 3])]:
            (cls.folder / name).mkdir()
            lines = []
            for number, level in enumerate(levels):
                (cls.folder / name / f"{number}.png").write_bytes(png(9, 5, picture(level).rgb8()))
                lines.append(json.dumps({"file": f"{number}.png", "prompt": f"circle {number}", "seed": number}))
            (cls.folder / name / "manifest.jsonl").write_text("\n".join(lines))

    def run_suite(self, text: str) -> tuple[dict[str, Any], str]:
        """The results, and what was said to the person at the terminal."""
        (self.folder / "suite.toml").write_text(text)
        results = self.folder / "results.json"
        command = [str(PROGRAM), "run", "suite.toml", "--plugins", ".", "--no-locked", "-v", "-o", "results.json"]
        results.unlink(missing_ok=True)
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, encoding="utf-8")
        self.assertTrue(results.is_file(), done.stderr)
        return json.loads(results.read_text())["suites"][0], done.stdout + done.stderr

    def torture(self, *what: str) -> tuple[dict[str, Any], str]:
        """For each of these words the score of the second image, with its error where there is none."""
        tests = (
            f'[[test]]\nname = "{word}"\nmetrics = [{{ name = "p/torture", config = {{ what = "{word}" }} }}]\n'
            'threshold = { "p/torture" = { min = 0 } }\n'
            for word in what
        )
        suite, said = self.run_suite('model = { images = "images" }\n' + "".join(tests))
        return {case["test"]: case["scores"][0] for case in suite["cases"] if case["seed"] == 1}, said

    def test_images_and_samples_are_what_they_are_in_plain_python(self) -> None:
        scores, _ = self.torture("see", "drop")
        image, score = picture(20), scores["see"]
        self.assertEqual(score["value"], image.luma8()[0])
        details = {detail["name"]: detail["value"] for detail in score["details"]}
        wanted = {"width": 9, "height": 5, "bytes": 135, "rows": 108, "red": 20, "small": 2}
        wanted |= {"digest": int(image.digest()[:4], 16), "seed": 1, "prompt": 8, "size": 9}
        self.assertEqual(details, wanted)
        self.assertEqual(scores["drop"]["value"], 0.5)

    def test_what_is_printed_is_logged(self) -> None:
        _, said = self.torture("print")
        for line in ["hello", "world", "to stderr", "to the log", "UserWarning: be careful", "KeyError: 'key'"]:
            self.assertIn(line, said)

    def test_every_exception_is_an_error_in_words(self) -> None:
        wanted = {
            "key_error": r"KeyError: 'key' \(.*component_plugin.py:\d+ in do_key_error\)",
            "unsupported": "größer than 4x4",
            "recurse": "RecursionError: maximum recursion depth exceeded",
            "exit": "SystemExit: 3",
            "open": "a plugin gets no files",
            "listdir": "a plugin gets no files",
            "time": "a plugin gets no clock",
            "import": "`colorsys` was not imported when the component was built: import it at the top of the module",
            "urandom": r"a plugin gets no randomness; draw from difftest_sdk.Random\(seed\)",
            "input": "RuntimeError",
        }
        scores, _ = self.torture(*wanted)
        for what, message in wanted.items():
            with self.subTest(what):
                self.assertIsNone(scores[what]["value"])
                self.assertRegex(scores[what]["error"]["message"], message)
        self.assertEqual(scores["unsupported"]["error"]["kind"], "unsupported-input")

    def test_what_is_left_of_chance_is_always_the_same(self) -> None:
        scores, _ = self.torture("unseeded")
        # `random.seed(0); random.random()` of CPython
        self.assertEqual(scores["unseeded"]["value"], 0.8444218515250481)

    def test_configs_are_refused_by_the_host(self) -> None:
        text = 'model = { images = "images" }\n[[test]]\nname = "t"\nmetrics = [{ name = "p/torture", config = { wat = 1 } }]\n'
        (self.folder / "suite.toml").write_text(text)
        command = [str(PROGRAM), "run", "suite.toml", "--plugins", ".", "--no-locked"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, encoding="utf-8")
        self.assertIn("unknown key `wat`", done.stderr + done.stdout)

    def test_pairs_and_sets(self) -> None:
        suite, _ = self.run_suite(
            'model = { images = "images" }\n[[test]]\nname = "t"\nreference = "others"\nmetrics = ["p/difference", "p/levels"]\n'
            'threshold = { "p/difference" = { min = 0 }, "p/levels" = { min = 0 } }\n'
        )
        self.assertEqual(sorted(case["scores"][0]["value"] for case in suite["cases"]), [9, 18, 27])
        (whole,) = suite["tests"][0]["scores"]
        self.assertEqual((whole["value"], [detail["value"] for detail in whole["details"]]), (60, [30, 3]))

    def test_models(self) -> None:
        suite, said = self.run_suite(
            'model = "builtin:shapes"\n[models]\ndouble = "double.onnx"\n[[test]]\nname = "t"\n'
            'steps = 1\nseeds = [1]\nprompts = { generator = "p/cats", config = { places = ["here", "there"] }, limit = 2, seed = 3 }\n'
            'metrics = ["p/likeness", "p/embedded", "p/doubled"]\n'
            'threshold = { "p/likeness" = { min = -1 }, "p/embedded" = { min = 1 }, "p/doubled" = { min = 42, max = 42 } }\n'
        )
        self.assertEqual([test["verdict"] for test in suite["tests"]], ["pass"], said)
        drawn = native.cats(native.Places(["here", "there"]), 3)
        texts = [prompt.text for prompt, _ in zip(drawn, range(2))]
        self.assertEqual(sorted(case["prompt"]["text"] for case in suite["cases"]), sorted(texts))
        for case in suite["cases"]:
            likeness = next(score for score in case["scores"] if score["metric"] == "p/likeness")
            length = next(detail["value"] for detail in likeness["details"] if detail["name"] == "length")
            self.assertAlmostEqual(length, 1, places=5)


if __name__ == "__main__":
    unittest.main()
