"""What is built from which folder, and the component that comes out. Components are built where componentize-py is installed."""

import contextlib
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path

from difftest_sdk import Kind
from difftest_sdk.build import COMPONENTIZE_PY, BuildError, build, custom_section, world
from difftest_sdk.errors import DeclarationError
from difftest_sdk.project import find

SDK = Path(__file__).parents[1]
CONTRACT = SDK.parents[1] / "wit" / "v0.1"

METRIC = '''
from difftest_sdk import Image, Models, metric

@metric
def one(image: Image) -> float:
    """One."""
    return 1
'''


def tool() -> bool:
    try:
        return importlib.metadata.version("componentize-py") == COMPONENTIZE_PY
    except importlib.metadata.PackageNotFoundError:
        return False


@contextlib.contextmanager
def folder(**files: str) -> Iterator[Path]:
    """A folder with these files; `__` in their names is a dot, `___` a slash."""
    with tempfile.TemporaryDirectory() as path:
        root = Path(path).resolve()
        for name, text in files.items():
            file = root / name.replace("___", "/").replace("__", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        yield root


class Contract(unittest.TestCase):
    def test_the_copy_is_the_contract(self) -> None:
        copy = SDK / "difftest_sdk" / "wit"
        names = {path.relative_to(copy) for path in copy.rglob("*.wit")}
        self.assertEqual(names, {path.relative_to(CONTRACT) for path in CONTRACT.rglob("*.wit")})
        for name in names:
            self.assertEqual((copy / name).read_bytes(), (CONTRACT / name).read_bytes(), name)

    def test_a_world_has_what_the_plugin_needs_and_no_more(self) -> None:
        media, log = "import difftest:plugin/media@0.1.0;", "import difftest:plugin/log@0.1.0;"
        self.assertNotIn("media", world([Kind.PROMPTS], False))
        text = world([Kind.METRIC, Kind.PROMPTS], False)
        self.assertTrue(media in text and log in text and "models" not in text)
        self.assertEqual(text.count("export "), 2)
        self.assertIn("include difftest:plugin/models@0.1.0;", world([Kind.PAIR], True))


class Projects(unittest.TestCase):
    def test_a_manifest_says_what_it_is(self) -> None:
        manifest = '[project]\nname = "My_Metric"\nversion = "1.2.3"\nlicense = "MIT"\n[project.urls]\nSource = "https://a.b"\n'
        with folder(pyproject__toml=manifest + "[tool.difftest]\n", src___My_Metric__py=METRIC) as root:
            project = find(root)
            self.assertEqual((project.name, project.module, project.version), ("my-metric", "My_Metric", "1.2.3"))
            self.assertEqual((project.root, project.output), (root / "src", root / "dist" / "my-metric.wasm"))
            self.assertEqual(dict(project.about), {"licenses": "MIT", "source": "https://a.b"})

    def test_a_file_is_enough(self) -> None:
        with folder(some___bright_ness__py=METRIC) as root:
            project = find(root, "some/bright_ness.py")
            self.assertEqual((project.name, project.version, project.root), ("bright-ness", None, root / "some"))

    def test_what_cannot_be_built_is_said(self) -> None:
        ours = "[tool.difftest]\n"
        for files, module, message in [
            ({}, None, "says which module to build"),
            ({}, "gone", "no module `gone`"),
            ({"random__py": METRIC}, "random", "a module `random` is there already"),
            ({"wit_world__py": METRIC}, "wit_world", "is there already"),
            ({"a__py": METRIC, "pyproject__toml": "[tool"}, "a", "is not TOML"),
            ({"a__py": METRIC, "pyproject__toml": f'{ours}name = "Ä"'}, "a", "not kebab-case"),
            ({"a__py": METRIC, "pyproject__toml": f'{ours}python-path = ["vendor"]'}, "a", "vendor of `python-path` is not there"),
        ]:
            with self.subTest(message), folder(**files) as root, self.assertRaisesRegex(DeclarationError, message):
                find(root, module)

    def test_sections_are_as_webassembly_has_them(self) -> None:
        self.assertEqual(custom_section("ab", b"x" * 200), b"\0\xcb\x01\x02ab" + b"x" * 200)


class Command(unittest.TestCase):
    def test_the_tool_that_is_missing_is_named(self) -> None:
        with folder(a__py=METRIC) as root:
            # without site-packages there is no componentize-py
            command = [sys.executable, "-S", "-m", "difftest_sdk", "build", "a.py"]
            done = subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": str(SDK)}, capture_output=True, text=True)
            self.assertEqual((done.returncode, list(root.glob("**/*.wasm"))), (1, []))
            self.assertIn(f"-m pip install componentize-py=={COMPONENTIZE_PY}", done.stderr)


@unittest.skipUnless(tool(), f"componentize-py {COMPONENTIZE_PY} is not installed")
class Components(unittest.TestCase):
    def test_modules_that_cannot_be_built_are_told_in_their_own_words(self) -> None:
        for text, message in [
            ("x = 1\n", "`a` holds no metric"),
            ("from difftest_sdk import metric\n@metric\ndef f(image, size):\n    'F.'\n", r"a.py:2: `f`: there is no `size` for a metric"),
            ("1 / 0\n", r"(?s)a.py\", line 1.*ZeroDivisionError"),
            ("import no_such_module\n", "No module named 'no_such_module'"),
            (METRIC + "import ssl\n", "works in this Python and not in a component(?s:.*)_ssl"),
        ]:
            with self.subTest(message), folder(a__py=text) as root:
                with self.assertRaisesRegex(BuildError, message) as caught:
                    build(find(root, "a.py"))
                self.assertNotIn("difftest-", str(caught.exception), "the copy that is built is nobody's business")

    def test_helpers_vendored_modules_and_data_are_inside(self) -> None:
        manifest = '[project]\nname = "a"\nversion = "0.3.1"\ndescription = "Ä"\n[tool.difftest]\npython-path = ["vendor"]\n'
        text = "import helper, package.deep, vendored\n" + METRIC
        read = "from pathlib import Path\nassert (Path(__file__).parent / 'data.txt').read_text() == 'data'\n"
        files = {"helper__py": "", "package___deep__py": read, "package___data__txt": "data", "vendor___vendored__py": ""}
        with folder(pyproject__toml=manifest, a__py=text, package_____init____py="", **files) as root:
            (root / "package" / "__init__.py").write_text("")
            before = set(root.rglob("*"))
            built = build(find(root))
            wasm = built.output.read_bytes()
            self.assertEqual((built.names, built.uses_models), ({"metric": ["one"]}, False))
            self.assertTrue(wasm.startswith(b"\0asm\r\0\1\0"), "a component")
            self.assertTrue(wasm.endswith(custom_section("difftest:package", b"a 0.3.1\n") + custom_section("description", "Ä".encode())))
            self.assertNotIn(b"wasi:nn/", wasm)
            self.assertEqual(set(root.rglob("*")) - before, {root / "dist", built.output}, "nothing else is written")


if __name__ == "__main__":
    unittest.main()
