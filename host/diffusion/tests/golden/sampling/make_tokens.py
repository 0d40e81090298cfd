"""Makes tokens.json: transformers' CLIPTokenizer on the vocabulary of models/shapes. Made with transformers 5.23, tokenizers 0.23.

Run: python make_tokens.py
"""

import json
import pathlib

import tokenizers
import transformers
from transformers import CLIPTokenizer

FOLDER = pathlib.Path(__file__).parents[5] / "suites/models/shapes/tokenizer"
TEXTS = [
    "a red circle on a blue background",
    "a green square left of a white heart on a purple background",
    "",
    "   ",
    "A  RED\tCircle,\nplease!",
    "it's the cat's; we'll they've I'm you'd don't",
    "numbers 12345 and 3.14",
    "caf\u00e9 cafe\u0301 na\u00efve \u00dcber",
    "\u65e5\u672c\u8a9e \u732b \U0001f408\u200d\u2b1b emoji",
    "\u0130stanbul stra\u00dfe \ufb01ne \u2126",
    "\u0000null \u0007bell \u200bzero\u00a0width",
    "<|startoftext|>a red star<|endoftext|> tail",
    "<|ENDOFTEXT|> and <| endoftext |>",
    "!! wow ! (great) -- __init__ #1 @you $5 100% a/b\\c",
    "red " * 80,
    "a large yellow star " * 15 + "on a black background",
    "pneumonoultramicroscopicsilicovolcanoconiosis " * 3,
    "\u0645\u0631\u062d\u0628\u0627 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "'S 'T quotes \u2019s \u201cdouble\u201d",
]


def cases(**config):
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER, **config)
    rows = []
    for text in TEXTS:
        ids = tokenizer(text, padding="max_length", max_length=77, truncation=True)["input_ids"]
        whole = tokenizer(text, padding=False, truncation=False)["input_ids"]
        rows.append({"text": text, "ids": ids, "cut": len(whole) > 77})
    return rows


out = {
    "made_with": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__},
    "end_padded": cases(),
    "bang_padded": cases(pad_token="!"),
}
text = json.dumps(out, separators=(",", ":")).replace('},{"text', '},\n{"text')
pathlib.Path(__file__).with_name("tokens.json").write_text(text + "\n")
