import unittest

from difftest_sdk import Image, ImageSet

from {{module}} import brightness_spread


class BrightnessSpread(unittest.TestCase):
    def test_black_and_white_are_as_far_apart_as_can_be(self) -> None:
        black, white = (Image.from_rgb8(2, 1, [level] * 6) for level in (0, 255))
        self.assertEqual(brightness_spread(ImageSet([black, white])), 127.5)
        self.assertEqual(brightness_spread(ImageSet([white, white])), 0)
