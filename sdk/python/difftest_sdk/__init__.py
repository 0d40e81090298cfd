"""Write metrics and prompt generators for difftest. A function with a docstring is a plugin:

    from difftest_sdk import Image, metric

    @metric(range=(0, 1))
    def brightness(image: Image) -> float:
        \"\"\"Mean brightness: 0 is black, 1 is white.\"\"\"
        luma = image.luma8()
        return sum(luma) / (255 * len(luma))

``python -m difftest_sdk build`` makes a WebAssembly component of the module; README.md goes from nothing to a score.

The way of the data: :mod:`~difftest_sdk.declare` reads the signature and leaves what it found on the function,
:class:`Plugin` collects the functions of a module and calls them as the host does, ``_component`` exports a plugin through
the contract in ``wit/``. In plain Python there is no host: an :class:`Image` is then a block of memory, so unit tests call
the functions themselves.

What a plugin cannot do: read a clock, a file, the network, the environment, or true randomness. :class:`Random` with the
seed it is given is all the chance there is. Every call starts from a fresh instance, so nothing is remembered between two
images.
"""

from . import log
from .color import Lab, Rgb
from .config import Length, Pattern, Range
from .declare import metric, prompts
from .errors import Error, InvalidConfig, ModelNotFound, UnsupportedInput
from .image import Filter, Image, ImageSet, Size
from .info import Direction, GeneratorInfo, Kind, MetricInfo
from .models import ElementType, Models, Tensor
from .plugin import Plugin
from .prompt import Prompt
from .random import Random
from .score import Sample, Score

__version__ = "0.1.0"

__all__ = [
    "Direction",
    "ElementType",
    "Error",
    "Filter",
    "GeneratorInfo",
    "Image",
    "ImageSet",
    "InvalidConfig",
    "Kind",
    "Lab",
    "Length",
    "MetricInfo",
    "ModelNotFound",
    "Models",
    "Pattern",
    "Plugin",
    "Prompt",
    "Random",
    "Range",
    "Rgb",
    "Sample",
    "Score",
    "Size",
    "Tensor",
    "UnsupportedInput",
    "log",
    "metric",
    "prompts",
]
