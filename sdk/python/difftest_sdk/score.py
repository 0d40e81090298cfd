"""What a metric is told, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """What one image was made from. In tests ``Sample("a cat", attributes={"size": "64x64"})`` is enough."""

    prompt: str
    id: str = ""
    """The case id: the same on every machine."""
    negative_prompt: str | None = None
    seed: int = 0
    """The seed of the noise."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Further facts, sorted by name: of how the image was made (``guidance``, ``scheduler``, ``size`` such as ``64x64``,
    ``steps``), and those that a prompt generator gave the prompt."""


@dataclass(frozen=True)
class Score:
    """A number, and the named numbers it came from."""

    value: float
    """Finite and inside the declared range, or the host makes it an error."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Named parts of it, shown in this order."""
