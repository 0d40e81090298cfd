"""The plugin that test_component.py builds: every kind of function, and one that does what it is told, good or bad."""

import os
import random
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from difftest_sdk import (
    Filter,
    Image,
    ImageSet,
    Models,
    Prompt,
    Random,
    Sample,
    Score,
    Tensor,
    UnsupportedInput,
    log,
    metric,
    prompts,
)


EMPTY: dict[str, float] = {}


@dataclass(frozen=True)
class Do:
    what: Annotated[str, "Name of a function below."]


@metric(range=(0, 1000))
def torture(image: Image, sample: Sample, config: Do) -> Score:
    """Does what it is told."""
    answer = globals()[f"do_{config.what}"](image, sample)
    return answer if isinstance(answer, Score) else Score(0.5)


def do_see(image: Image, sample: Sample) -> Score:
    """What an image and a sample say, as numbers."""
    small = image.resize(2, 1, Filter.NEAREST)
    first = next(small.pixels())
    return Score(
        image.luma8()[0],
        {
            "width": image.width,
            "height": image.height,
            "bytes": len(image.rgb8()),
            "rows": len(image.rows(1, 1000)),
            "red": first.r,
            "small": small.width,
            "digest": int(image.digest()[:4], 16),
            "seed": sample.seed,
            "prompt": len(sample.prompt),
            "size": int(sample.attributes["size"].split("x")[0]),
        },
    )


def do_print(image: Image, sample: Sample) -> None:
    print("hello\nworld")
    print("to stderr", file=sys.stderr)
    log.warn("to the log")
    warnings.warn("be careful")
    try:
        EMPTY["key"]
    except KeyError:
        traceback.print_exc()


def do_key_error(image: Image, sample: Sample) -> Any:
    return EMPTY["key"]


def do_unsupported(image: Image, sample: Sample) -> None:
    raise UnsupportedInput("größer than 4x4")


def do_recurse(image: Image, sample: Sample) -> None:
    do_recurse(image, sample)


def do_exit(image: Image, sample: Sample) -> None:
    sys.exit(3)


def do_open(image: Image, sample: Sample) -> None:
    open("/etc/passwd")


def do_listdir(image: Image, sample: Sample) -> None:
    os.listdir(".")


def do_time(image: Image, sample: Sample) -> None:
    time.time()


def do_import(image: Image, sample: Sample) -> None:
    import colorsys  # noqa: F401


def do_urandom(image: Image, sample: Sample) -> None:
    random.SystemRandom().random()


def do_input(image: Image, sample: Sample) -> None:
    input()


def do_unseeded(image: Image, sample: Sample) -> Score:
    """The same in every build, and in every call."""
    return Score(random.random())


def do_drop(image: Image, sample: Sample) -> None:
    """More images than the host lets one hold, one after the other."""
    for _ in range(400):
        image.resize(1, 1)


@metric
def difference(image: Image, reference: Image) -> float:
    """Difference of the first byte."""
    return image.rgb8()[0] - reference.rgb8()[0]


@metric
def levels(images: ImageSet, reference: ImageSet | None) -> Score:
    """Sum of the first bytes."""
    others = -1 if reference is None else len(reference)
    return Score(sum(image.rgb8()[0] for image in images), {"last": images[-1].rgb8()[0], "reference": others})


@metric
def likeness(image: Image, sample: Sample, models: Models) -> Score:
    """Cosine of image and prompt."""
    ours, prompt = models.embed_image("clip", image), models.embed_text("clip", sample.prompt)
    cosine = sum(a * b for a, b in zip(ours, prompt))
    return Score(cosine, {"dimensions": models.dimensions("clip"), "length": sum(a * a for a in ours)})


@metric
def embedded(images: ImageSet, models: Models) -> float:
    """Whether a set is embedded as its images are."""
    whole = [list(row) for row in models.embed_set("clip", images)]
    return whole == [list(models.embed_image("clip", image)) for image in images]


@metric
def doubled(image: Image, models: Models) -> float:
    """What the graph `double` makes of 21."""
    return models.run("double", {"x": Tensor.of([1, 3], [21, 0, 0])})["y"].values()[0]


@dataclass(frozen=True)
class Places:
    places: list[str]


@prompts
def cats(config: Places, seed: int) -> Iterator[Prompt]:
    """Cats without end."""
    chance = Random(seed)
    while True:
        place = chance.choose(config.places)
        yield Prompt(f"a red circle {place} {chance.below(1000)}", attributes={"place": place})
