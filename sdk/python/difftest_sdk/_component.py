"""What only a component has: the exports of the contract, and the host behind images, models and the log.

``difftest_sdk.build`` writes an entry module that calls :func:`exports` once, while the component is built; what is left in
memory then is what every call starts from. At run time the system is gone: whatever would ask it for a file, the time or the
terminal ends the call without a word, so :func:`_close` puts an exception or the log in the way of each.
"""

import builtins
import gc
import io
import linecache
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from types import ModuleType, TracebackType
from typing import Any, TextIO

import wit_world.imports as imports
from componentize_py_types import Err
from wit_world.imports import log as host_log
from wit_world.imports import types

from . import log
from .errors import Error, InvalidConfig, ModelNotFound, UnsupportedInput
from .image import Image, ImageSet
from .info import Direction, GeneratorInfo, Kind, MetricInfo
from .models import ElementType, Models, Tensor
from .plugin import Plugin
from .score import Sample, Score

_DIRECTIONS = {
    Direction.HIGHER: types.Direction.HIGHER_IS_BETTER,
    Direction.LOWER: types.Direction.LOWER_IS_BETTER,
    Direction.NEITHER: types.Direction.NEITHER,
}


# generated modules that only those worlds have that need them; none can be imported later
_OF_SOME_WORLDS = ["wit_world.exports.prompts"] + [
    f"wit_world.imports.{name}" for name in ("media", "embeddings", "tensor", "graph", "inference", "errors")
]


def exports(module: ModuleType) -> dict[str, type]:
    """The classes that make the exports of a component, by the names that componentize-py looks for."""
    log._send_to(_emit)
    for name in _OF_SOME_WORLDS:
        with suppress(ModuleNotFoundError):
            import_module(name)
    plugin = Plugin(module, _HostModels())
    classes = {_CLASSES[kind].__name__: _CLASSES[kind] for kind in plugin.kinds}
    _Export.plugin = plugin
    _Export.infos = {kind: list(map(_info, plugin.describe(kind))) for kind in plugin.kinds}
    _close()
    return classes


def _emit(level: str, message: str) -> None:
    if _run.started:
        host_log.emit(host_log.Level[level.upper()], message)
    else:
        log._to_stderr(level, message)


def _info(info: MetricInfo | GeneratorInfo) -> Any:
    if isinstance(info, GeneratorInfo):
        return _prompts().GeneratorInfo(info.name, info.summary, info.config_schema)
    return types.MetricInfo(
        info.name, info.summary, _DIRECTIONS[info.direction], info.range, info.unit, info.config_schema
    )


class _Export:
    plugin: Plugin
    infos: dict[Kind, list[Any]]


class Metric(_Export):
    """The export ``metric``."""

    def describe(self) -> list[Any]:
        return self.infos[Kind.METRIC]

    def measure(self, metric: str, image: Any, sample: Any, config: str) -> Any:
        return _answer(lambda: _score(self.plugin.measure(metric, _image(image), _sample(sample), config)))


class PairMetric(_Export):
    """The export ``pair-metric``."""

    def describe(self) -> list[Any]:
        return self.infos[Kind.PAIR]

    def measure(self, metric: str, image: Any, reference: Any, sample: Any, config: str) -> Any:
        def call() -> Any:
            return _score(self.plugin.measure_pair(metric, _image(image), _image(reference), _sample(sample), config))

        return _answer(call)


class SetMetric(_Export):
    """The export ``set-metric``."""

    def describe(self) -> list[Any]:
        return self.infos[Kind.SET]

    def measure(self, metric: str, images: Any, reference: Any, config: str) -> Any:
        def call() -> Any:
            other = None if reference is None else _set(reference)
            return _score(self.plugin.measure_set(metric, _set(images), other, config))

        return _answer(call)


class Prompts(_Export):
    """The export ``prompts``."""

    def describe(self) -> list[Any]:
        return self.infos[Kind.PROMPTS]

    def generate(self, generator: str, request: Any) -> list[Any]:
        def call() -> list[Any]:
            prompts = self.plugin.generate(generator, request.seed, request.offset, request.limit, request.config)
            make = _prompts().Prompt
            return [make(prompt.id, prompt.text, prompt.negative, list(prompt.attributes.items())) for prompt in prompts]

        answer: list[Any] = _answer(call)
        return answer


_CLASSES: dict[Kind, type[_Export]] = {
    Kind.METRIC: Metric,
    Kind.PAIR: PairMetric,
    Kind.SET: SetMetric,
    Kind.PROMPTS: Prompts,
}


def _prompts() -> Any:
    """The generated types of the export ``prompts``, which only a world with it has."""
    return sys.modules["wit_world.exports.prompts"]


def _answer(call: Callable[[], Any]) -> Any:
    """What ``call`` returns, or its exception as an error of the contract: one that left the plugin would end the call in a trap
    without its text."""
    _run.started = True
    try:
        return call()
    except BaseException as error:  # `sys.exit` too
        failure = _failure(error)
        # the frames hold on to images, which are only lent for this call
        error.__traceback__ = None
    # raised out here, so that it does not carry the other one along
    raise Err(failure)


def _failure(error: BaseException) -> Any:
    match error:
        case InvalidConfig():
            return types.Error_InvalidConfig(str(error))
        case UnsupportedInput():
            return types.Error_UnsupportedInput(str(error))
        case ModelNotFound():
            return types.Error_ModelNotFound(str(error))
        case Error():
            return types.Error_Other(str(error))
        case _:
            return types.Error_Other(f"{type(error).__name__}: {error}{_origin(error.__traceback__)}")


def _origin(traceback: TracebackType | None) -> str:
    """The lines of the author's that an exception came through, the innermost last."""
    frames = []
    while traceback:
        code = traceback.tb_frame.f_code
        # mounts of the build: /0/ are the sources, of which the SDK is a part
        if "/difftest_sdk/" not in code.co_filename:
            frames.append(f"{code.co_filename.removeprefix('/0/')}:{traceback.tb_lineno} in {code.co_name}")
        traceback = traceback.tb_next
    return f" ({', '.join(frames[-4:])})" if frames else ""


def _score(score: Score) -> Any:
    return types.Score(score.value, [types.Detail(name, value) for name, value in score.details.items()])


def _sample(sample: Any) -> Sample:
    return Sample(sample.prompt, sample.id, sample.negative_prompt, sample.seed, dict(sample.attributes))


class _HostImage:
    """An image that lives in the host."""

    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def size(self) -> tuple[int, int]:
        size = self.handle.size()
        return size.width, size.height

    def rgb8(self) -> bytes:
        pixels: bytes = self.handle.rgb8()
        return pixels

    def luma8(self) -> bytes:
        pixels: bytes = self.handle.luma8()
        return pixels

    def rows(self, first: int, count: int) -> bytes:
        pixels: bytes = self.handle.rows(first, count)
        return pixels

    def resize(self, width: int, height: int, filter: str) -> "_HostImage":
        media: Any = imports.media
        return _HostImage(self.handle.resize(media.Size(width, height), media.Filter[filter.upper()]))

    def digest(self) -> str:
        digest: str = self.handle.digest()
        return digest


class _HostSet:
    """A set of images that lives in the host."""

    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def __len__(self) -> int:
        length: int = self.handle.len()
        return length

    def at(self, index: int) -> Image:
        handle = self.handle.at(index)
        if handle is None:
            raise IndexError(index)
        return _image(handle)


def _image(handle: Any) -> Image:
    return Image(_HostImage(handle))


def _set(handle: Any) -> ImageSet:
    return ImageSet(_HostSet(handle))


class _HostModels(Models):
    """The models of the suite, asked through the host; only in worlds that import them."""

    def dimensions(self, model: str) -> int:
        dimensions: int = _asked(lambda: imports.embeddings.dimensions(model))
        return dimensions

    def embed_text(self, model: str, text: str) -> Sequence[float]:
        embedding: list[float] = _asked(lambda: imports.embeddings.embed_text(model, text))
        return embedding

    def embed_image(self, model: str, image: Image) -> Sequence[float]:
        embedding: list[float] = _asked(lambda: imports.embeddings.embed_image(model, _handle(image)))
        return embedding

    def embed_set(self, model: str, images: ImageSet) -> Sequence[Sequence[float]]:
        if not isinstance(images._source, _HostSet):
            # a part of a set, which the host knows nothing of
            return [self.embed_image(model, image) for image in images]
        handle = images._source.handle
        numbers: list[float] = _asked(lambda: imports.embeddings.embed_set(model, handle))
        length = len(numbers) // max(len(images), 1)
        return [numbers[start : start + length] for start in range(0, len(numbers), length)] if length else []

    def run(self, graph: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        nn: Any = imports

        def call() -> Any:
            types_of = nn.tensor.TensorType
            given = [
                (name, nn.tensor.Tensor(list(tensor.dimensions), types_of[tensor.type.value], tensor.data))
                for name, tensor in inputs.items()
            ]
            return nn.graph.load_by_name(graph).init_execution_context().compute(given)

        outputs = _asked(call)
        return {
            name: Tensor(tuple(tensor.dimensions()), ElementType(tensor.ty().name), tensor.data())
            for name, tensor in outputs
        }


def _handle(image: Image) -> Any:
    if isinstance(image._source, _HostImage):
        return image._source.handle
    raise UnsupportedInput("a model looks at images of the host, not at those made in the plugin")


def _asked(call: Callable[[], Any]) -> Any:
    """What the host answers, its errors as ours."""
    try:
        return call()
    except Err as error:
        value = error.value
    match value:
        case types.Error_InvalidConfig(message):
            raise InvalidConfig(message)
        case types.Error_UnsupportedInput(message):
            raise UnsupportedInput(message)
        case types.Error_ModelNotFound(message):
            raise ModelNotFound(message)
        case types.Error_Other(message):
            raise Error(message)
    # wasi:nn has errors of its own: a code and a text
    code, text = value.code().name.lower().replace("_", "-"), value.data()
    raise ModelNotFound(text) if code == "not-found" else Error(f"{text} ({code})")


class _Lines(io.TextIOBase):
    """Text that is printed, line by line into the log; while the component is built, where it always went."""

    def __init__(self, emit: Callable[[object], None], terminal: TextIO) -> None:
        self._emit, self._terminal, self._rest = emit, terminal, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not _run.started:
            return self._terminal.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._emit(line)
        return len(text)

    def flush(self) -> None:
        # `print` without an end of line: what there is when somebody asks
        if self._rest:
            self._emit(self._rest)
            self._rest = ""


class _Run:
    """Whether the component runs; before, it is being built, and componentize-py itself imports and opens files."""

    started = False


_run = _Run()


_NO_FILES = "a plugin gets no files; what it needs is read when the module is imported, at build time"
_NO_TIME = "a plugin gets no clock: time would make scores differ from run to run"
_NO_CHANCE = "a plugin gets no randomness; draw from difftest_sdk.Random(seed)"
_CLOCKS = "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns"

# what would otherwise end a call in a trap without words; what is left of it in C does so still
_DOORS: list[tuple[str, ModuleType, str]] = [
    (_NO_FILES, builtins, "open"),
    (_NO_FILES, io, "open"),
    (_NO_FILES, os, "open stat lstat listdir scandir mkdir remove rename replace"),
    (_NO_TIME, time, f"{_CLOCKS} sleep localtime gmtime ctime asctime strftime"),
    (_NO_CHANCE, os, "urandom"),
    (_NO_CHANCE, random, "_urandom"),
]


def _close() -> None:
    """Shuts the doors to the system, from the first call on, and leaves the memory in order."""
    sys.stdout, sys.stderr = _Lines(log.info, sys.stdout), _Lines(log.warn, sys.stderr)
    # sources are read for messages only; those of the build are not there
    linecache.updatecache = lambda *_, **__: []
    linecache.checkcache = lambda *_, **__: None
    sys.stdin = None
    for refusal, owner, names in _DOORS:
        for name in names.split():
            if hasattr(owner, name):
                setattr(owner, name, _until_run(getattr(owner, name), refusal))
    # before the finder that looks for files; what is built in or frozen is found before either
    sys.meta_path.insert(len(sys.meta_path) - 1, _NoMoreModules)
    # what is left of chance is at least the same in every build
    random.seed(0)
    # everything so far stays: no call walks over it again
    gc.collect()
    gc.freeze()


def _until_run(function: Callable[..., Any], refusal: str) -> Any:
    """``function`` while the component is built, an ``OSError`` from then on."""

    def guarded(*arguments: Any, **named: Any) -> Any:
        if _run.started:
            raise OSError(refusal)
        return function(*arguments, **named)

    return guarded


class _NoMoreModules:
    """Answers imports inside functions, which find no files any more."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if _run.started:
            raise ModuleNotFoundError(
                f"`{name}` was not imported when the component was built: import it at the top of the module", name=name
            )
