"""Golden hashes of phash: ImageHash over generated and real pictures.

Made with Python 3.11 on x86-64, ImageHash 4.3.2, pillow 12.3.0, numpy 2.4.6, scipy 1.17.1:

    python make.py

Pillow 13 turns the order of the two passes of a resize round for some shapes; the values are those of every Pillow up to 12.
Writes golden.json. The generated pictures are integer formulas that tests/golden.rs repeats; the real ones are those of
image-stats and host/diffusion, read in place.
"""

import json
from pathlib import Path

import imagehash
import numpy as np
import PIL
import scipy
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
COUNT = 1_560

np.seterr(over="ignore")


def mix(n: np.ndarray) -> np.ndarray:
    """SplitMix64 of a counter; it wraps around."""
    z = n.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def picture(seed: int) -> np.ndarray:
    """Height x width x 3 bytes; thirteen kinds take turns."""
    draw = lambda n, below: int(mix(np.array(seed * 1_000 + n))) % below
    width, height = (draw(0, 33), draw(1, 33)) if seed % 7 == 0 else (draw(0, 190), draw(1, 190))
    width, height = width + 1, height + 1
    y, x, c = np.indices((height, width, 3), dtype=np.int64)
    noise = lambda at: (mix(seed * 1_000_000_007 + at) >> np.uint64(56)).astype(np.int64)
    plain = draw(2, 256)
    cell = 1 + draw(3, 40)
    mirrored_x, mirrored_y = np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y)
    return [
        lambda: noise((y * width + x) * 3 + c),
        lambda: noise((y // cell * 1_000 + x // cell) * 3 + c),
        lambda: x * 255 // max(width - 1, 1),
        lambda: y * 255 // max(height - 1, 1),
        lambda: (x * cell + y * plain // 8) % 256,
        lambda: (plain + c * cell) % 256 + 0 * x,
        lambda: noise(y * width + mirrored_x),
        lambda: noise((mirrored_y // cell * 1_000 + mirrored_x // cell) * 3 + c),
        lambda: ((x - width // 2) ** 2 + (y - height // 3) ** 2) // cell % 256,
        lambda: 255 * ((x > width // 4) & (x < width // 2) & (y >= height // 3) & (y < height // 3 + cell)),
        lambda: 255 * ((x // cell + y // cell) % 2),
        lambda: np.minimum(plain + noise(y * width + x) % 2, 255),
        lambda: noise(x + c * 1_000) // 2 + y * 127 // max(height - 1, 1),
    ][seed % 13]().astype(np.uint8)


def hashes(image: Image.Image) -> str:
    return f"{imagehash.phash(image)} {imagehash.dhash(image)}"


def main() -> None:
    files = sorted((ROOT / "plugins/image-stats/tests/golden").glob("*.png"))
    files += sorted((ROOT / "host/diffusion/tests/golden/shapes").glob("*.png"))
    golden = {
        "made_with": {m.__name__: m.__version__ for m in (imagehash, PIL, np, scipy)},
        "files": {str(file.relative_to(ROOT)): hashes(Image.open(file).convert("RGB")) for file in files},
        "generated": [hashes(Image.fromarray(picture(seed))) for seed in range(COUNT)],
    }
    (HERE / "golden.json").write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
