"""What is built: the project's folder, its module, and the name and version that the component carries."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DeclarationError


@dataclass(frozen=True)
class Project:
    """A plugin's sources."""

    folder: Path
    """Where ``pyproject.toml`` is, or the module where there is none."""
    module: str
    """Dotted name of the module that holds the plugin."""
    root: Path
    """The folder that the module is imported from: ``folder`` or ``folder/src``."""
    name: str
    """The plugin's name in suites: kebab-case."""
    version: str | None
    python_path: tuple[Path, ...] = ()
    """Further folders to import from, such as ``vendor``."""
    about: tuple[tuple[str, str], ...] = ()
    """What registries show of the component: ``description``, ``licenses``, ``authors``, ``source``, ``homepage``."""

    @property
    def output(self) -> Path:
        """Where the component goes unless somebody says otherwise; ``difftest`` looks for it there."""
        return self.folder / "dist" / f"{self.name}.wasm"


def find(folder: Path, module: str | None = None) -> Project:
    """The project in ``folder``, by its ``pyproject.toml`` where there is one. ``module`` may be a dotted name or a file.

    Raises :class:`DeclarationError` when there is no module to build."""
    if module is not None and module.endswith(".py"):
        file = (folder / module).resolve()
        folder, module = file.parent, file.stem
    manifest = folder / "pyproject.toml"
    table = _read(manifest) if manifest.is_file() else {}
    ours = table.get("tool", {}).get("difftest", {})
    about = table.get("project", {})
    name = ours.get("name") or about.get("name")
    module = module or ours.get("module") or (name and name.replace("-", "_"))
    if not module:
        raise DeclarationError(
            f"{folder} has no pyproject.toml with a [tool.difftest] that says which module to build: "
            "say it, as in `python -m difftest_sdk build brightness.py`"
        )
    name = (name or module.split(".")[0]).replace("_", "-").lower()
    if not re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise DeclarationError(f"the plugin's name would be `{name}`, which is not kebab-case: set `name` in [tool.difftest]")
    first = module.split(".")[0]
    if first in sys.stdlib_module_names or first in ("wit_world", "difftest_sdk", "difftest_entry"):
        raise DeclarationError(f"a module `{first}` is there already, in Python itself or in the SDK: name yours otherwise")
    root = next((root for root in (folder, folder / "src") if _holds(root, module)), None)
    if root is None:
        raise DeclarationError(f"there is no module `{module}` in {folder} and none in its src")
    path = tuple(folder / path for path in ours.get("python-path", []))
    for extra in path:
        if not extra.is_dir():
            raise DeclarationError(f"{manifest}: the folder {extra} of `python-path` is not there")
    return Project(folder, module, root, name, about.get("version"), path, tuple(_about(about).items()))


def _about(project: dict[str, Any]) -> dict[str, str]:
    """What ``[project]`` says, under the names that components have for it."""
    urls = {label.lower(): url for label, url in project.get("urls", {}).items()}
    texts = {
        "description": project.get("description"),
        "licenses": project.get("license"),
        "authors": ", ".join(author["name"] for author in project.get("authors", []) if "name" in author),
        "source": urls.get("source") or urls.get("repository"),
        "homepage": urls.get("homepage"),
    }
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}


def _holds(root: Path, module: str) -> bool:
    path = root.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _read(manifest: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise DeclarationError(
                f"to read {manifest}, Python 3.10 needs tomli: {sys.executable} -m pip install tomli"
            ) from None
    try:
        return tomllib.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DeclarationError(f"{manifest} is not TOML: {error}") from None
