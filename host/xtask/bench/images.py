"""Makes the images of measurements (a) and (b): `images.py OUT COUNT SIDE` writes COUNT raw RGB images, one after another.

Smooth colour fields under grain, so that histograms are full and neighbours correlate as in photographs. Seeded: the same bytes
on every machine with the same NumPy.
"""

import sys

import numpy as np
from PIL import Image

out, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(20261121)
with open(out, "wb") as file:
    for _ in range(count):
        coarse = random.integers(0, 256, (random.integers(4, 33), random.integers(4, 33), 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = random.normal(0.0, random.uniform(0.5, 12.0), (side, side, 1)).round().astype(np.int16)
        file.write(np.clip(smooth + grain, 0, 255).astype(np.uint8).tobytes())
