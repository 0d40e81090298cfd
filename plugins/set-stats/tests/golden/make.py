"""Golden values of set-stats: the README's formulas, pair by pair, in NumPy over fixed embeddings.

Made with Python 3.11 and numpy 2.4.6:

    python make.py

Embeddings follow from a rule that the test repeats (a 64-bit linear congruential generator), so golden.json holds values only.
"""

import json
from itertools import combinations
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
# name, images, dimensions, spread around a common direction (0: all equal), groups of near-equal images
SETS = [
    ("two", 2, 8, 1.0, 0),
    ("small", 5, 3, 1.0, 0),
    ("odd", 17, 13, 0.7, 0),
    ("clip", 40, 512, 0.5, 4),
    ("large", 64, 768, 0.3, 10),
    ("alike", 12, 768, 0.02, 0),
]
WITHIN = [0.0, 0.001, 0.05, 0.2, 1.0, 2.0]


class Stream:
    """Knuth's MMIX generator; the upper 24 bits as a multiple of 2^-23 in -1 .. 1, exact in f32."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def next(self) -> float:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 40) / 2**23 - 1


def embeddings(images: int, dimensions: int, spread: float, groups: int) -> np.ndarray:
    """As models give them: f32, not normalised. With groups, image i is image i % groups, moved a little."""
    stream = Stream(images * 1000 + dimensions)
    common = [stream.next() for _ in range(dimensions)]
    rows = []
    for i in range(images):
        if groups and i >= groups and i % 3:
            rows.append([value + 0.05 * spread * stream.next() for value in rows[i % groups]])
        else:
            rows.append([value + spread * stream.next() * 2 for value in common])
    return np.array(rows).astype(np.float32)


def main() -> None:
    cases = []
    for name, images, dimensions, spread, groups in SETS:
        rows = embeddings(images, dimensions, spread, groups)
        # the host's answer: divided by the length in f64, rounded to f32
        rows = (rows / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)
        rows = rows.astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        distances = {(i, j): 1 - float(rows[i] @ rows[j]) for i, j in combinations(range(images), 2)}
        closest = min(distances, key=distances.get)
        near = {}
        for within in WITHIN:
            pairs = [pair for pair, distance in distances.items() if distance <= within]
            near[str(within)] = {"share": len({i for pair in pairs for i in pair}) / images, "pairs": len(pairs)}
        cases.append({
            "set": {"name": name, "images": images, "dimensions": dimensions, "spread": spread, "groups": groups},
            "diversity": float(np.mean(list(distances.values()))),
            "closest": [*closest, distances[closest]],
            "near": near,
        })
    (HERE / "golden.json").write_text(json.dumps({"made_with": {"numpy": np.__version__}, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
