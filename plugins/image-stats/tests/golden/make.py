"""Golden values of image-stats: the README's NumPy / scikit-image formulas over real pictures.

Made with Python 3.11, numpy 2.4.6, scikit-image 0.26.0, scipy 1.17.1, pillow 13.0.0:

    python make.py

Writes the small pictures beside this script (from the files inside the scikit-image wheel: astronaut, NASA, public
domain; coffee, chelsea, rocket, horse, CC0) and golden.json. The generated pictures of host/diffusion are read in place.
"""

import json
from pathlib import Path

import numpy as np
import PIL
import scipy
import skimage
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
SOURCES = Path(skimage.__file__).parent / "data"

# name -> (source, crop box or None, size); sizes are odd, and some are one pixel wide, high or both
PICTURES = {
    "astronaut-97x101.png": ("astronaut.png", None, (97, 101)),
    "coffee-121x83.png": ("coffee.png", None, (121, 83)),
    "chelsea-113x75.png": ("chelsea.png", None, (113, 75)),
    "rocket-67x45.png": ("rocket.jpg", None, (67, 45)),
    "horse-drawing-63x51.png": ("horse.png", None, (63, 51)),
    "coffee-1x1.png": ("coffee.png", (300, 200, 301, 201), (1, 1)),
    "coffee-37x1.png": ("coffee.png", (200, 200, 237, 201), (37, 1)),
    "coffee-1x37.png": ("coffee.png", (200, 200, 201, 237), (1, 37)),
    "coffee-2x2.png": ("coffee.png", (250, 150, 252, 152), (2, 2)),
    "coffee-3x17.png": ("coffee.png", (250, 150, 253, 167), (3, 17)),
}


def formulas(image: Image.Image) -> dict[str, float]:
    rgb = np.asarray(image.convert("RGB")).astype(np.float64)
    luma = np.asarray(image.convert("RGB").convert("L"))
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    rg, yb = red - green, 0.5 * (red + green) - blue
    return {
        "brightness": np.mean(luma) / 255,
        "contrast": np.std(luma.astype(np.float64)) / 255,
        "sharpness": np.var(skimage.filters.laplace(luma.astype(np.float64) / 255, ksize=3)),
        "colorfulness": np.hypot(np.std(rg), np.std(yb)) + 0.3 * np.hypot(np.mean(rg), np.mean(yb)),
        "entropy": skimage.measure.shannon_entropy(luma, base=2),
    }


def main() -> None:
    for name, (source, box, size) in PICTURES.items():
        image = Image.open(SOURCES / source).convert("RGB")
        if box:
            image = image.crop(box)
        image.resize(size, Image.Resampling.LANCZOS).save(HERE / name, optimize=True)

    shapes = sorted((ROOT / "host/diffusion/tests/golden/shapes").glob("*.png"))
    files = [HERE / name for name in PICTURES] + shapes
    cases = []
    for file in files:
        image = Image.open(file)
        values = {name: float(value) for name, value in formulas(image).items()}
        cases.append({"file": str(file.relative_to(ROOT)), "width": image.width, "height": image.height, **values})
    made_with = {m.__name__: m.__version__ for m in (np, skimage, scipy, PIL)}
    (HERE / "golden.json").write_text(json.dumps({"made_with": made_with, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
