"""{{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each one under @prompts is a prompt
generator."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from difftest_sdk import Prompt, Random, prompts

PLACES = ["on a table", "in a garden", "under a tree", "beside a cat"]


@dataclass(frozen=True)
class Things:
    thing: Annotated[str, "What there is."] = "a red ball"
    count: Annotated[int, "How many prompts."] = 10


@prompts
def things(config: Things, seed: int) -> Iterator[Prompt]:
    """Things in places, drawn by the seed."""
    random = Random(seed)
    for number in range(config.count):
        place = random.choose(PLACES)
        # an id stays the same as long as the prompt means the same: history and baselines hang on it
        yield Prompt(f"{config.thing} {place}", id=str(number), attributes={"place": place})
