import unittest

from difftest_sdk import Image

from {{module}} import mean_difference


class MeanDifference(unittest.TestCase):
    def test_an_image_does_not_differ_from_itself(self) -> None:
        image = Image.from_rgb8(2, 1, [0, 10, 20, 200, 100, 0])
        self.assertEqual(mean_difference(image, image), 0)

    def test_black_against_white_is_the_most(self) -> None:
        black, white = (Image.from_rgb8(2, 1, [level] * 6) for level in (0, 255))
        self.assertEqual(mean_difference(white, black), 255)
