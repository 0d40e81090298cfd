"""Letterboxes and frames: uniform bands at the edges of an image, a common failure of diffusion models.

A band is a run of whole rows (or columns) from an edge in which each channel keeps within `tolerance` grey levels over the
whole band, not only from row to row: a slow gradient ends it. The bands at top and bottom are taken off first and those at the
sides of what is left, or the other way round, whichever takes more; so a frame whose sides differ in colour is found whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from difftest_sdk import Image, Range, Score, metric

# rows that are copied out of the host at once: most images have no band, and then this is all that is read of an edge
ROWS = 16

LEVELS = bytes(range(256))


@dataclass(frozen=True)
class Config:
    tolerance: Annotated[int, "Most that a channel may differ inside a band, in grey levels.", Range(0, 255)] = 16
    least: Annotated[int, "Thinnest band that counts, in pixels.", Range(1)] = 4


class Bands(NamedTuple):
    """Thickness of the band at each side, in pixels."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def area(self, width: int, height: int) -> int:
        """Pixels in the bands of an image of this size."""
        return width * height - (width - self.left - self.right) * (height - self.top - self.bottom)


@metric(range=(0, 1), direction="lower")
def borders(image: Image, config: Config) -> Score:
    """Share of the image that uniform bands at its edges take: 0 is none, 1 is an image of one colour."""
    width, height = image.size
    found = rows_first(image, config)
    if found.area(width, height) < width * height:
        found = max(found, columns_first(image, config), key=lambda bands: bands.area(width, height))
    return Score(found.area(width, height) / (width * height), found._asdict())


def rows_first(image: Image, config: Config) -> Bands:
    """Top and bottom over the whole width, then the sides of what is between them."""
    width, height = image.size
    top, bottom = ends(height, row_reader(image), config)
    if top == height:
        return Bands(top=top)
    left, right = ends(width, column_reader(image, top, height - bottom), config)
    return Bands(top, bottom, left, right)


def columns_first(image: Image, config: Config) -> Bands:
    """The sides over the whole height, then top and bottom of what is between them."""
    width, height = image.size
    left, right = ends(width, column_reader(image, 0, height), config)
    if left == width:
        return Bands(left=left)
    top, bottom = ends(height, row_reader(image, left, width - right), config)
    return Bands(top, bottom, left, right)


Line = Callable[[int], tuple[bytes, bytes, bytes]]
"""The channels of the row or column at a place."""


def ends(count: int, line: Line, config: Config) -> tuple[int, int]:
    """Thickness of the bands at both ends of `count` lines, the second one out of what the first one leaves."""
    first = band(range(count), line, config)
    last = band(range(count - 1, first - 1, -1), line, config)
    return first, last


def band(places: range, line: Line, config: Config) -> int:
    """How many lines, in this order, keep each channel within the tolerance all together; 0 for fewer than count."""
    lows, highs = [255] * 3, [0] * 3
    thickness = 0
    for place in places:
        for channel, values in enumerate(line(place)):
            # deleting the levels that the band has already is one call in C; most lines of a band bring few others
            new = values.translate(None, LEVELS[lows[channel] : highs[channel] + 1])
            if new:
                lows[channel] = min(lows[channel], min(new))
                highs[channel] = max(highs[channel], max(new))
        if any(high - low > config.tolerance for low, high in zip(lows, highs)):
            break
        thickness += 1
    return thickness if thickness >= config.least else 0


def row_reader(image: Image, left: int = 0, right: int | None = None) -> Line:
    """Rows between two columns, copied out of the host a few at a time."""
    width, height = image.size
    start, end = left * 3, (width if right is None else right) * 3
    stride = width * 3
    chunks: dict[int, bytes] = {}

    def row(y: int) -> tuple[bytes, bytes, bytes]:
        number = y // ROWS
        if number not in chunks:
            chunks.clear()
            chunks[number] = image.rows(number * ROWS, ROWS)
        at = (y - number * ROWS) * stride
        pixels = chunks[number][at + start : at + end]
        return pixels[0::3], pixels[1::3], pixels[2::3]

    return row


def column_reader(image: Image, top: int, bottom: int) -> Line:
    """Columns between two rows. A column crosses all of them, so they are copied at once, when the first is asked for."""
    stride = image.width * 3
    pixels = b""

    def column(x: int) -> tuple[bytes, bytes, bytes]:
        nonlocal pixels
        pixels = pixels or image.rows(top, bottom - top)
        at = x * 3
        return pixels[at::stride], pixels[at + 1 :: stride], pixels[at + 2 :: stride]

    return column
