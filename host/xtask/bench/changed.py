"""Makes pairs for comparison: `changed.py PICTURES OUT COUNT` writes each picture with a change, as N.png beside the N.png it came from.

Even ones change by a level or two in most pixels, as with another runtime; odd ones also have an area of another picture, a
twentieth of the image, as with another object. No two files of a pair are equal. Seeded.
"""

import os
import sys

import numpy as np
from PIL import Image

pictures, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
random = np.random.default_rng(20261122)
os.makedirs(out)
for index in range(count):
    image = np.asarray(Image.open(f"{pictures}/{index}.png")).astype(np.int16)
    height, width, _ = image.shape
    if index % 2:
        other = np.asarray(Image.open(f"{pictures}/{(index + 1) % count}.png"))
        y, x = np.indices((height, width))
        centre_x, centre_y = random.integers(0, width), random.integers(0, height)
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < width * height / 20 / np.pi
        image[inside] = other[inside]
    image = image + random.integers(-2, 3, image.shape, dtype=np.int16)
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(f"{out}/{index}.png")
