"""Native tests: golden values of `golden/make.py`, and laws. `PYTHONPATH=../../sdk/python python3 -m unittest discover tests`."""

import base64
import json
import unittest
import zlib
from pathlib import Path

import borders as module
from borders import Config, borders
from difftest_sdk import Image, InvalidConfig, Plugin

GOLDEN = json.loads((Path(__file__).parent / "golden" / "golden.json").read_text())
SIDES = ["top", "bottom", "left", "right"]


def stored(name: str) -> Image:
    image = GOLDEN["images"][name]
    return Image.from_rgb8(image["width"], image["height"], zlib.decompress(base64.b64decode(image["rgb8"])))


def turned(image: Image) -> Image:
    """Rows as columns."""
    pixels = list(image.pixels())
    return Image.from_function(image.height, image.width, lambda x, y: pixels[x * image.width + y])


class Golden(unittest.TestCase):
    def test_numpy_finds_the_same(self) -> None:
        self.assertGreater(len(GOLDEN["cases"]), 50)
        for case in GOLDEN["cases"]:
            with self.subTest(case["image"], tolerance=case["tolerance"], least=case["least"]):
                score = borders(stored(case["image"]), Config(case["tolerance"], case["least"]))
                self.assertEqual(score.value, case["score"])
                self.assertEqual([score.details[side] for side in SIDES], case["sides"])


class Laws(unittest.TestCase):
    def test_a_turned_image_loses_as_much(self) -> None:
        for name in GOLDEN["images"]:
            image = stored(name)
            with self.subTest(name):
                self.assertEqual(borders(image, Config()).value, borders(turned(image), Config()).value)

    def test_more_tolerance_never_finds_thinner_bands_at_the_top(self) -> None:
        image = stored("letterbox_jpeg")
        tops = [module.rows_first(image, Config(tolerance, 1)).top for tolerance in range(0, 256, 15)]
        self.assertEqual(tops, sorted(tops))
        self.assertEqual(tops[-1], image.height)

    def test_bands_beyond_the_rows_that_are_read_at_once(self) -> None:
        picture = Image.from_function(20, 100, lambda x, y: (x * 12, y * 2, 0) if 40 <= y < 70 else (9, 9, 9))
        self.assertEqual(dict(borders(picture, Config()).details), {"top": 40, "bottom": 30, "left": 0, "right": 0})

    def test_one_pixel_of_another_colour_is_all_that_is_left(self) -> None:
        picture = Image.from_function(30, 30, lambda x, y: (255, 0, 0) if (x, y) == (20, 10) else (9, 9, 9))
        score = borders(picture, Config())
        self.assertEqual(score.value, 899 / 900)
        self.assertEqual(dict(score.details), {"top": 10, "bottom": 19, "left": 20, "right": 9})


class AsTheHostCallsIt(unittest.TestCase):
    plugin = Plugin(module)

    def test_config_comes_as_json(self) -> None:
        image = stored("letterbox")
        self.assertEqual(self.plugin.measure("borders", image).value, 16 / 52)
        self.assertEqual(self.plugin.measure("borders", image, config={"least": 9}).value, 0)

    def test_other_keys_and_types_are_refused(self) -> None:
        for config in ({"tolerence": 3}, {"tolerance": "3"}, {"least": 1.5}, {"least": True}):
            with self.subTest(config=config), self.assertRaises(InvalidConfig):
                self.plugin.measure("borders", stored("one_pixel"), config=config)


if __name__ == "__main__":
    unittest.main()
