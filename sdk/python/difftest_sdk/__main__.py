"""``python -m difftest_sdk build``: what ``difftest plugin build`` calls for a plugin in Python."""

import argparse
import sys
import time
from pathlib import Path

from . import __version__
from .build import BuildError, build
from .errors import DeclarationError
from .project import find

DESCRIPTION = "Builds a difftest plugin written in Python."
MODULE = "module or .py file that holds the plugin (default: what [tool.difftest] in pyproject.toml says)"
OUTPUT = "where the component goes (default: dist/NAME.wasm)"


def main() -> int:
    """The exit code: 0 built, 1 not built, 2 wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m difftest_sdk", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("build", help="make a WebAssembly component of a module", description=DESCRIPTION)
    command.add_argument("module", nargs="?", metavar="MODULE", help=MODULE)
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help=OUTPUT)
    arguments = parser.parse_args()
    before = time.monotonic()
    try:
        built = build(find(Path.cwd(), arguments.module), arguments.output)
    except (BuildError, DeclarationError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"built {built} in {time.monotonic() - before:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
