"""Whether two folders hold the same pictures: `compare_images.py OURS THEIRS COUNT` compares 0.png, 1.png, ... byte by byte.

Floating point sums in another order round differently, so some bytes may be one level off.
"""

import sys

import numpy as np
from PIL import Image

from measured import answer

ours, theirs, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


def pixels(folder, index):
    return np.asarray(Image.open(f"{folder}/{index}.png").convert("RGB"), dtype=np.int16)


difference = np.stack([np.abs(pixels(ours, index) - pixels(theirs, index)) for index in range(count)])
answer(within_one_level=float((difference <= 1).mean()), largest_difference=int(difference.max()))
