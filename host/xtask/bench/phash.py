"""ImageHash on one thread: `phash.py FOLDER COUNT SCORES`, the distance of 0.png and 1.png, 2.png and 3.png, ...; decoding counts."""

import json
import sys
import time

import imagehash
from PIL import Image

from measured import answer

folder, count, scores_path = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def hashed(index):
    with Image.open(f"{folder}/{index}.png") as image:
        return imagehash.phash(image)


hashed(0)
started = time.perf_counter()
scores = [int(hashed(2 * pair) - hashed(2 * pair + 1)) for pair in range(count // 2)]
seconds = time.perf_counter() - started
with open(scores_path, "w") as file:
    json.dump(scores, file)
answer(seconds=seconds)
