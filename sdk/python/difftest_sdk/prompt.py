"""What a prompt generator yields: prompts with stable ids."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Prompt:
    """A prompt, as a test uses it."""

    text: str
    id: str = ""
    """Stable and unique within the answer: scores are compared over time by it. Empty is filled in from the text."""
    negative: str | None = None
    """A negative prompt of its own."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What it was built from."""

    def derived_id(self) -> str:
        """The id of a prompt that was given none: its lower-case words joined by hyphens, at most 48 characters of them.

        Where that loses something (capitals, punctuation, length, a negative prompt), 8 hexadecimal digits of the FNV-1a
        hash of the texts follow, so that different prompts keep different ids. It depends on nothing but the prompt itself:
        adding a prompt renames no other. The Rust SDK gives the same ids."""
        words = [word.lower() for word in re.findall("[0-9A-Za-z]+", self.text)]
        slug = "-".join(words)
        if self.negative is None and self.text == " ".join(words) and 0 < len(slug) <= 48:
            return slug
        hashed = self.text.encode()
        if self.negative is not None:
            # a byte that UTF-8 never contains keeps ("ab", "c") and ("a", "bc") apart
            hashed += b"\xff" + self.negative.encode()
        number = _fnv1a(hashed)
        slug = slug[:48].rstrip("-")
        return f"{slug}{'-' if slug else ''}{(number >> 32) ^ (number & 0xFFFFFFFF):08x}"

    def finished(self) -> "Prompt":
        """Ready to leave the plugin: with an id, attributes sorted by name."""
        return replace(self, id=self.id or self.derived_id(), attributes=dict(sorted(self.attributes.items())))


def _fnv1a(data: bytes) -> int:
    """FNV-1a, 64 bit, http://www.isthe.com/chongo/tech/comp/fnv/."""
    number = 0xCBF29CE484222325
    for byte in data:
        number = ((number ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return number
