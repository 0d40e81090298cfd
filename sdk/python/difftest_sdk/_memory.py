"""Images in memory, for tests in plain Python: the same bytes as the host gives, without a host."""

import hashlib
import math
from collections.abc import Callable

_PRECISION = 32 - 8 - 2


class Memory:
    """Pixels in a block of memory; see :class:`difftest_sdk.image.Source`."""

    __slots__ = ("_width", "_height", "_pixels")

    def __init__(self, width: int, height: int, pixels: bytes) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"an image of {width}x{height} has no pixels")
        if len(pixels) != width * height * 3:
            raise ValueError(f"an image of {width}x{height} has {width * height * 3} bytes, but {len(pixels)} were given")
        self._width, self._height, self._pixels = width, height, pixels

    def size(self) -> tuple[int, int]:
        return self._width, self._height

    def rgb8(self) -> bytes:
        return self._pixels

    def luma8(self) -> bytes:
        channels = (self._pixels[channel::3] for channel in range(3))
        # the weights add up to 65536, so the result is at most 255
        return bytes((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16 for r, g, b in zip(*channels))

    def rows(self, first: int, count: int) -> bytes:
        row = self._width * 3
        return self._pixels[first * row : (first + count) * row]

    def digest(self) -> str:
        size = self._width.to_bytes(4, "little") + self._height.to_bytes(4, "little")
        return hashlib.sha256(size + self._pixels).hexdigest()

    def resize(self, width: int, height: int, filter: str) -> "Memory":
        if filter == "nearest":
            return self._nearest(width, height)
        support, kernel = (1.0, _triangle) if filter == "bilinear" else (3.0, _lanczos3)
        # Columns first, then rows, with 8 bits between the two: so does Pillow, and so its roundings are met. A side that
        # keeps its length is not touched.
        resized = self
        if width != self._width:
            resized = resized._narrowed(width, support, kernel)
        if height != self._height:
            resized = resized._transposed()._narrowed(height, support, kernel)._transposed()
        return resized

    def _narrowed(self, width: int, support: float, kernel: Callable[[float], float]) -> "Memory":
        """Another width, the same height."""
        windows = _windows(self._width, width, support, kernel)
        pixels = bytearray()
        for y in range(self._height):
            row = self.rows(y, 1)
            for first, weights in windows:
                part = row[first * 3 : (first + len(weights)) * 3]
                for channel in range(3):
                    mixed = sum(map(int.__mul__, part[channel::3], weights), 1 << (_PRECISION - 1))
                    pixels.append(min(max(mixed >> _PRECISION, 0), 255))
        return Memory(width, self._height, bytes(pixels))

    def _transposed(self) -> "Memory":
        columns = (self._pixels[(y * self._width + x) * 3 :][:3] for x in range(self._width) for y in range(self._height))
        return Memory(self._height, self._width, b"".join(columns))

    def _nearest(self, width: int, height: int) -> "Memory":
        columns, rows = _middles(self._width, width), _middles(self._height, height)
        pixels = b"".join(self._pixels[(y * self._width + x) * 3 :][:3] for y in rows for x in columns)
        return Memory(width, height, pixels)


def _middles(old: int, new: int) -> list[int]:
    """The pixel that covers the middle of each new one. The step is added up, as Pillow does, rather than multiplied."""
    step = old / new
    position = step * 0.5
    places = []
    for _ in range(new):
        places.append(min(int(position), old - 1))
        position += step
    return places


def _windows(old: int, new: int, support: float, kernel: Callable[[float], float]) -> list[tuple[int, list[int]]]:
    """For each new pixel the first old one that it is mixed from, and the weights of that one and those after it, in units of
    2**-22."""
    scale = old / new
    widening = max(scale, 1.0)
    support *= widening
    windows = []
    for place in range(new):
        center = (place + 0.5) * scale
        first = max(int(center - support + 0.5), 0)
        end = min(int(center + support + 0.5), old)
        weights = [kernel((x - center + 0.5) * (1.0 / widening)) for x in range(first, end)]
        # a plain left-to-right sum: `sum` adds floats more exactly since Python 3.12, and other roundings are other bytes
        total = 0.0
        for weight in weights:
            total += weight
        scaled = (weight / total * (1 << _PRECISION) for weight in weights)
        windows.append((first, [int(weight - 0.5) if weight < 0 else int(weight + 0.5) for weight in scaled]))
    return windows


def _triangle(x: float) -> float:
    return max(1.0 - abs(x), 0.0)


def _lanczos3(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0


def _sinc(x: float) -> float:
    angle = x * math.pi
    return math.sin(angle) / angle if x != 0 else 1.0
