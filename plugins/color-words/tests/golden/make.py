"""Golden values of color-words: the README's method written with NumPy, scikit-image and SciPy, over real pictures.

Made with Python 3.11, numpy 2.4.6, scikit-image 0.26.0, scipy 1.17.1, pillow 13.0.0:

    python make.py

Writes golden.json: for each picture the share of every colour term. The pictures are those of
image-stats and the generated ones of host/diffusion, read in place.
"""

import json
from pathlib import Path

import numpy as np
import PIL
import scipy
import skimage
from PIL import Image

ROOT = Path(__file__).resolve().parents[4]
ANY = (-2000.0, -1000.0, 1000.0, 2000.0)


def above(start, full):
    return (start, full, 1000.0, 2000.0)


def upto(full, end):
    return (-2000.0, -1000.0, full, end)


# term -> boxes of (lightness, chroma, hue)
TERMS = {
    "black": [(upto(14, 24), upto(12, 22), ANY)],
    "white": [(above(80, 88), upto(10, 18), ANY)],
    "gray": [((16, 26, 84, 94), upto(9, 20), ANY)],
    "red": [((12, 22, 58, 68), above(30, 45), (4, 16, 42, 52))],
    "orange": [(above(40, 50), above(40, 50), (38, 48, 72, 82))],
    "yellow": [(above(60, 70), above(30, 45), (74, 84, 112, 122)), (above(85, 92), above(11, 16), (84, 92, 112, 118))],
    "green": [(above(8, 15), above(15, 24), (102, 112, 162, 176))],
    "cyan": [(above(22, 34), above(12, 20), (156, 168, 206, 228))],
    "blue": [(above(3, 8), above(12, 20), (212, 232, 307, 314)), (above(72, 80), (6, 11, 24, 36), (190, 206, 250, 275))],
    "purple": [(above(3, 8), above(14, 22), (305, 311, 334, 346))],
    "pink": [(above(45, 56), above(12, 20), (-38, -28, 14, 32)), (above(30, 40), above(40, 50), (-38, -30, 0, 14))],
    "brown": [((6, 14, 54, 68), (10, 18, 64, 78), (22, 40, 86, 100))],
}


def trapezoid(value, corners):
    start, full_start, full_end, end = corners
    return np.clip(np.minimum((value - start) / (full_start - start), (end - value) / (end - full_end)), 0, 1)


def membership(rgb, boxes):
    lab = skimage.color.rgb2lab(rgb)
    lightness, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    best = np.zeros(rgb.shape[:2])
    for l_corners, c_corners, h_corners in boxes:
        inside = np.minimum(trapezoid(lightness, l_corners), trapezoid(chroma, c_corners))
        inside = np.minimum(inside, np.maximum(trapezoid(hue, h_corners), trapezoid(hue - 360, h_corners)))
        best = np.maximum(best, inside)
    return best


def shares(rgb):
    binned = rgb & 0xF8 | 4
    result = {}
    for term, boxes in TERMS.items():
        plane = np.floor(membership(binned, boxes) * 255 + 0.5).astype(np.uint8)
        result[term] = float(scipy.ndimage.grey_opening(plane, size=(3, 3)).astype(np.float64).mean() / 255)
    return result


def main() -> None:
    files = sorted((ROOT / "plugins/image-stats/tests/golden").glob("*.png"))
    files += sorted((ROOT / "host/diffusion/tests/golden/shapes").glob("*.png"))
    pictures = [
        {"file": str(file.relative_to(ROOT)), "shares": shares(np.asarray(Image.open(file).convert("RGB")))}
        for file in files
    ]
    golden = {
        "made_with": {m.__name__: m.__version__ for m in (np, skimage, scipy, PIL)},
        "pictures": pictures,
    }
    (Path(__file__).parent / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
