"""Configs: a dataclass in, a JSON Schema out, and back from JSON to the dataclass.

    @dataclass(frozen=True)
    class Bands:
        tolerance: Annotated[int, "Largest difference inside a band, in grey levels.", Range(0, 255)] = 8
        sides: Literal["all", "top-and-bottom"] = "all"

A text in ``Annotated`` is the description that people see; :class:`Range`, :class:`Length` and :class:`Pattern` are limits.
The host checks a suite's config against the schema, limits included, before the plugin runs. The SDK itself checks types and
names, not limits: a plain call in a test can break them.

Types: ``bool``, ``int``, ``float``, ``str``, ``Literal``, ``Enum`` (its values), ``T | None``, ``list[T]``, ``tuple[T, ...]``,
``dict[str, T]``, and dataclasses in turn. A field without a default is required; unknown keys are errors.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from .errors import DeclarationError, InvalidConfig


@dataclass(frozen=True)
class Range:
    """A number from ``low`` to ``high``, both included; ``None`` leaves an end open."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Length:
    """A text of ``least`` to ``most`` characters, or a list of so many items."""

    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class Pattern:
    """A text in which this regular expression finds something."""

    expression: str


def schema(cls: type) -> str:
    """The JSON Schema (draft 2020-12) of a config, as text. Raises :class:`DeclarationError` for what cannot be one."""
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise DeclarationError(f"a config is a dataclass, and {_name(cls)} is none: write @dataclass above it")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": cls.__name__} | _table(cls, ()))


def read(cls: type, text: str) -> Any:
    """An instance of ``cls`` from JSON; empty text is an empty table. Raises :class:`InvalidConfig`."""
    return _read(cls, parse(text), "")


def parse(text: str) -> Any:
    """The JSON of a config; empty text is an empty table. Raises :class:`InvalidConfig`."""
    try:
        return json.loads(text if text.strip() else "{}")
    except ValueError as error:
        raise InvalidConfig(f"it is not JSON: {error}") from None


def _table(cls: type, above: tuple[type, ...]) -> dict[str, Any]:
    if cls in above:
        raise DeclarationError(f"the config {cls.__name__} holds itself, which no table can")
    hints = _hints(cls)
    properties, required = {}, []
    for field in _fields(cls):
        described = _schema(hints[field.name], f"{cls.__name__}.{field.name}", (*above, cls))
        if field.default is not dataclasses.MISSING:
            described["default"] = _plain(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            described["default"] = _plain(field.default_factory())
        else:
            required.append(field.name)
        properties[field.name] = described
    table: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    doc = cls.__doc__ or ""
    # a dataclass without a docstring is given its signature as one
    if not doc.startswith(f"{cls.__name__}("):
        table["description"] = " ".join(doc.split())
    return table | ({"required": required} if required else {})


def _fields(cls: type) -> list["dataclasses.Field[Any]"]:
    return [field for field in dataclasses.fields(cls) if field.init]


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Annotations, evaluated once: a component does it when it is built."""
    return get_type_hints(cls, include_extras=True)


_SIMPLE = {bool: "boolean", int: "integer", float: "number", str: "string"}


def _schema(hint: Any, place: str, above: tuple[type, ...]) -> dict[str, Any]:
    """What a value of type ``hint`` looks like in JSON."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        described = _schema(arguments[0], place, above)
        for note in arguments[1:]:
            described |= _note(note)
        return described
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if origin is Literal:
        return {"enum": [_plain(value) for value in arguments]}
    if origin is None and isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [_plain(member) for member in hint]}
    if origin in (Union, types.UnionType) and types.NoneType in arguments:
        rest = [argument for argument in arguments if argument is not types.NoneType]
        if len(rest) == 1:
            return {"anyOf": [_schema(rest[0], place, above), {"type": "null"}]}
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        return {"type": "array", "items": _schema(arguments[0], place, above)}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": _schema(arguments[1], place, above)}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _table(hint, above)
    raise DeclarationError(
        f"the type of {place} is {_name(hint)}; a config holds bool, int, float, str, Literal, Enum, T | None, list[T], "
        "tuple[T, ...], dict[str, T] and dataclasses"
    )


def _note(note: object) -> dict[str, Any]:
    """What one argument of ``Annotated`` adds to a schema; those of others add nothing."""
    match note:
        case str():
            return {"description": note}
        case Range(low, high):
            return {key: limit for key, limit in (("minimum", low), ("maximum", high)) if limit is not None}
        case Length(least, most):
            upper = {} if most is None else {"maxLength": most, "maxItems": most}
            return {"minLength": least, "minItems": least} | upper
        case Pattern(expression):
            return {"pattern": expression}
        case _:
            return {}


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in _fields(type(value))}
    return value


def _read(hint: Any, value: Any, place: str) -> Any:
    """``value``, which came from JSON, as a ``hint``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _read(arguments[0], value, place)
    if origin is Literal:
        return _one_of([(_plain(known), known) for known in arguments], value, place)
    if origin in (Union, types.UnionType):
        present = next(argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _read(present, value, place)
    if origin in (list, tuple):
        if not isinstance(value, list):
            _refuse(place, value, "a list")
        return origin(_read(arguments[0], item, f"{place}.{index}") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            _refuse(place, value, "a table")
        return {key: _read(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    cls: type = hint
    if issubclass(cls, Enum):
        return _one_of([(member.value, member) for member in cls], value, place)
    return _read_table(cls, value, place) if dataclasses.is_dataclass(hint) else _read_simple(cls, value, place)


def _read_table(cls: type, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        _refuse(place, value, "a table")
    fields, hints = _fields(cls), _hints(cls)
    for key in value:
        if key not in hints:
            known = ", ".join(field.name for field in fields)
            raise InvalidConfig(f"unknown key `{_join(place, key)}`; known keys: {known}")
    for field in fields:
        missing = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if missing and field.name not in value:
            raise InvalidConfig(f"the key `{_join(place, field.name)}` is missing")
    return cls(**{key: _read(hints[key], item, _join(place, key)) for key, item in value.items()})


def _read_simple(hint: type, value: Any, place: str) -> Any:
    # `true` is an int to Python and none to JSON; 3.0 is an integer to JSON Schema, and 3 a number
    if isinstance(value, bool) == (hint is bool):
        if isinstance(value, hint):
            return value
        if hint is float and isinstance(value, int):
            return float(value)
        if hint is int and isinstance(value, float) and value.is_integer():
            return int(value)
    return _refuse(place, value, f"of type {_SIMPLE[hint]}")


def _one_of(choices: list[tuple[Any, Any]], value: Any, place: str) -> Any:
    """The second half of the choice whose first half is ``value``."""
    for plain, meant in choices:
        # equal as JSON has it: 1 is not true
        if plain == value and isinstance(plain, bool) == isinstance(value, bool):
            return meant
    return _refuse(place, value, f"one of {', '.join(json.dumps(plain) for plain, _ in choices)}")


def _refuse(place: str, value: Any, wanted: str) -> typing.NoReturn:
    what = f"`{place}`" if place else "the config"
    raise InvalidConfig(f"{what} is {json.dumps(value)}, not {wanted}")


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _name(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
