"""The examples of README.md work as they are written."""

import re
import sys
import unittest
from pathlib import Path
from types import ModuleType

from difftest_sdk import Kind, Plugin

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


class Readme(unittest.TestCase):
    def test_its_code_runs(self) -> None:
        first, kinds, test = re.findall("^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
        module = ModuleType("bright")
        # dataclasses look their module up
        sys.modules["bright"] = module
        self.addCleanup(sys.modules.pop, "bright")
        exec(first, vars(module))
        exec(test, {})
        exec(kinds, vars(module))
        plugin = Plugin(module)
        self.assertEqual(plugin.kinds, list(Kind))
        self.assertEqual(len(plugin.generate("animals", 7, 0, 5)), 5)

    def test_the_first_metric_has_eight_lines(self) -> None:
        first = README.split("```python\n")[1].split("```")[0]
        self.assertLessEqual(len(first.splitlines()), 8)
