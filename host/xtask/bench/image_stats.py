"""The five image-stats metrics in NumPy and scikit-image: `image_stats.py IMAGES COUNT SIDE VARIANT SCORES`.

`published` is how the formulas are usually written, with the scikit-image function where there is one.
`tuned` is what someone who knows NumPy would make of them: counting instead of sorting, slices instead of a convolution, float32 where
it is exact. The images lie decoded in memory on every side; the conversion to luma (Pillow's mode L) is part of the work.
"""

import json
import sys
import time

import numpy as np
from PIL import Image
from skimage.filters import laplace
from skimage.measure import shannon_entropy

from measured import answer


def colorfulness(rgb):
    """Hasler and Suesstrunk (2003)."""
    r, g, b = (rgb[..., channel].astype(np.float64) for channel in range(3))
    rg, yb = r - g, 0.5 * (r + g) - b
    return np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())


def published(rgb):
    luma = np.asarray(Image.fromarray(rgb).convert("L"))
    unit = luma / 255.0
    return unit.mean(), unit.std(), laplace(unit).var(), colorfulness(rgb), shannon_entropy(luma)


def tuned(rgb):
    luma = np.asarray(Image.fromarray(rgb).convert("L"))
    counts = np.bincount(luma.ravel(), minlength=256)
    share = counts / luma.size
    values = np.arange(256) / 255.0
    mean = share @ values
    contrast = np.sqrt(share @ (values - mean) ** 2)
    # the response of whole numbers is whole and below 2^24, so float32 holds it exactly
    plane = np.pad(luma.astype(np.float32), 1, mode="edge")
    response = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:] - 4.0 * plane[1:-1, 1:-1]
    sharpness = np.square(response).mean(dtype=np.float64) / 255.0**2
    occurring = share[share > 0]
    return mean, contrast, sharpness, colorfulness(rgb), -(occurring @ np.log2(occurring))


path, count, side, variant, scores_path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
measure = {"published": published, "tuned": tuned}[variant]
images = np.fromfile(path, dtype=np.uint8).reshape(count, side, side, 3)
for image in images[:5]:
    measure(image)
started = time.perf_counter()
scores = [[float(score) for score in measure(image)] for image in images]
seconds = time.perf_counter() - started
with open(scores_path, "w") as file:
    json.dump(scores, file)
answer(seconds=seconds, images=count)
