"""Writes golden.json: borders of images, computed with NumPy by another method than the plugin's.

    python plugins/borders/tests/golden/make.py

Photographs are scikit-image's (astronaut, coffee, chelsea), made small, set into bands by Pillow, some of them through JPEG.
Pixels are kept as zlib in base64, so that the unit tests need no PNG reader.
"""

import base64
import io
import json
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageOps

HERE = Path(__file__).parent


def thickness(lines: np.ndarray, tolerance: int, least: int) -> int:
    """lines[k, n, 3]: how many of the k lines from the first on stay within the tolerance together, by running extremes."""
    low = np.minimum.accumulate(lines.min(axis=1), axis=0).astype(int)
    high = np.maximum.accumulate(lines.max(axis=1), axis=0).astype(int)
    beyond = np.flatnonzero(((high - low) > tolerance).any(axis=1))
    count = int(beyond[0]) if beyond.size else len(lines)
    return count if count >= least else 0


def both(lines: np.ndarray, tolerance: int, least: int) -> tuple[int, int]:
    first = thickness(lines, tolerance, least)
    rest = lines[first:]
    return first, thickness(rest[::-1], tolerance, least) if len(rest) else 0


def one_order(pixels: np.ndarray, tolerance: int, least: int) -> list[int]:
    """[top, bottom, left, right], rows first."""
    top, bottom = both(pixels, tolerance, least)
    rest = pixels[top : len(pixels) - bottom]
    left, right = both(rest.swapaxes(0, 1), tolerance, least) if len(rest) else (0, 0)
    return [top, bottom, left, right]


def borders(pixels: np.ndarray, tolerance: int, least: int) -> dict:
    height, width, _ = pixels.shape

    def lost(sides: list[int]) -> int:
        top, bottom, left, right = sides
        inside = np.zeros((height, width), bool)
        inside[top : height - bottom, left : width - right] = True
        return int((~inside).sum())

    rows = one_order(pixels, tolerance, least)
    a, b, c, d = one_order(pixels.swapaxes(0, 1), tolerance, least)
    columns = [c, d, a, b]
    best = columns if lost(columns) > lost(rows) else rows
    return {"score": lost(best) / (height * width), "sides": best}


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def images() -> dict[str, Image.Image]:
    astronaut = Image.fromarray(skimage.data.astronaut()).resize((56, 48))
    coffee = Image.fromarray(skimage.data.coffee()).resize((60, 36))
    chelsea = Image.fromarray(skimage.data.chelsea()).resize((48, 40))
    letterbox = ImageOps.expand(coffee, (0, 8), "black")
    pillars = ImageOps.expand(astronaut, (10, 0), (255, 255, 255))
    two = Image.new("RGB", (70, 48), (200, 30, 30))
    two.paste(Image.new("RGB", (35, 48), (20, 20, 90)), (35, 0))
    two.paste(astronaut.resize((40, 36)), (15, 6))
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    return {
        "astronaut": astronaut,
        "coffee": coffee,
        "chelsea": chelsea,
        "letterbox": letterbox,
        "letterbox_jpeg": jpeg(letterbox, 60),
        "letterbox_one_side": ImageOps.expand(chelsea, (0, 12, 0, 0), "black"),
        "pillars": pillars,
        "pillars_jpeg": jpeg(pillars, 75),
        "frame": ImageOps.expand(chelsea, 5, (240, 240, 240)),
        "two_frames": ImageOps.expand(ImageOps.expand(chelsea, (0, 6), "black"), 5, "white"),
        "sides_of_two_colours": ImageOps.expand(two.crop((0, 6, 70, 42)), (0, 4), (90, 90, 90)),
        "uneven": ImageOps.expand(astronaut, (1, 3, 7, 9), "black"),
        "gradient": Image.fromarray(np.repeat(np.repeat(ramp[:, None, None], 40, 1), 3, 2)),
        "one_colour": Image.new("RGB", (17, 23), (12, 34, 56)),
        "one_pixel": Image.new("RGB", (1, 1), (255, 0, 0)),
        "one_row": Image.fromarray(np.repeat(ramp[None, :, None], 3, 2)),
    }


def main() -> None:
    cases = []
    for name, image in images().items():
        pixels = np.asarray(image)
        for tolerance, least in [(16, 4), (0, 1), (3, 2), (60, 4), (255, 1)]:
            cases.append({"image": name, "tolerance": tolerance, "least": least, **borders(pixels, tolerance, least)})
    stored = {
        name: {"width": image.width, "height": image.height, "rgb8": base64.b64encode(zlib.compress(image.tobytes(), 9)).decode()}
        for name, image in images().items()
    }
    made_with = {package: version(package) for package in ("numpy", "scikit-image", "pillow")}
    golden = {"made_with": made_with, "images": stored, "cases": cases}
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    for name in ("letterbox_jpeg", "frame", "astronaut", "sides_of_two_colours"):
        images()[name].save(HERE.parent / f"{name.replace('_', '-')}.png", optimize=True)


if __name__ == "__main__":
    main()
