"""Golden values of ssim: scikit-image and pytorch-msssim over pairs of real and generated pictures.

Made with Python 3.11, numpy 2.4.6, scikit-image 0.26.0, pillow 13.0.0, torch 2.15.0, pytorch-msssim 1.0.0:

    python make.py

Writes the small pictures beside this script (from the files inside the scikit-image wheel: astronaut, NASA, public
domain; coffee, chelsea, rocket, CC0) and golden.json. Sizes are odd and even, down to the smallest that there are values
for, 11x11 and 161x161.

pytorch-msssim gets float64 images and a float64 window: by itself it rounds the window to float32, whose sum is not 1, which
alone moves a score of bright, flat pictures by 1e-5.
"""

import io
import json
from pathlib import Path

import numpy as np
import PIL
import pytorch_msssim
import skimage
import torch
from PIL import Image, ImageFilter
from skimage.metrics import structural_similarity

HERE = Path(__file__).resolve().parent
SOURCES = Path(skimage.__file__).parent / "data"

FORM = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
WINDOW = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
WINDOW = torch.from_numpy(WINDOW / WINDOW.sum())


def photo(name: str, size: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> Image.Image:
    image = Image.open(SOURCES / name).convert("RGB")
    return (image.crop(box) if box else image).resize(size, Image.Resampling.LANCZOS)


def noisy(image: Image.Image, sigma: float) -> Image.Image:
    values = np.asarray(image) + np.random.default_rng(7).normal(0, sigma, (image.height, image.width, 3))
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


def shifted(image: Image.Image, by: int) -> Image.Image:
    return Image.fromarray(np.roll(np.asarray(image), by, axis=1))


def as_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=12)
    return Image.open(buffer).convert("RGB")


def edges(vertical: bool) -> Image.Image:
    """Black but for one white line of pixels at the far end: the outermost weight of the window decides."""
    values = np.zeros((11, 11, 3), np.uint8)
    if vertical:
        values[:, -1] = 255
    else:
        values[-1] = 255
    return Image.fromarray(values)


def pairs() -> dict[str, tuple[Image.Image, Image.Image]]:
    chelsea = photo("chelsea.png", (163, 175))
    coffee = photo("coffee.png", (176, 161))
    rocket = photo("rocket.jpg", (64, 45))
    astronaut = photo("astronaut.png", (37, 53))
    crop = photo("coffee.png", (11, 11), (250, 150, 261, 161))
    other = photo("chelsea.png", (11, 11), (120, 90, 131, 101))
    board = Image.fromarray((np.indices((29, 40)).sum(0) % 2 * 255).astype(np.uint8)).convert("RGB")
    return {
        "chelsea-jpeg": (as_jpeg(chelsea), chelsea),
        "coffee-blurred": (coffee.filter(ImageFilter.GaussianBlur(1.2)), coffee),
        "rocket-noisy": (noisy(rocket, 15), rocket),
        "astronaut-shifted": (shifted(astronaut, 2), astronaut),
        "crops": (crop, other),
        "edges": (edges(True), edges(False)),
        "board-negative": (Image.fromarray(255 - np.asarray(board)), board),
        "white-black": (Image.new("RGB", (12, 11), "white"), Image.new("RGB", (12, 11), "black")),
    }


def multiscale(x: np.ndarray, y: np.ndarray) -> float:
    """Arrays of height, width, channels."""
    x, y = (torch.from_numpy(v.astype(np.float64)).permute(2, 0, 1)[None] for v in (x, y))
    window = WINDOW.repeat(x.shape[1], 1, 1, 1)
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    return float(pytorch_msssim.ms_ssim(x, y, data_range=255, win=window, weights=weights))


def main() -> None:
    cases = []
    for name, (image, reference) in pairs().items():
        files = [f"{name}.png", f"{name}-reference.png"]
        for file, picture in zip(files, (image, reference)):
            Image.fromarray(np.asarray(picture)).save(HERE / file, optimize=True)  # without colour profiles
        x, y = np.asarray(image), np.asarray(reference)
        lx, ly = (np.asarray(picture.convert("L")) for picture in (image, reference))
        case = {
            "image": files[0],
            "reference": files[1],
            "ssim": float(structural_similarity(x, y, channel_axis=-1, **FORM)),
            "ssim-luma": float(structural_similarity(lx, ly, **FORM)),
        }
        if min(x.shape[:2]) > 160:
            case["ms-ssim"] = multiscale(x, y)
            case["ms-ssim-luma"] = multiscale(lx[..., None], ly[..., None])
        cases.append(case)
    made_with = {m.__name__: m.__version__ for m in (np, skimage, PIL, torch)} | {"pytorch_msssim": "1.0.0"}
    (HERE / "golden.json").write_text(json.dumps({"made_with": made_with, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
