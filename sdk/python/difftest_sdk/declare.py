"""The decorators, and what they read from a function.

A decorated function stays what it is, so that tests call it; what was read is kept in its attribute ``__difftest__``, where
:class:`~difftest_sdk.Plugin` finds it. Nothing is kept anywhere else.
"""

import inspect
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints, overload

from . import config
from .errors import DeclarationError
from .image import Image, ImageSet
from .info import Direction, GeneratorInfo, Kind, MetricInfo
from .models import Models
from .prompt import Prompt
from .score import Sample, Score

Measured = float | Score
M = TypeVar("M", bound=Callable[..., Measured])
P = TypeVar("P", bound=Callable[..., Iterable[Prompt | str]])

ATTRIBUTE = "__difftest__"

# the parameters of each kind of function, besides `config`
_KNOWN = {
    Kind.METRIC: ("image", "sample", "models"),
    Kind.PAIR: ("image", "reference", "sample", "models"),
    Kind.SET: ("images", "reference", "models"),
    Kind.PROMPTS: ("seed",),
}
_TYPES: dict[str, type] = {"image": Image, "images": ImageSet, "sample": Sample, "models": Models, "seed": int}


@dataclass(frozen=True)
class Declaration:
    """A function that is a metric or a prompt generator."""

    function: Callable[..., Any]
    kind: Kind
    name: str
    summary: str
    parameters: tuple[str, ...]
    direction: Direction = Direction.NEITHER
    range: tuple[float, float] | None = None
    unit: str | None = None

    @property
    def uses_models(self) -> bool:
        """Whether it may ask for models."""
        return "models" in self.parameters

    def config_type(self) -> type | None:
        """The dataclass of its config. Raises :class:`DeclarationError` when the annotations make no sense."""
        hints = _hints(self.function)
        for parameter in self.parameters:
            if parameter in hints and parameter != "config":
                self._check(parameter, hints[parameter])
        if "config" not in self.parameters:
            return None
        if "config" not in hints:
            raise DeclarationError(f"{where(self.function)}: the config has no type: write `config: YourDataclass`")
        hint: type = hints["config"]
        return hint

    def _check(self, parameter: str, hint: Any) -> None:
        wanted = _TYPES.get(parameter, ImageSet if self.kind is Kind.SET else Image)
        optional = self.kind is Kind.SET and parameter == "reference"
        if optional and wanted in get_args(hint) and type(None) in get_args(hint):
            return
        # in Python 3.10 `list[int]` passes for a type
        plain = isinstance(hint, type) and get_origin(hint) is None
        if hint is Any or (plain and issubclass(wanted, hint) and not optional):
            return
        shown = f"{parameter}: {wanted.__name__}{' | None' if optional else ''}"
        why = ", since not every suite has a reference set" if optional else ""
        raise DeclarationError(f"{where(self.function)}: write `{shown}`{why}")

    def metric_info(self) -> MetricInfo:
        """It as the host sees it."""
        return MetricInfo(self.name, self.summary, self.direction, self.range, self.unit, self._schema())

    def generator_info(self) -> GeneratorInfo:
        """It as the host sees it."""
        return GeneratorInfo(self.name, self.summary, self._schema())

    def _schema(self) -> str | None:
        cls = self.config_type()
        try:
            return None if cls is None else config.schema(cls)
        except DeclarationError as error:
            raise DeclarationError(f"{where(self.function)}: {error}") from None


@overload
def metric(function: M) -> M: ...
@overload
def metric(
    *,
    name: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    direction: Literal["higher", "lower", "neither"] = "neither",
    unit: str | None = None,
) -> Callable[[M], M]: ...
def metric(
    function: M | None = None,
    *,
    name: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    direction: Literal["higher", "lower", "neither"] = "neither",
    unit: str | None = None,
) -> M | Callable[[M], M]:
    """Makes a function a metric.

    Its parameters, in any order, say what it looks at: ``image`` is one image; ``image`` and ``reference`` are an image and
    what it should look like; ``images`` are all images of a test, with ``reference: ImageSet | None`` beside it for a set to
    compare with. ``sample`` (not with ``images``) tells of the prompt, ``config`` is a dataclass of yours, ``models`` the
    suite's models. It returns a ``float`` or a :class:`Score`.

    Its name in kebab-case is the metric's unless ``name`` says otherwise, the first line of its docstring the summary.
    ``range`` is checked by the host on every score; ``None`` leaves an end open. ``direction`` lets suites write a bare
    threshold; without it they have to say ``min`` or ``max``. ``unit`` is shown beside scores.

    Raises :class:`DeclarationError` when that cannot be a metric."""

    def declare(function: M) -> M:
        parameters = _parameters(function)
        kind = _kind(parameters, function)
        declaration = Declaration(
            function=function,
            kind=kind,
            name=_kebab(name, function),
            summary=_summary(function),
            parameters=_fitting(parameters, kind, function),
            direction=_direction(direction, function),
            range=_closed(range, function),
            unit=unit,
        )
        setattr(function, ATTRIBUTE, declaration)
        return function

    return declare if function is None else declare(function)


@overload
def prompts(function: P) -> P: ...
@overload
def prompts(*, name: str | None = None) -> Callable[[P], P]: ...
def prompts(function: P | None = None, *, name: str | None = None) -> P | Callable[[P], P]:
    """Makes a function a prompt generator.

    Its parameters, in any order: ``config``, a dataclass of yours, and ``seed: int``, the only chance there is;
    :class:`Random` makes numbers of it. It returns an iterable of prompts or plain texts; a generator is best where there is
    much to come, since the SDK cuts the pages that the host asks for. The order must follow from the arguments alone.

    Raises :class:`DeclarationError` when that cannot be a prompt generator."""

    def declare(function: P) -> P:
        parameters = _fitting(_parameters(function), Kind.PROMPTS, function)
        declaration = Declaration(function, Kind.PROMPTS, _kebab(name, function), _summary(function), parameters)
        setattr(function, ATTRIBUTE, declaration)
        return function

    return declare if function is None else declare(function)


def where(function: Callable[..., Any]) -> str:
    """``file.py:12: `name```, for messages."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
    return f"{place}`{getattr(function, '__name__', function)}`"


def _parameters(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise DeclarationError(f"{where(function)}: the SDK passes arguments by name, which `{parameter}` does not take")
    return [parameter.name for parameter in parameters]


def _kind(parameters: list[str], function: Callable[..., Any]) -> Kind:
    if "images" in parameters:
        if "image" in parameters:
            raise DeclarationError(f"{where(function)}: `image` and `images` exclude each other")
        return Kind.SET
    if "reference" in parameters:
        if "image" not in parameters:
            raise DeclarationError(f"{where(function)}: a reference needs something to compare: take `image` or `images`")
        return Kind.PAIR
    return Kind.METRIC


def _fitting(parameters: list[str], kind: Kind, function: Callable[..., Any]) -> tuple[str, ...]:
    known = (*_KNOWN[kind], "config")
    for parameter in parameters:
        if parameter not in known:
            shown = ", ".join(f"`{name}`" for name in known)
            raise DeclarationError(f"{where(function)}: there is no `{parameter}` for a {kind.value}; it takes {shown}")
    return tuple(parameters)


def _kebab(name: str | None, function: Callable[..., Any]) -> str:
    name = function.__name__.strip("_").replace("_", "-") if name is None else name
    if not re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > 64:
        raise DeclarationError(
            f"{where(function)}: its name in suites would be `{name}`, which is not kebab-case of at most 64 characters; "
            'say `name="like-this"` in the decorator'
        )
    return name


def _summary(function: Callable[..., Any]) -> str:
    lines = (inspect.getdoc(function) or "").strip().splitlines()
    if not lines:
        raise DeclarationError(
            f"{where(function)}: it has no docstring; its first line is the summary that `difftest plugin inspect` shows"
        )
    return lines[0]


def _direction(direction: str, function: Callable[..., Any]) -> Direction:
    try:
        return Direction(direction)
    except ValueError:
        known = ", ".join(repr(known.value) for known in Direction)
        raise DeclarationError(f"{where(function)}: the direction is one of {known}, not {direction!r}") from None


def _closed(range: tuple[float | None, float | None] | None, function: Callable[..., Any]) -> tuple[float, float] | None:
    if range is None:
        return None
    low = -math.inf if range[0] is None else float(range[0])
    high = math.inf if range[1] is None else float(range[1])
    if not low < high:
        raise DeclarationError(f"{where(function)}: a range is two numbers, the lower one first, not {range!r}")
    return low, high


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DeclarationError(f"{where(function)}: its annotations cannot be read: {error}") from None
