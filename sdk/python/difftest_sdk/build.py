"""From a module to a component.

    project -> stage    a folder with copies of the sources and of this package; nothing is written beside the originals
            -> look     the module is imported in a Python of its own: which kinds of functions it has, whether it asks for models
            -> world    a WIT world of exactly these imports and exports: Python components keep every import of their world, and
                        one that cannot ask for a model is *exact*
            -> componentize-py, which runs the imports of the module once and keeps the memory that is left
            -> name, version and what registries show in custom sections, then the file is put in place

Two builds of the same sources behave the same and differ in bytes: CPython's hash seed is drawn anew for each build and is part
of the memory that is kept, and componentize-py orders its stubs at random. So hand on the file, not the recipe.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import DeclarationError
from .info import Kind
from .project import Project

COMPONENTIZE_PY = "0.25.1"
"""The one version whose components are tested with the host."""

WIT_VERSION = "0.1.0"

_SDK = Path(__file__).parent
# parts of this package that no component needs
_NOT_INSIDE = ("__main__.py", "build.py", "project.py", "wit", "__pycache__", "py.typed")

# componentize-py stubs whatever is called `wasi:`, `wasi:nn` too, which the host does serve: so its package goes through the tool
# under another name of the same length
_NN, _UNSTUBBED = b"wasi:nn/", b"unst:nn/"

_ENTRY = """\
import {module} as plugin
from difftest_sdk._component import exports

globals().update(exports(plugin))
"""

_LOOK = """\
import contextlib, importlib, json, sys, traceback
from difftest_sdk import Plugin
from difftest_sdk.errors import DeclarationError
with contextlib.redirect_stdout(sys.stderr):
    try:
        plugin = Plugin(importlib.import_module(sys.argv[1]))
    except DeclarationError as error:
        sys.exit(str(error))
    except Exception as error:
        # from the author's first line on: the machinery of imports above it helps nobody
        frame = error.__traceback__
        while frame and not frame.tb_frame.f_code.co_filename.startswith(sys.argv[2]):
            frame = frame.tb_next
        traceback.print_exception(type(error), error, frame)
        sys.exit(1)
names = {kind.value: [info.name for info in plugin.describe(kind)] for kind in plugin.kinds}
print(json.dumps({"names": names, "models": plugin.uses_models}))
"""


class BuildError(Exception):
    """There is no component, and why."""


@dataclass(frozen=True)
class Built:
    """A component that was made."""

    output: Path
    names: dict[str, list[str]]
    """What it exports, by the interface."""
    uses_models: bool

    def __str__(self) -> str:
        exported = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in self.names.items())
        kind = "model-dependent" if self.uses_models else "exact"
        return f"{self.output} ({self.output.stat().st_size / 1e6:.1f} MB, {kind}; {exported})"


def build(project: Project, output: Path | None = None) -> Built:
    """Builds the component of a project to ``output``, or where :attr:`Project.output` says.

    Raises :class:`BuildError`."""
    _check_tool()
    output = output or project.output
    with tempfile.TemporaryDirectory(prefix="difftest-") as folder:
        sources = _stage(project, Path(folder))
        names, uses_models = _look(project, sources)
        wit = _write_world(Path(folder) / "wit", [Kind(kind) for kind in names], uses_models)
        made = Path(folder) / "plugin.wasm"
        _componentize(wit, sources, made)
        if uses_models:
            made.write_bytes(made.read_bytes().replace(_UNSTUBBED, _NN))
        with made.open("ab") as file:
            for name, text in _sections(project):
                file.write(custom_section(name, text.encode()))
        output.parent.mkdir(parents=True, exist_ok=True)
        beside = output.with_name(output.name + ".new")
        shutil.copyfile(made, beside)
        os.replace(beside, output)
    return Built(output, names, uses_models)


def _check_tool() -> None:
    install = f"{sys.executable} -m pip install componentize-py=={COMPONENTIZE_PY}"
    try:
        found = importlib.metadata.version("componentize-py")
    except importlib.metadata.PackageNotFoundError:
        raise BuildError(f"componentize-py, which makes components, is not installed: {install}") from None
    if found != COMPONENTIZE_PY:
        raise BuildError(f"componentize-py is {found}, but difftest's SDK is tested with {COMPONENTIZE_PY}: {install}")


def _stage(project: Project, folder: Path) -> list[Path]:
    """Copies of everything that may be imported, as the folders to import from. The build may write beside them, and must not
    see a virtual environment that happens to lie in the project."""
    root = folder / "src"
    root.mkdir()
    for entry in sorted(project.root.iterdir()):
        if entry.name == "difftest_sdk":
            continue
        if entry.suffix == ".py":
            shutil.copyfile(entry, root / entry.name)
        elif (entry / "__init__.py").is_file():
            shutil.copytree(entry, root / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(_SDK, root / "difftest_sdk", ignore=shutil.ignore_patterns(*_NOT_INSIDE))
    (root / "difftest_entry.py").write_text(_ENTRY.format(module=project.module), encoding="utf-8")
    sources = [root]
    for number, path in enumerate(project.python_path):
        copy = folder / f"path-{number}"
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns("__pycache__", "difftest_sdk"))
        sources.append(copy)
    return sources


def _look(project: Project, sources: list[Path]) -> tuple[dict[str, list[str]], bool]:
    """What the module holds, and whether it asks for models."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }
    command = [sys.executable, "-c", _LOOK, project.module, str(sources[0])]
    done = subprocess.run(command, env=environment, cwd=sources[0], capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        # the author knows the original, not our copy
        said = done.stderr.strip().replace(str(sources[0]) + os.sep, str(project.root) + os.sep)
        raise BuildError(f"the module `{project.module}` cannot be built: {said}")
    answer = json.loads(done.stdout)
    return answer["names"], answer["models"]


def _write_world(folder: Path, kinds: list[Kind], uses_models: bool) -> Path:
    """A folder of WIT with one world: the one that the plugin needs."""
    shutil.copytree(_SDK / "wit", folder / "deps" / "difftest-plugin", ignore=shutil.ignore_patterns("deps"))
    shutil.copytree(_SDK / "wit" / "deps", folder / "deps", dirs_exist_ok=True)
    for file in [*(folder / "deps" / "difftest-plugin").iterdir(), *(folder / "deps" / "wasi-nn").iterdir()]:
        text = file.read_bytes().replace(_NN, _UNSTUBBED)
        file.write_bytes(text.replace(b"package wasi:nn@", b"package " + _UNSTUBBED[:-1] + b"@"))
    (folder / "author.wit").write_text(world(kinds, uses_models), encoding="utf-8")
    return folder


def world(kinds: list[Kind], uses_models: bool) -> str:
    """WIT of a world for these kinds of functions."""
    imports = [] if kinds == [Kind.PROMPTS] else ["media"]
    imports.append("log")
    lines = [f"import difftest:plugin/{name}@{WIT_VERSION};" for name in imports]
    if uses_models:
        lines.append(f"include difftest:plugin/models@{WIT_VERSION};")
    lines += [f"export difftest:plugin/{kind.value}@{WIT_VERSION};" for kind in kinds]
    body = "".join(f"    {line}\n" for line in lines)
    return f"package difftest:author;\n\nworld author {{\n{body}}}\n"


def _componentize(wit: Path, sources: list[Path], output: Path) -> None:
    # long backtraces of the tool would hide what it says
    os.environ.setdefault("RUST_BACKTRACE", "0")
    import componentize_py

    try:
        componentize_py.componentize(
            wit_path=[str(wit)],
            worlds=["author"],
            features=[],
            all_features=False,
            world_module=None,
            python_path=[str(path) for path in sources],
            module_worlds=[],
            app_name="difftest_entry",
            output_path=str(output),
            stub_wasi=True,
            import_interface_names=[],
            export_interface_names=[],
            full_names=False,
            intersect_world=None,
        )
    except AssertionError as error:
        said = str(error).split("Stack backtrace:")[0].strip().replace("/0/", "")
        raise BuildError(f"the module works in this Python and not in a component (CPython 3.14 without a system): {said}") from None


def _sections(project: Project) -> list[tuple[str, str]]:
    package = [("difftest:package", f"{project.name} {project.version}\n")] if project.version else []
    return package + list(project.about)


def custom_section(name: str, data: bytes) -> bytes:
    """A custom section of WebAssembly, as it may stand at the end of any component."""
    body = _leb128(len(name.encode())) + name.encode() + data
    return b"\0" + _leb128(len(body)) + body


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


__all__ = ["BuildError", "Built", "DeclarationError", "build"]
