"""The images that metrics look at.

In a component an image is a handle: pixels stay in the host until they are asked for. In plain Python it is a block of
memory (``_memory``), for tests. Both give the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple, Protocol, overload

from ._memory import Memory
from .color import Rgb


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Filter(Enum):
    """How :meth:`Image.resize` weighs the pixels that a new one is made of."""

    NEAREST = "nearest"
    """The one pixel in the middle."""
    BILINEAR = "bilinear"
    """A triangle, widened when shrinking."""
    LANCZOS3 = "lanczos3"
    """A windowed sinc over three pixels to each side, widened when shrinking."""


class Source(Protocol):
    """Where the pixels of an image are: memory, or the host."""

    def size(self) -> tuple[int, int]: ...
    def rgb8(self) -> bytes: ...
    def luma8(self) -> bytes: ...
    def rows(self, first: int, count: int) -> bytes: ...
    def resize(self, width: int, height: int, filter: str) -> "Source": ...
    def digest(self) -> str: ...


class Image:
    """8-bit sRGB, row-major, three interleaved channels, no alpha; immutable.

    Nothing is cached: each call that returns pixels copies them out of the host once. Ask once and keep the answer. All
    pixels come as ``bytes``, whose slices, ``sum``, ``max``, ``count``, ``translate`` and comparisons run at the speed of C;
    a loop over single pixels does not.
    """

    __slots__ = ("_source",)

    def __init__(self, source: Source) -> None:
        """What the host does; tests use :meth:`from_rgb8`."""
        self._source = source

    @classmethod
    def from_rgb8(cls, width: int, height: int, pixels: bytes | bytearray | Sequence[int]) -> "Image":
        """An image of these ``width * height * 3`` bytes: red, green and blue of each pixel in turn, row by row. For tests.

        Raises ``ValueError`` when the number of bytes does not fit the size, or a side is 0."""
        return cls(Memory(width, height, bytes(pixels)))

    @classmethod
    def from_function(cls, width: int, height: int, color: Callable[[int, int], tuple[int, int, int]]) -> "Image":
        """An image whose pixel at column ``x`` and row ``y`` is ``color(x, y)``. For tests."""
        return cls.from_rgb8(width, height, [c for y in range(height) for x in range(width) for c in color(x, y)])

    @property
    def size(self) -> Size:
        """Width and height in pixels; both at least 1."""
        return Size(*self._source.size())

    @property
    def width(self) -> int:
        """Pixels per row."""
        return self.size.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.size.height

    def rgb8(self) -> bytes:
        """All ``width * height * 3`` bytes: red, green and blue of each pixel in turn. ``rgb8()[0::3]`` is the red channel."""
        return self._source.rgb8()

    def luma8(self) -> bytes:
        """The ``width * height`` BT.601 luma bytes, bit for bit as Pillow's ``convert("L")``."""
        return self._source.luma8()

    def rows(self, first: int, count: int) -> bytes:
        """The bytes of at most ``count`` rows from row ``first`` on, as :meth:`rgb8` gives them. Rows that do not exist are
        left out. Raises ``ValueError`` for a negative number."""
        if first < 0 or count < 0:
            raise ValueError(f"rows are counted from the top: {first}, {count}")
        most = 0xFFFFFFFF
        return self._source.rows(min(first, most), min(count, most))

    def pixels(self) -> Iterator[Rgb]:
        """All pixels, row by row. Slow beside what works on ``bytes``: for small images, or after :meth:`resize`."""
        pixels = iter(self.rgb8())
        return (Rgb(r, g, b) for r, g, b in zip(pixels, pixels, pixels))

    def resize(self, width: int, height: int, filter: Filter = Filter.BILINEAR) -> "Image":
        """Another size of it, bit for bit as Pillow 12's ``resize`` with the same filter: columns first, then rows, 8 bits
        between the two. The host does the work at its own speed.

        Raises ``ValueError`` when a side is 0; more than the host's limits allow ends the call."""
        if not (0 < width <= 0xFFFFFFFF and 0 < height <= 0xFFFFFFFF):
            raise ValueError(f"an image of {width}x{height} has no pixels")
        return Image(self._source.resize(width, height, filter.value))

    def digest(self) -> str:
        """SHA-256 of width, height (both little-endian u32) and pixels, in hexadecimal: equal for equal pixels."""
        return self._source.digest()

    def __repr__(self) -> str:
        width, height = self.size
        return f"Image({width}x{height})"


class SetSource(Protocol):
    """Where the images of a set are."""

    def __len__(self) -> int: ...
    def at(self, index: int) -> Image: ...


class ImageSet(Sequence[Image]):
    """Images in a fixed order; immutable. It is lazy: an image is decoded when it is asked for, so a set of any size fits.

    The host keeps the pixels of an image for as long as the image exists: let go of one before the next is asked for, as a
    loop does, instead of collecting all of them."""

    __slots__ = ("_source",)

    def __init__(self, images: "Sequence[Image] | SetSource") -> None:
        """A set of these images, for tests."""
        self._source: SetSource = _InMemory(images) if isinstance(images, Sequence) else images

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> "ImageSet": ...
    def __getitem__(self, index: int | slice) -> "Image | ImageSet":
        """The image at this place, decoded now, or a set of some of them, decoded later."""
        places = range(len(self))
        if isinstance(index, slice):
            return ImageSet(_Part(self._source, places[index]))
        try:
            return self._source.at(places[index])
        except IndexError:
            raise IndexError(f"there is no image {index} in a set of {len(self)}") from None

    def __repr__(self) -> str:
        return f"ImageSet({len(self)})"


class _InMemory:
    def __init__(self, images: Sequence[Image]) -> None:
        self._images = tuple(images)

    def __len__(self) -> int:
        return len(self._images)

    def at(self, index: int) -> Image:
        return self._images[index]


class _Part:
    """Some images of another set."""

    def __init__(self, whole: SetSource, places: range) -> None:
        self._whole, self._places = whole, places

    def __len__(self) -> int:
        return len(self._places)

    def at(self, index: int) -> Image:
        return self._whole.at(self._places[index])
