import unittest

from {{module}} import Things, things


class ThingsInPlaces(unittest.TestCase):
    def test_one_seed_gives_the_same_prompts_again(self) -> None:
        config = Things(thing="a cup", count=5)
        self.assertEqual(list(things(config, 7)), list(things(config, 7)))
        self.assertTrue(all(prompt.text.startswith("a cup ") for prompt in things(config, 7)))
