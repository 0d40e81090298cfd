"""Models that the suite declares by name and the host runs.

A metric that takes ``models: Models`` may ask for them, and is *model-dependent* from then on: its score may differ in the last
digits from machine to machine. Without that parameter a component cannot even ask.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import prod

from .errors import ModelNotFound, UnsupportedInput
from .image import Image, ImageSet


class ElementType(Enum):
    """Type of the elements of a :class:`Tensor`; the value is its name in the contract."""

    F16 = "FP16"
    F32 = "FP32"
    F64 = "FP64"
    BF16 = "BF16"
    U8 = "U8"
    I32 = "I32"
    I64 = "I64"

    @property
    def bytes(self) -> int:
        """Bytes of one element."""
        return {"FP16": 2, "FP32": 4, "FP64": 8, "BF16": 2, "U8": 1, "I32": 4, "I64": 8}[self.value]


# array's letters for the types it knows; `l` differs between systems and is not among them
_LETTERS = {ElementType.F32: "f", ElementType.F64: "d", ElementType.U8: "B", ElementType.I32: "i", ElementType.I64: "q"}


@dataclass(frozen=True)
class Tensor:
    """Numbers in a grid: row-major, little-endian bytes, as ``data``."""

    dimensions: tuple[int, ...]
    type: ElementType
    data: bytes

    def __post_init__(self) -> None:
        wanted = prod(self.dimensions) * self.type.bytes
        if len(self.data) != wanted:
            raise ValueError(f"a tensor of {self.dimensions} {self.type.name} has {wanted} bytes, not {len(self.data)}")

    @classmethod
    def of(cls, dimensions: Iterable[int], values: Iterable[float], type: ElementType = ElementType.F32) -> "Tensor":
        """A tensor of these values, of any type but F16 and BF16."""
        numbers = values if type in (ElementType.F32, ElementType.F64) else [int(value) for value in values]
        return cls(tuple(dimensions), type, array(_letter(type), numbers).tobytes())

    def values(self) -> "array[float]":
        """The elements in order, of any type but F16 and BF16."""
        numbers: array[float] = array(_letter(self.type))
        numbers.frombytes(self.data)
        return numbers


def _letter(type: ElementType) -> str:
    try:
        return _LETTERS[type]
    except KeyError:
        raise UnsupportedInput(f"Python's array has no {type.name}: read the tensor's bytes") from None


class Models:
    """The models of the suite. In plain Python there are none: a test derives from this class and answers what its metric asks.

    Each call raises :class:`~difftest_sdk.ModelNotFound` for a name that the suite does not declare."""

    def dimensions(self, model: str) -> int:
        """Numbers in an embedding of this CLIP-like model."""
        raise _nowhere(model)

    def embed_text(self, model: str, text: str) -> Sequence[float]:
        """The embedding of a text, of length 1."""
        raise _nowhere(model)

    def embed_image(self, model: str, image: Image) -> Sequence[float]:
        """The embedding of an image, of length 1. Computed once for each image, whichever plugins ask; no pixels move."""
        raise _nowhere(model)

    def embed_set(self, model: str, images: ImageSet) -> Sequence[Sequence[float]]:
        """The embeddings of all images in their order."""
        raise _nowhere(model)

    def run(self, graph: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs of an ONNX graph by name, for these inputs by name."""
        raise _nowhere(graph)


def _nowhere(model: str) -> ModelNotFound:
    return ModelNotFound(f"there is no `{model}` outside of difftest; a test derives from Models and answers itself")
