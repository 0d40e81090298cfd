"""Colours of single pixels. Values equal scikit-image's ``rgb2lab`` (illuminant D65, 2 degree observer)."""

import math
from typing import NamedTuple


class Rgb(NamedTuple):
    """One pixel, 8-bit sRGB, each channel 0 to 255."""

    r: int
    g: int
    b: int

    def to_linear(self) -> tuple[float, float, float]:
        """Each channel in 0 to 1, proportional to light (the inverse of the sRGB transfer function, IEC 61966-2-1)."""
        return _linear(self.r), _linear(self.g), _linear(self.b)

    def luma8(self) -> int:
        """BT.601 luma with Pillow's integer weights, as :meth:`Image.luma8` gives it."""
        # the weights add up to 65536, so the result is at most 255
        return (self.r * 19_595 + self.g * 38_470 + self.b * 7_471 + 0x8000) >> 16

    def to_lab(self) -> "Lab":
        """CIE 1976 L*a*b*: L* in 0 to 100, a* and b* within about -128 to 128. Distances in it follow the eye."""
        r, g, b = self.to_linear()
        x = _lightness((0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.95047)
        y = _lightness(0.212671 * r + 0.715160 * g + 0.072169 * b)
        z = _lightness((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.08883)
        return Lab(116 * y - 16, 500 * (x - y), 200 * (y - z))


class Lab(NamedTuple):
    """A colour in CIELAB under D65: lightness 0 to 100, green to red, blue to yellow."""

    l: float
    a: float
    b: float

    def chroma(self) -> float:
        """Colourfulness: the distance from grey."""
        return math.hypot(self.a, self.b)

    def hue(self) -> float:
        """Hue angle in degrees, 0 to 360: 0 is red-ish, 90 yellow, 180 green, 270 blue. Means nothing for greys."""
        return math.degrees(math.atan2(self.b, self.a)) % 360

    def delta_e76(self, other: "Lab") -> float:
        """CIE 1976 colour difference: the Euclidean distance. About 2.3 is just noticeable."""
        return math.dist(self, other)


def _linear(channel: int) -> float:
    c = channel / 255
    return float(((c + 0.055) / 1.055) ** 2.4) if c > 0.04045 else c / 12.92


def _lightness(t: float) -> float:
    # a third root by pow: `math.cbrt` came with Python 3.11
    return float(t ** (1 / 3)) if t > 0.008856 else 7.787 * t + 16 / 116
