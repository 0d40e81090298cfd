"""Configs: their schemas, and what is read and refused."""

import json
import unittest
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal

from difftest_sdk import InvalidConfig, Length, Pattern, Range
from difftest_sdk.config import read, schema
from difftest_sdk.errors import DeclarationError


class Edges(Enum):
    SOBEL = "sobel"
    NONE = "none"


@dataclass(frozen=True)
class Inner:
    size: Annotated[int, Range(1, 64)] = 8


@dataclass
class Config:
    """How   to
    look."""

    places: Annotated[list[str], "Where.", Length(1)]
    ratio: float = 1.5
    strict: bool = False
    edges: Edges = Edges.SOBEL
    mode: Literal["a", 0, False] = "a"
    code: Annotated[str, Pattern("^[a-z]+$")] = "x"
    channel: int | None = None
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    named: dict[str, float] = field(default_factory=dict)


class Schemas(unittest.TestCase):
    def test_everything_is_in_the_schema(self) -> None:
        said = json.loads(schema(Config))
        self.assertEqual((said["description"], said["required"]), ("How to look.", ["places"]))
        self.assertIs(said["additionalProperties"], False)
        wanted = {
            "places": {"type": "array", "items": {"type": "string"}, "description": "Where.", "minLength": 1, "minItems": 1},
            "ratio": {"type": "number", "default": 1.5},
            "strict": {"type": "boolean", "default": False},
            "edges": {"enum": ["sobel", "none"], "default": "sobel"},
            "mode": {"enum": ["a", 0, False], "default": "a"},
            "code": {"type": "string", "pattern": "^[a-z]+$", "default": "x"},
            "channel": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "named": {"type": "object", "additionalProperties": {"type": "number"}, "default": {}},
        }
        for name, part in wanted.items():
            self.assertEqual(said["properties"][name], part, name)
        inner = said["properties"]["inner"]
        self.assertEqual((inner["default"], inner["properties"]["size"]["maximum"]), ({"size": 8}, 64))

    def test_what_cannot_be_a_config_is_said_with_its_place(self) -> None:
        @dataclass
        class Odd:
            value: set[int]

        @dataclass
        class Either:
            value: int | str

        for cls in (Odd, Either):
            with self.assertRaisesRegex(DeclarationError, f"the type of {cls.__name__}.value is "):
                schema(cls)
        with self.assertRaisesRegex(DeclarationError, "int is none: write @dataclass"):
            schema(int)


class Reading(unittest.TestCase):
    def test_values_arrive_as_they_are_declared(self) -> None:
        text = '{"places": ["x"], "ratio": 2, "edges": "none", "mode": 0, "channel": 3.0, "inner": {"size": 9}, "many": [{}]}'
        config = read(Config, text)
        self.assertEqual(config, Config(["x"], 2.0, False, Edges.NONE, 0, "x", 3, Inner(9), (Inner(),)))
        self.assertIs(type(config.ratio), float)
        self.assertIs(read(Config, '{"places": [], "mode": false}').mode, False)

    def test_what_does_not_fit_is_refused_in_words(self) -> None:
        cases: dict[str, str] = {
            "{": "it is not JSON",
            "[]": r"the config is \[\], not a table",
            "": "the key `places` is missing",
            '{"places": "x"}': "`places` is \"x\", not a list",
            '{"places": [1]}': "`places.0` is 1, not of type string",
            '{"places": [], "plases": 1}': "unknown key `plases`; known keys: places, ratio",
            '{"places": [], "strict": 1}': "`strict` is 1, not of type boolean",
            '{"places": [], "ratio": true}': "`ratio` is true, not of type number",
            '{"places": [], "channel": 1.5}': "`channel` is 1.5, not of type integer",
            '{"places": [], "mode": true}': '`mode` is true, not one of "a", 0, false',
            '{"places": [], "edges": "canny"}': '`edges` is "canny", not one of "sobel", "none"',
            '{"places": [], "inner": {"sise": 1}}': "unknown key `inner.sise`; known keys: size",
            '{"places": [], "named": {"a": "b"}}': '`named.a` is "b", not of type number',
        }
        for text, message in cases.items():
            with self.subTest(text), self.assertRaisesRegex(InvalidConfig, message):
                read(Config, text)

    def test_defaults_are_not_shared(self) -> None:
        first: Any = read(Config, '{"places": []}')
        first.named["a"] = 1.0
        self.assertEqual(read(Config, '{"places": []}').named, {})
