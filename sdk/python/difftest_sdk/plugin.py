"""What a module holds, called as the host calls it: by name, with the config as JSON."""

import json
from collections.abc import Mapping
from itertools import islice
from types import ModuleType
from typing import Any

from . import config as configs
from .declare import ATTRIBUTE, Declaration, where
from .errors import DeclarationError, Error, InvalidConfig
from .image import Image, ImageSet
from .info import GeneratorInfo, Kind, MetricInfo
from .models import Models
from .prompt import Prompt
from .score import Sample, Score

Config = Mapping[str, Any] | str
"""A table, or its JSON; empty text is an empty table."""


class Plugin:
    """All metrics and prompt generators of a module, those included that it imported from another.

    The range of a score and the limits in a schema are the host's to check; these calls let them pass."""

    def __init__(self, module: ModuleType, models: Models | None = None) -> None:
        """Raises :class:`DeclarationError` when there is nothing, two of one name, or an annotation that makes no sense.
        ``models`` answer metrics that ask for some."""
        self._models = models or Models()
        self._of: dict[Kind, dict[str, Declaration]] = {}
        for value in vars(module).values():
            declared = getattr(value, ATTRIBUTE, None) if callable(value) else None
            if isinstance(declared, Declaration):
                self._add(declared)
        if not self._of:
            raise DeclarationError(f"module `{module.__name__}` holds no metric and no prompt generator: write @metric above one")
        # asked once and now: what is wrong is said when the plugin is built, and no call pays for it
        self._infos = {kind: self._describe(kind) for kind in self._of}
        self._configs = {kind: {name: of.config_type() for name, of in known.items()} for kind, known in self._of.items()}

    def _add(self, declared: Declaration) -> None:
        known = self._of.setdefault(declared.kind, {})
        other = known.setdefault(declared.name, declared)
        # one function under two names in a module is one metric
        if other.function is not declared.function:
            places = f"{where(other.function)} and {where(declared.function)}"
            raise DeclarationError(f"two functions are the {declared.kind.value} `{declared.name}`: {places}")

    def _describe(self, kind: Kind) -> list[MetricInfo] | list[GeneratorInfo]:
        declared = self._of[kind].values()
        if kind is Kind.PROMPTS:
            return [declaration.generator_info() for declaration in declared]
        return [declaration.metric_info() for declaration in declared]

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of functions it has."""
        return [kind for kind in Kind if kind in self._of]

    @property
    def uses_models(self) -> bool:
        """Whether one of its metrics may ask for models."""
        return any(declared.uses_models for known in self._of.values() for declared in known.values())

    def describe(self, kind: Kind) -> list[MetricInfo] | list[GeneratorInfo]:
        """Its functions of this kind, in the order in which they were written."""
        return self._infos.get(kind, [])

    def measure(self, name: str, image: Image, sample: Sample | None = None, config: Config = "") -> Score:
        """The metric of this name on one image."""
        return self._score(Kind.METRIC, name, config, image=image, sample=sample or Sample(""))

    def measure_pair(
        self, name: str, image: Image, reference: Image, sample: Sample | None = None, config: Config = ""
    ) -> Score:
        """The pair metric of this name on an image and its reference; the sample is the image's."""
        return self._score(Kind.PAIR, name, config, image=image, reference=reference, sample=sample or Sample(""))

    def measure_set(self, name: str, images: ImageSet, reference: ImageSet | None = None, config: Config = "") -> Score:
        """The set metric of this name on a set, against a reference set where the suite has one."""
        return self._score(Kind.SET, name, config, images=images, reference=reference)

    def generate(self, name: str, seed: int, offset: int = 0, limit: int = 100, config: Config = "") -> list[Prompt]:
        """At most ``limit`` prompts of the generator of this name, after leaving out ``offset``."""
        prompts = self._call(Kind.PROMPTS, name, config, seed=seed)
        page = islice(prompts, offset, offset + limit)
        return [(Prompt(prompt) if isinstance(prompt, str) else prompt).finished() for prompt in page]

    def _score(self, kind: Kind, name: str, config: Config, **given: Any) -> Score:
        answer = self._call(kind, name, config, **given, models=self._models)
        if isinstance(answer, Score):
            return Score(float(answer.value), {str(part): float(value) for part, value in answer.details.items()})
        try:
            return Score(float(answer))
        except (TypeError, ValueError):
            raise Error(f"`{name}` returned a {type(answer).__name__}; it has to return a float or a Score") from None

    def _call(self, kind: Kind, name: str, config: Config, **given: Any) -> Any:
        known = self._of.get(kind, {})
        if name not in known:
            raise Error(f"there is no {kind.value} `{name}` in this plugin; it has {', '.join(known) or 'none'}")
        declared = known[name]
        text = config if isinstance(config, str) else json.dumps(config)
        cls = self._configs[kind][name]
        if cls is not None:
            given["config"] = configs.read(cls, text)
        elif configs.parse(text) not in ({}, None):
            # a misplaced key must not pass unseen
            raise InvalidConfig("it takes no config")
        return declared.function(**{parameter: given[parameter] for parameter in declared.parameters})
