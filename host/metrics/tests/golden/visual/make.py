"""Golden values of visual comparison: pixelmatch, odiff, scikit-image and ImageHash over pairs of real and generated pictures.

Made with Python 3.11 on x86-64, numpy 2.4.6, scikit-image 0.26.0, pillow 12.3.0, ImageHash 4.3.2, scipy 1.17.1, and from npm pixelmatch
7.2.0 and odiff-bin 4.5.0:

    npm install --prefix TOOLS pixelmatch@7.2.0 odiff-bin@4.5.0
    python make.py TOOLS

Writes golden.json. The generated pictures are integer formulas that tests/visual.rs repeats: shapes with soft edges, moved by
quarters of a pixel, so that anti-aliasing decides; and noise. The real ones belong to other tests and are read in place.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import imagehash
import numpy as np
import PIL
import scipy
import skimage
from PIL import Image
from skimage.metrics import structural_similarity

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[4]
TOOLS = Path(sys.argv[1]).resolve()
COUNT = 120
# threshold, and whether soft edges count
OPTIONS = [(0.1, False), (0.1, True), (0.02, False), (0.02, True), (0.3, False)]
FORM = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
SHAPES = "host/diffusion/tests/golden/shapes"
PAIRS = "plugins/ssim/tests/golden"

np.seterr(over="ignore")


def mix(n: np.ndarray) -> np.ndarray:
    """SplitMix64 of a counter; it wraps around."""
    z = n.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def picture(seed: int, moved: bool) -> np.ndarray:
    """Height x width x 3 bytes."""
    draw = lambda n, below: int(mix(np.array(seed * 1_000 + n)) % np.uint64(below))
    sides = 14 if seed % 11 == 0 else 90
    width, height = 1 + draw(0, sides), 1 + draw(1, sides)
    y, x = np.indices((height, width), dtype=np.int64)
    c = np.arange(3)
    noise = (mix(seed * 1_000_000_007 + (y * width + x)[..., None] * 3 + c) >> np.uint64(56)).astype(np.int64)
    if seed % 6 == 4:
        return ((noise + (96 * (noise % 2) if moved else 0)) % 256).astype(np.uint8)
    # in quarters of a pixel; what is moved goes by up to one and a half pixels
    shift = draw(2, 7) if moved else 0
    centre_x, centre_y, radius = draw(3, 4 * width) + shift, draw(4, 4 * height), 4 + draw(5, 160)
    slope = draw(6, 9) - 4
    cover = np.zeros((height, width), dtype=np.int64)
    for i in range(4):
        for j in range(4):
            across, down = 4 * x + i - centre_x, 4 * y + j - centre_y
            inside = across * 4 + down * slope < 0 if seed % 6 == 1 else across**2 + down**2 < radius**2
            cover += inside
    colour = lambda n: np.array([draw(n + 3 * (moved and seed % 6 == 3) + k, 256) for k in range(3)])
    ground, shape = np.array([draw(10 + k, 256) for k in range(3)]), colour(20)
    value = (ground * (16 - cover[..., None]) + shape * cover[..., None]) // 16
    if moved and seed % 6 == 2:
        value = np.where(noise[..., :1] < 80, (value + noise % 64) % 256, value)
    if seed % 6 == 5:
        value = (value + x[..., None] * 2 + y[..., None]) % 256
    return value.astype(np.uint8)


PIXELMATCH = """
import { readFileSync } from "node:fs";
const { default: pixelmatch } = await import(process.argv[1] + "/node_modules/pixelmatch/index.js");
const jobs = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(jobs.map(([a, b, width, height, options]) => options.map(([threshold, includeAA]) =>
  pixelmatch(readFileSync(a), readFileSync(b), undefined, width, height, { threshold, includeAA })))));
"""


def odiff(a: Path, b: Path, threshold: float, include: bool) -> int:
    """The number of differing pixels."""
    command = [TOOLS / "node_modules/.bin/odiff", a, b, "--parsable-stdout", "-t", str(threshold)]
    done = subprocess.run(command + ([] if include else ["--aa"]), capture_output=True, text=True)
    if done.returncode not in (0, 22):
        sys.exit(f"odiff: {done.returncode} {done.stdout} {done.stderr}")
    return int(done.stdout.split(";")[0])


def main() -> None:
    pictures = {f"generated {seed}": (picture(seed, True), picture(seed, False)) for seed in range(COUNT)}
    files = [(f"{SHAPES}/ddim-p{p}-s{s}.png", f"{SHAPES}/euler-p{p}-s{s}.png") for p in range(3) for s in (42, 123)]
    references = sorted((ROOT / PAIRS).glob("*-reference.png"))
    files += [(f"{PAIRS}/{file.name.replace('-reference', '')}", f"{PAIRS}/{file.name}") for file in references]
    for pair in files:
        pictures[" ".join(pair)] = tuple(np.asarray(Image.open(ROOT / file).convert("RGB")) for file in pair)
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for number, (name, pair) in enumerate(pictures.items()):
            images = [Image.fromarray(np.ascontiguousarray(array)) for array in pair]
            paths = [Path(folder) / f"{number}-{side}" for side in "ab"]
            for image, path in zip(images, paths):
                path.write_bytes(image.convert("RGBA").tobytes())
                image.save(path.with_suffix(".png"))
            jobs.append([*map(str, paths), *images[0].size, OPTIONS])
            case = {"name": name, "differing": int((pair[0] != pair[1]).any(axis=-1).sum())}
            case["odiff"] = [odiff(*(path.with_suffix(".png") for path in paths), *options) for options in OPTIONS]
            if min(images[0].size) >= 11:
                case["ssim"] = float(structural_similarity(*(np.asarray(image.convert("L")) for image in images), **FORM))
            hashes = [imagehash.phash(image) for image in images]
            case["hashes"] = [str(value) for value in hashes]
            case["phash"] = int(hashes[0] - hashes[1])
            cases.append(case)
        command = ["node", "--input-type=module", "-e", PIXELMATCH, str(TOOLS)]
        counts = json.loads(subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, check=True).stdout)
    for case, counted in zip(cases, counts):
        case["pixelmatch"] = counted
    made_with = {m.__name__: m.__version__ for m in (np, scipy, skimage, PIL, imagehash)}
    made_with |= {"pixelmatch": "7.2.0", "odiff": "4.5.0"}
    lines = ",\n".join(json.dumps(case) for case in cases)
    head = json.dumps({"made_with": made_with, "options": OPTIONS})[:-1]
    (HERE / "golden.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
