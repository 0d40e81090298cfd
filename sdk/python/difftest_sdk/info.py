"""What a plugin says of itself before it does anything."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a function of a plugin looks at; the value is the interface of the contract that exports it."""

    METRIC = "metric"
    """One image."""
    PAIR = "pair-metric"
    """One image against its reference."""
    SET = "set-metric"
    """A whole set of images, against a reference set where there is one."""
    PROMPTS = "prompts"
    """Nothing: it writes prompts."""


class Direction(Enum):
    """Which way a score is better."""

    HIGHER = "higher"
    """A bare threshold in a suite is a minimum."""
    LOWER = "lower"
    """A bare threshold is a maximum."""
    NEITHER = "neither"
    """A suite has to say ``min`` or ``max``."""


@dataclass(frozen=True)
class MetricInfo:
    """A metric as the host sees it."""

    name: str
    """Kebab-case; suites say ``plugin/name``."""
    summary: str
    direction: Direction
    range: tuple[float, float] | None
    """Closed range that every score lies in; an open end is infinite."""
    unit: str | None
    config_schema: str | None
    """JSON Schema of the config table; ``None`` takes no config."""


@dataclass(frozen=True)
class GeneratorInfo:
    """A prompt generator as the host sees it."""

    name: str
    summary: str
    config_schema: str | None
