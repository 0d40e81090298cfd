"""Numbers, colours, prompts and tensors: the same as in the Rust SDK, whose golden values these are."""

import unittest

from difftest_sdk import ElementType, Prompt, Random, Rgb, Tensor, UnsupportedInput


class Chance(unittest.TestCase):
    def test_the_stream_is_the_published_one(self) -> None:
        # from the reference implementation in C, https://prng.di.unimi.it/splitmix64.c, seed 1234567
        random = Random(1_234_567)
        wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
        self.assertEqual([random.next_u64() for _ in range(5)], wanted)

    def test_below_stays_below_and_reaches_everything(self) -> None:
        random = Random(1)
        for bound in (1, 2, 3, 10, (1 << 64) - 1):
            self.assertTrue(all(random.below(bound) < bound for _ in range(100)))
        counts = [0] * 6
        for _ in range(6000):
            counts[random.below(6)] += 1
        # four standard deviations of a binomial with n = 6000, p = 1/6
        self.assertTrue(all(abs(count - 1000) < 116 for count in counts), counts)
        with self.assertRaises(ValueError):
            random.below(0)

    def test_distinct_numbers_are_distinct_ordered_and_enough(self) -> None:
        random = Random(7)
        for count, bound, wanted in [(3, 10, 3), (10, 3, 3), (0, 5, 0), (5, 0, 0), (100, 1 << 64, 100)]:
            numbers = random.distinct(count, min(bound, (1 << 64) - 1))
            self.assertEqual(len(numbers), wanted)
            self.assertEqual(numbers, sorted(set(numbers)))

    def test_a_shuffle_keeps_every_item(self) -> None:
        items = list(range(50))
        Random(3).shuffle(items)
        self.assertNotEqual(items, list(range(50)))
        self.assertEqual(sorted(items), list(range(50)))


class Colours(unittest.TestCase):
    def test_lab_equals_scikit_image(self) -> None:
        # skimage.color.rgb2lab of scikit-image 0.26
        golden = {
            (255, 0, 0): (53.2405879437449, 80.0923082256922, 67.2027510444287),
            (0, 0, 255): (32.29567256501351, 79.18559091176556, -107.85730020669489),
            (0, 0, 0): (0.0, 0.0, 0.0),
            (12, 200, 77): (70.81574459957646, -66.54354423065129, 48.873178449783275),
            (5, 3, 9): (1.0578589534243896, 1.3572093166734356, -2.08616525044768),
        }
        for rgb, wanted in golden.items():
            for got, value in zip(Rgb(*rgb).to_lab(), wanted):
                self.assertAlmostEqual(got, value, delta=1e-9)
        difference = Rgb(12, 200, 77).to_lab().delta_e76(Rgb(40, 180, 90).to_lab())
        self.assertAlmostEqual(difference, 18.06504422, delta=1e-8)
        self.assertAlmostEqual(Rgb(255, 0, 0).to_lab().hue(), 40.0, delta=0.1)


class Prompts(unittest.TestCase):
    def test_ids_are_those_of_the_rust_sdk(self) -> None:
        self.assertEqual(Prompt("a red circle").derived_id(), "a-red-circle")
        self.assertEqual(Prompt("8 cats").derived_id(), "8-cats")

    def test_what_the_words_lose_the_hash_keeps(self) -> None:
        texts = ["a red circle", "A red circle", "a red circle.", "a  red circle", " a red circle", "a-red-circle"]
        prompts = [*map(Prompt, texts), Prompt("a red circle", negative="blur"), Prompt("a red circle", negative="")]
        ids = {prompt.derived_id() for prompt in prompts}
        self.assertEqual(len(ids), len(prompts))

    def test_long_foreign_and_empty_texts_have_short_plain_ids(self) -> None:
        for text in ["word " * 100, "ein grüner Kreis", "赤い円", "", "x" * 49]:
            self.assertRegex(Prompt(text).derived_id(), "^[a-z0-9]+(-[a-z0-9]+)*$")
            self.assertLessEqual(len(Prompt(text).derived_id()), 57)

    def test_a_finished_prompt_has_an_id_and_sorted_attributes(self) -> None:
        finished = Prompt("a cat", attributes={"z": "1", "a": "2"}).finished()
        self.assertEqual((finished.id, list(finished.attributes)), ("a-cat", ["a", "z"]))


class Tensors(unittest.TestCase):
    def test_values_go_in_and_come_out(self) -> None:
        tensor = Tensor.of([1, 3], [1, 2, 3])
        self.assertEqual((tensor.data[:4], list(tensor.values())), (b"\0\0\x80\x3f", [1, 2, 3]))
        self.assertEqual(list(Tensor.of([2], [7, -1], ElementType.I64).values()), [7, -1])

    def test_what_does_not_fit_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "has 12 bytes, not 8"):
            Tensor((3,), ElementType.F32, bytes(8))
        with self.assertRaisesRegex(UnsupportedInput, "no F16"):
            Tensor((1,), ElementType.F16, bytes(2)).values()
