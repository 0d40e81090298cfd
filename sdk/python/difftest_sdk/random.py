"""The only chance there is in a plugin: numbers that follow from a seed."""

from collections.abc import MutableSequence, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


class Random:
    """SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"): the same numbers on every
    machine, in every version of Python and of this package, and in difftest's Rust SDK. Neighbouring seeds give unrelated
    streams."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next_u64(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def next_float(self) -> float:
        """Uniform in 0 to 1, without 1, with 53 bits."""
        return (self.next_u64() >> 11) / (1 << 53)

    def below(self, bound: int) -> int:
        """Uniform in ``range(bound)``, without bias (Lemire 2019, "Fast random integer generation in an interval").

        Raises ``ValueError`` when ``bound`` is not in 1 to 2**64 - 1."""
        if not 0 < bound <= _MASK:
            raise ValueError(f"a bound is at least 1 and below 2**64, not {bound}")
        reject = (_MASK + 1) % bound
        while True:
            wide = self.next_u64() * bound
            if wide & _MASK >= reject:
                return wide >> 64

    def choose(self, items: Sequence[T]) -> T:
        """One of the items. Raises ``IndexError`` when there is none."""
        if not items:
            raise IndexError("there is nothing to choose from")
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Puts the items in a random order (Fisher and Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def distinct(self, count: int, bound: int) -> list[int]:
        """``count`` different numbers below ``bound`` (all of them when there are fewer), each set of them equally likely, in
        increasing order, without touching the rest (Floyd 1987): also for a bound far beyond memory."""
        chosen: set[int] = set()
        for last in range(max(bound - count, 0), bound):
            candidate = self.below(last + 1)
            chosen.add(last if candidate in chosen else candidate)
        return sorted(chosen)
