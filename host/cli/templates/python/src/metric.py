"""{{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each one under @metric is a metric."""

from dataclasses import dataclass
from typing import Annotated

from difftest_sdk import Image, Range, metric


@dataclass(frozen=True)
class Brightness:
    above: Annotated[int, "Grey level, 0 to 255.", Range(0, 255)] = 127


@metric(range=(0, 1))
def bright_share(image: Image, config: Brightness) -> float:
    """Share of pixels that are brighter than `above`: 0 is none, 1 is all."""
    luma = image.luma8()
    # deleting the bright levels is one call in C; a loop over the pixels would cost ten times the fuel
    dark = luma.translate(None, bytes(range(config.above + 1, 256)))
    return (len(luma) - len(dark)) / len(luma)
