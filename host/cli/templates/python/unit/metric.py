import unittest

from difftest_sdk import Image

from {{module}} import Brightness, bright_share


class BrightShare(unittest.TestCase):
    def test_half_of_a_chessboard_is_bright(self) -> None:
        board = Image.from_rgb8(2, 1, [0, 0, 0, 255, 255, 255])
        self.assertEqual(bright_share(board, Brightness(above=127)), 0.5)
