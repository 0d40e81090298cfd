"""Messages to the person who runs the suite, shown by ``difftest run -v``.

The host caps them, escapes control characters, and names the plugin and case. ``print`` comes out as :func:`info` in a
component. In plain Python messages go to standard error.
"""

import sys
from collections.abc import Callable

_LEVELS = ("debug", "info", "warn")


def debug(message: object) -> None:
    """For the author of the plugin; hidden unless asked for."""
    _emit("debug", str(message))


def info(message: object) -> None:
    """Worth knowing."""
    _emit("info", str(message))


def warn(message: object) -> None:
    """Worth acting on. What must not pass unseen is an :class:`~difftest_sdk.Error` instead."""
    _emit("warn", str(message))


def _to_stderr(level: str, message: str) -> None:
    print(f"{level}: {message}", file=sys.stderr)


_sink: Callable[[str, str], None] = _to_stderr


def _emit(level: str, message: str) -> None:
    _sink(level, message)


def _send_to(sink: Callable[[str, str], None]) -> None:
    """Gives every message to ``sink(level, message)`` from now on; a component calls it once, when it is built."""
    global _sink
    _sink = sink
