"""What is made with the models: settings of runs, the same for every machine."""

from dataclasses import asdict, dataclass

RED = "a red circle on a blue background"
STAR = "a small green star, left of a white heart!"
AGAINST = "a blurred, ugly square"
LONG = "a large yellow star above a purple ring and a black cross on a pink background " * 8


@dataclass
class Case:
    name: str
    steps: int
    scheduler: str | None = None
    """A class of diffusers; the model's own where there is none."""
    karras: bool = False
    guidance: float | None = None
    """The pipeline's default where there is none."""
    prompt: str = RED
    negative: str | None = None
    seed: int = 0
    size: tuple[int, int] | None = None
    """Width and height; the model's where there is none."""
    clip_skip: int | None = None
    noise: str | None = None
    """The type that noise is drawn in, where it is not float32."""

    def json(self):
        """Without what is as it always is."""
        return {key: value for key, value in asdict(self).items() if value is not None and value is not False}


SCHEDULERS = {
    "ddim": ("DDIMScheduler", False),
    "pndm": ("PNDMScheduler", False),
    "euler": ("EulerDiscreteScheduler", False),
    "euler-a": ("EulerAncestralDiscreteScheduler", False),
    "dpm": ("DPMSolverMultistepScheduler", False),
    "dpm-karras": ("DPMSolverMultistepScheduler", True),
    "lcm": ("LCMScheduler", False),
}


def schedulers():
    """Every scheduler with few, some and many steps; without guidance, with it and something to avoid, and with it alone."""
    cases = []
    for number, (name, (kind, karras)) in enumerate(SCHEDULERS.items()):
        how = dict(scheduler=kind, karras=karras)
        cases += [
            Case(f"{name}-2", 2, guidance=1.0, seed=number, **how),
            Case(f"{name}-5", 5, guidance=7.5, prompt=STAR, negative=AGAINST, seed=100 + number, **how),
            Case(f"{name}-20", 20, guidance=5.0, prompt=STAR, seed=200 + number, **how),
        ]
    return cases


def text():
    """The model's own scheduler under other texts and settings."""
    return [
        Case("own", 10, prompt=STAR, seed=1),
        Case("empty", 3, prompt="", seed=2),
        Case("empty-negative", 3, negative="", seed=3),
        Case("long", 3, prompt=LONG, negative=LONG, seed=4),
        Case("clip-skip-1", 3, negative=AGAINST, clip_skip=1, seed=5),
        Case("clip-skip-2", 3, negative=AGAINST, clip_skip=2, seed=6),
    ]


def shape(**how):
    return [
        Case("wide", 3, size=(40, 24), seed=2**31 + 7, **how),
        Case("tall", 3, size=(16, 56), negative=AGAINST, seed=123456789, **how),
    ]


def half_noise(**how):
    return [Case(f"noise-{name}", 3, noise=name, seed=8, **how) for name in ("float16", "bfloat16")]


def few(steps, **how):
    return [Case(f"own-{count}", count, seed=count, prompt=STAR, **how) for count in steps]


FULL = schedulers() + text() + shape() + half_noise()
SOME = [case for case in schedulers() if case.name.endswith("-5")]

CASES = {
    "sd1": FULL,
    "sd2": FULL,
    "sd-turbo": few((1, 2, 4), guidance=0.0) + shape(guidance=2.0) + SOME,
    "sdxl": FULL,
    "sdxl-turbo": few((1, 2, 4), guidance=0.0) + shape(guidance=2.0) + half_noise(guidance=0.0) + SOME,
    "ssd": few((2, 10), guidance=9.0) + shape() + SOME,
    "lcm": few((1, 2, 4, 8))
    + [
        Case("no-guidance", 4, guidance=1.0, seed=5),
        Case("weak-guidance", 4, guidance=2.5, seed=6),
        Case("clip-skip-1", 4, clip_skip=1, seed=7),
        Case("wide", 4, size=(40, 24), seed=9),
    ]
    + half_noise(),
    "tiny-sd": few((2, 20)) + shape() + SOME,
}
