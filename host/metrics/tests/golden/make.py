"""Makes pillow.json: digests of what Pillow does to pictures that the test can draw itself.

Made with Pillow 13.0, numpy 2, transformers 5.23 (CLIPImageProcessorPil). Run: python make.py
"""

import hashlib
import json
import pathlib

import numpy as np
import PIL
import transformers
from PIL import Image
from transformers import CLIPImageProcessorPil

HERE = pathlib.Path(__file__).parent
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}


def picture(kind, width, height):
    """The same integer formulas as `picture` in tests/pillow.rs."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    x, y, c = x.astype(np.uint32), y.astype(np.uint32), c.astype(np.uint32)
    if kind == "noise":
        h = x * np.uint32(374761393) + y * np.uint32(668265263) + c * np.uint32(2246822519)
        h = (h ^ (h >> 13)) * np.uint32(1274126177)
        value = h >> 24
    elif kind == "smooth":
        value = (x * (c + 2) + y * 3) % 511
        value = np.where(value > 255, 510 - value, value)
    else:  # edges
        value = np.where(((x // 5) + (y // 7) + c) % 2 == 0, 255, 0)
    return value.astype(np.uint8)


def sha(data):
    return hashlib.sha256(data).hexdigest()


SIZES = [
    ((64, 64), (224, 224)),
    ((512, 512), (224, 224)),
    ((97, 61), (33, 80)),
    ((33, 80), (97, 80)),
    ((40, 30), (40, 7)),
    ((300, 200), (299, 199)),
    ((5, 3), (64, 48)),
    ((1, 9), (4, 4)),
    ((640, 8), (3, 2)),
]

resizes = []
for kind in ["noise", "smooth", "edges"]:
    for source, target in SIZES:
        image = Image.fromarray(picture(kind, *source))
        for name, number in FILTERS.items():
            out = image.resize(target, number).tobytes()
            resizes.append({"kind": kind, "from": source, "to": target, "filter": name, "sha256": sha(out)})

lumas = [
    {"kind": kind, "size": [97, 61], "sha256": sha(Image.fromarray(picture(kind, 97, 61)).convert("L").tobytes())}
    for kind in ["noise", "smooth", "edges"]
]

processor = CLIPImageProcessorPil()
clips = []
for edge, (width, height) in [(64, (64, 64)), (224, (512, 384)), (224, (99, 301)), (56, (57, 59)), (32, (1000, 3)), (30, (17, 41))]:
    for kind in ["noise", "smooth"]:
        pixels = processor(
            Image.fromarray(picture(kind, width, height)),
            size={"shortest_edge": edge},
            crop_size={"height": edge - edge % 4, "width": edge - edge % 4},
            return_tensors="np",
        )["pixel_values"][0]
        assert pixels.dtype == np.float32
        clips.append(
            {"kind": kind, "edge": edge, "crop": edge - edge % 4, "size": [width, height], "sha256": sha(pixels.tobytes())}
        )

out = {
    "made_with": {"pillow": PIL.__version__, "numpy": np.__version__, "transformers": transformers.__version__},
    "resize": resizes,
    "luma": lumas,
    "clip": clips,
}
text = json.dumps(out, separators=(",", ":")).replace("},{", "},\n{")
(HERE / "pillow.json").write_text(text + "\n")

# files whose decoding has a trap: alpha, palettes with transparency, grey, 16 bits, WebP
files = HERE / "files"
files.mkdir(exist_ok=True)
base = Image.fromarray(picture("noise", 13, 11))
alpha = Image.fromarray(picture("smooth", 13, 11)[:, :, 0].copy())
rgba = base.copy()
rgba.putalpha(alpha)
rgba.save(files / "rgba.png")
base.convert("L").save(files / "grey.png")
base.convert("LA").save(files / "grey-alpha.png")
palette = base.quantize(16)
palette.info["transparency"] = 3
palette.save(files / "palette.png", transparency=3)
base.save(files / "rgb.webp", lossless=True)
rgba.save(files / "rgba.webp", lossless=True, exact=True)
Image.fromarray(picture("smooth", 40, 24)).save(files / "smooth.jpg", quality=92, subsampling=0)
decoded = {}
for file in sorted(files.iterdir()):
    image = Image.open(file).convert("RGB")
    decoded[file.name] = {"size": image.size, "sha256": sha(image.tobytes())}
    if file.suffix == ".jpg":
        decoded[file.name]["mean"] = [float(v) for v in np.asarray(image).mean((0, 1))]
(HERE / "decoded.json").write_text(json.dumps(decoded, indent=1) + "\n")
