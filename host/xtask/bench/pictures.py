"""Makes a folder of PNG files with a manifest: `pictures.py IMAGES SIDE OUT COUNT` takes the raw images, turned and shifted where more
are wanted than there are, so that no two are equal.
"""

import json
import os
import sys

import numpy as np
from PIL import Image

images, side, out, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
raw = np.fromfile(images, dtype=np.uint8).reshape(-1, side, side, 3)
os.makedirs(out)
with open(f"{out}/manifest.jsonl", "w") as manifest:
    for index in range(count):
        image = np.roll(np.rot90(raw[index % len(raw)], index // len(raw)), 7 * (index // len(raw)), axis=1)
        Image.fromarray(np.ascontiguousarray(image)).save(f"{out}/{index}.png")
        manifest.write(json.dumps({"file": f"{index}.png", "prompt": f"picture {index}", "seed": index}) + "\n")
