"""Golden sets of prompt-wildcards: what the `dynamicprompts` package makes of the same templates, mode combinatorial.

Made with Python 3.11 and dynamicprompts 0.31.0 (MIT; pip install dynamicprompts):

    python make.py

Writes golden.json: for every template all prompts, in the package's order. The package drops doubles inside a choice only,
and makes prompts without text; the test compares sets without those.
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

from dynamicprompts.generators import CombinatorialPromptGenerator
from dynamicprompts.wildcards import WildcardManager
from dynamicprompts.wildcards.item import WildcardItem

HERE = Path(__file__).resolve().parent
MOST = 5_000

LISTS = {
    "color": ["red", "green", "blue"],
    "animal": ["cat", "{small|large} dog", "__bird__"],
    "bird": ["owl", "{__color__ |}parrot"],
    "style/old": ["oil painting", "fresco"],
    "weighted": ["2::often", "1::seldom"],
    "one": ["solo"],
    "spaced": ["  in front", "behind  "],
}

# from the package's README and its syntax guide, then the corners of the grammar
TEMPLATES = [
    "I love {red|green|blue} roses",
    "I {love|hate} {New York|Chicago} in {June|July|August}",
    "{2$$A|B|C}",
    "{2$$ and $$A|B|C}",
    "{1-2$$ and $$A|B|C}",
    "{2-3$$, $$A|B|C|D}",
    "Funko pop {yoda|darth vader|leia} figurine, made of {wood|plastic|metal}, product studio shot, centered",
    "Funko pop {2$$ and $$yoda|darth vader|leia} figurine, made of {wood|plastic}",
    "Funko pop\n  {2$$ and $$\n    yoda\n    |darth vader\n    |leia\n  }\n  figurine",
    "__color__ is coming",
    "My favourite colours are __color__, __color__, and __color__",
    "{2::A|1::B}",
    "{0.5::A|.5::B|1.::C|D}",
    "{3::__color__|1::none at all}",
    "{2$$__color__}",
    "{1-2$$, $$__color__}",
    "{1-9$$-$$__color__}",
    "{2$$__color__|x}",
    "{__color__}",
    "__animal__ and __bird__",
    "{2$$ with $$__animal__}",
    "a __style/old__ of {a|the} __animal__",
    "__weighted__, {2$$__weighted__}",
    "{__weighted__|never}",
    "__one__ {__one__|duo}",
    "x__spaced__y",
    "plain text, (weights:1.2), [brackets], <lora:name:0.8>",
    "x { a | b } y",
    "  lead {a|b}  ",
    "{ {a|b} | c }",
    "{a {b|c {d|e}} f|g}",
    "{{{a}}}",
    "{{a|b}|{b|c}}",
    "{2$${a|b}|{b|c}}",
    "{2$${a|b}|{c|d}|e}",
    "{1-3$${a|b}|{c|d}|e}",
    "{2$$a|a|b}",
    "{2$$a|a}",
    "{a|a|b}",
    "{|a} cat",
    "a{| big} cat",
    "{a|}{b|}",
    "{}x",
    "{a}",
    "{-2$$a|b|c}",
    "{2-$$a|b|c}",
    "{0-1$$a|b} c",
    "{0$$a|b} c",
    "{1$$a|b}",
    "{3$$a|b}",
    "{3-1$$a|b|c}",
    "{10$$a|b}",
    "{2$$ , $$a|b}",
    "{2$$|$$a|b}",
    "{2$$, $$|a|b}",
    "{2$$ $$ a|b }",
    "{2|3}",
    "{2-3|4}",
    "{2a|b}",
    "{a::b|c}",
    "{1::2::a|b}",
    "a::b",
    "a|b",
    "{a b|c} _x_ d_e",
    "é {ü|ö} 猫{犬|}",
    "x__color__y__bird__z",
    "{x|__color__ hat}",
    "http://host/{a|b}",
    "{a\n|b\n}",
    "{a|b} # a remark",
    "{a|b}# a remark {with|braces}\n{c|d}",
]


def generator() -> CombinatorialPromptGenerator:
    def entry(text: str) -> str | WildcardItem:
        weight, found, rest = text.partition("::")
        return WildcardItem(rest, float(weight)) if found else text

    lists = {name: [entry(text) for text in entries] for name, entries in LISTS.items()}
    return CombinatorialPromptGenerator(WildcardManager(root_map={"": [lists]}))


def made_up(rng: random.Random, depth: int) -> str:
    """A template from the grammar. Options are different texts: of two equal ones the package takes neither together."""
    letters = "abcdefghijklmnop"
    kind = rng.choice(["word", "word", "group", "group", "several", "list"]) if depth else "word"
    if kind == "word":
        return rng.choice(letters) + rng.choice(["", " ", ", ", "-"])
    if kind == "list":
        return f"__{rng.choice(['color', 'bird', 'animal', 'style/old'])}__"
    options = list(dict.fromkeys("".join(made_up(rng, depth - 1) for _ in range(rng.randint(1, 2))) for _ in range(rng.randint(2, 3))))
    options = [rng.choice(["", "", "2::", "0.5::"]) + option for option in options]
    head = ""
    if kind == "several":
        head = rng.choice(["1-2$$", "2$$", "0-1$$", "2-$$"]) + rng.choice(["", " and $$", ", $$"])
    return "{" + head + "|".join(options) + "}"


def main() -> None:
    package = generator()
    cases = []
    rng = random.Random(2026)
    made = ("".join(made_up(rng, 3) for _ in range(rng.randint(1, 3))) for _ in range(10_000))
    for template in [*TEMPLATES, *made]:
        if len(cases) == len(TEMPLATES) + 150:
            break
        most = MOST if len(cases) < len(TEMPLATES) else 300
        prompts = package.generate(template, max_prompts=most + 1)
        if len(prompts) > most or (len(cases) >= len(TEMPLATES) and len(prompts) < 5):
            continue
        cases.append({"template": template, "prompts": prompts})
    made_with = {"dynamicprompts": version("dynamicprompts")}
    text = json.dumps({"made_with": made_with, "lists": LISTS, "cases": cases}, ensure_ascii=False, indent=0)
    (HERE / "golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
