"""Decorated functions: what is read from them, and how they are called as the host calls them."""

import unittest
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from difftest_sdk import (
    Direction,
    Error,
    GeneratorInfo,
    Image,
    ImageSet,
    InvalidConfig,
    Kind,
    MetricInfo,
    ModelNotFound,
    Models,
    Plugin,
    Prompt,
    Sample,
    Score,
    metric,
    prompts,
)
from difftest_sdk.errors import DeclarationError

WHITE = Image.from_rgb8(2, 1, [255] * 6)


@dataclass
class Below:
    below: int = 32


@metric(range=(0, 1), direction="lower", unit="share")
def dark_share(image: Image, config: Below) -> Score:
    """Share of dark pixels.

    Not part of the summary."""
    dark = sum(level < config.below for level in image.luma8())
    return Score(dark / 2, {"dark": dark})


@metric(name="size-as-asked", range=(0, None))
def has_size(sample: Sample, image: Image) -> float:
    """Whether it has the size."""
    return sample.attributes.get("size") == "x".join(map(str, image.size))


@metric
def difference(image: Image, reference: Image) -> float:
    """Difference of a byte."""
    return abs(image.rgb8()[0] - reference.rgb8()[0])


@metric
def count(images: ImageSet, reference: ImageSet | None) -> float:
    """How many."""
    return len(images) - (len(reference) if reference else 0)


@metric
def likeness(image: Image, models: Models) -> float:
    """First number of the embedding."""
    return models.embed_image("clip", image)[0]


@prompts
def numbers(config: Below, seed: int) -> Iterator[Prompt | str]:
    """Numbers."""
    yield Prompt(f"seed {seed}", id="s")
    for number in range(config.below):
        yield f"number {number}"


class Ones(Models):
    def embed_image(self, model: str, image: Image) -> list[float]:
        return [1.0]


def module(*functions: Callable[..., Any]) -> ModuleType:
    made = ModuleType("made")
    for function in functions:
        setattr(made, function.__name__, function)
    return made


EVERYTHING = module(dark_share, has_size, difference, count, likeness, numbers)


class Describing(unittest.TestCase):
    plugin = Plugin(EVERYTHING)

    def test_metrics_are_described_in_order(self) -> None:
        dark, size, like = self.plugin.describe(Kind.METRIC)
        self.assertEqual(dark.config_schema and "below" in dark.config_schema, True)
        wanted = MetricInfo("dark-share", "Share of dark pixels.", Direction.LOWER, (0, 1), "share", dark.config_schema)
        self.assertEqual(dark, wanted)
        self.assertEqual(size, MetricInfo("size-as-asked", "Whether it has the size.", Direction.NEITHER, (0, float("inf")), None, None))
        self.assertEqual(like.name, "likeness")

    def test_parameters_tell_the_kind(self) -> None:
        self.assertEqual(self.plugin.kinds, list(Kind))
        self.assertEqual([info.name for info in self.plugin.describe(Kind.PAIR)], ["difference"])
        self.assertEqual([info.name for info in self.plugin.describe(Kind.SET)], ["count"])
        (generator,) = self.plugin.describe(Kind.PROMPTS)
        self.assertEqual(generator, GeneratorInfo("numbers", "Numbers.", generator.config_schema))

    def test_models_are_asked_for_by_a_parameter(self) -> None:
        self.assertTrue(self.plugin.uses_models)
        self.assertFalse(Plugin(module(dark_share, difference)).uses_models)


class Calling(unittest.TestCase):
    plugin = Plugin(EVERYTHING, Ones())

    def test_a_metric(self) -> None:
        self.assertEqual(self.plugin.measure("dark-share", WHITE), Score(0.0, {"dark": 0.0}))
        self.assertEqual(self.plugin.measure("dark-share", WHITE, config={"below": 256}).value, 1.0)
        score = self.plugin.measure("size-as-asked", WHITE, Sample("", attributes={"size": "2x1"}))
        self.assertEqual((score, type(score.value)), (Score(1.0), float))

    def test_pairs_sets_and_models(self) -> None:
        black = Image.from_rgb8(2, 1, [0] * 6)
        self.assertEqual(self.plugin.measure_pair("difference", WHITE, black).value, 255)
        images = ImageSet([WHITE, black])
        self.assertEqual(self.plugin.measure_set("count", images).value, 2)
        self.assertEqual(self.plugin.measure_set("count", images, images[:1]).value, 1)
        self.assertEqual(self.plugin.measure("likeness", WHITE).value, 1.0)
        with self.assertRaisesRegex(ModelNotFound, "`clip`"):
            Plugin(EVERYTHING).measure("likeness", WHITE)

    def test_prompts_come_in_pages(self) -> None:
        page = self.plugin.generate("numbers", seed=7, offset=0, limit=2, config={"below": 2})
        self.assertEqual(page, [Prompt("seed 7", id="s"), Prompt("number 0", id="number-0")])
        page = self.plugin.generate("numbers", seed=7, offset=2, limit=5, config={"below": 2})
        self.assertEqual([prompt.id for prompt in page], ["number-1"])

    def test_errors_are_those_of_the_contract(self) -> None:
        with self.assertRaisesRegex(Error, "no metric `dark` in this plugin; it has dark-share, size-as-asked"):
            self.plugin.measure("dark", WHITE)
        with self.assertRaisesRegex(InvalidConfig, "takes no config"):
            self.plugin.measure("size-as-asked", WHITE, config={"a": 1})
        with self.assertRaisesRegex(InvalidConfig, "not of type integer"):
            self.plugin.measure("dark-share", WHITE, config='{"below": "x"}')

        @metric
        def nothing(image: Image) -> float:
            """Forgets to return."""
            return None  # type: ignore[return-value]

        with self.assertRaisesRegex(Error, "returned a NoneType"):
            Plugin(module(nothing)).measure("nothing", WHITE)


class Refusals(unittest.TestCase):
    def refused(self, declare: Callable[..., Any], function: Any, message: str) -> None:
        with self.assertRaisesRegex(DeclarationError, message):
            Plugin(module(declare(function)))

    def test_signatures_that_make_no_sense(self) -> None:
        def documented(function: Any) -> Any:
            function.__doc__ = "Something."
            return function

        unknown: Any = documented(lambda image, prompt: 0)
        self.refused(metric(name="x"), unknown, "no `prompt` for a metric; it takes `image`, `sample`, `models`, `config`")
        self.refused(metric(name="x"), documented(lambda image, images: 0), "exclude each other")
        self.refused(metric(name="x"), documented(lambda reference: 0), "a reference needs something to compare")
        self.refused(metric(name="x"), documented(lambda images, sample: 0), "no `sample` for a set-metric")
        self.refused(metric(name="x"), documented(lambda *image: 0), "passes arguments by name")
        self.refused(prompts(name="x"), documented(lambda image: 0), "no `image` for a prompts")
        self.refused(metric(name="x"), documented(lambda image, config: 0), "the config has no type")
        self.refused(metric(name="x"), lambda image: 0, "it has no docstring")
        self.refused(metric(name="Bad_Name"), documented(lambda image: 0), "not kebab-case")
        self.refused(metric, documented(lambda image: 0), "`<lambda>`, which is not kebab-case")
        self.refused(metric(name="x", range=(1, 1)), documented(lambda image: 0), "the lower one first")
        wrong: Any = "up"
        self.refused(metric(name="x", direction=wrong), documented(lambda image: 0), "the direction is one of 'higher'")

    def test_annotations_that_make_no_sense(self) -> None:
        def image_set(images: list[Image]) -> float:
            """A list."""
            return 0

        def always_there(images: ImageSet, reference: ImageSet) -> float:
            """Not every suite has one."""
            return 0

        def no_table(image: Image, config: dict[str, int]) -> float:
            """No dataclass."""
            return 0

        self.refused(metric, image_set, "write `images: ImageSet`")
        self.refused(metric, always_there, r"write `reference: ImageSet \| None`, since not every suite")
        self.refused(metric, no_table, r"test_plugin.py:\d+: `no_table`: a config is a dataclass")

    def test_a_module_holds_something_and_each_name_once(self) -> None:
        with self.assertRaisesRegex(DeclarationError, "holds no metric and no prompt generator"):
            Plugin(ModuleType("empty"))

        @metric(name="dark-share")
        def other(image: Image) -> float:
            """Another."""
            return 0

        with self.assertRaisesRegex(DeclarationError, "two functions are the metric `dark-share`: .*`dark_share` and .*`other`"):
            Plugin(module(dark_share, other))
        again = module(dark_share)
        setattr(again, "alias", dark_share)
        self.assertEqual(len(Plugin(again).describe(Kind.METRIC)), 1)
