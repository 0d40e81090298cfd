"""scikit-image's SSIM on one thread: `ssim.py IMAGES COUNT SIDE SCORES`, an image with the next one, the last with the first."""

import json
import sys
import time

import numpy as np
from skimage.metrics import structural_similarity

from measured import answer

path, count, side, scores_path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
images = np.fromfile(path, dtype=np.uint8, count=count * side * side * 3).reshape(count, side, side, 3)


def measure(image, reference):
    return structural_similarity(
        image,
        reference,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
    )


measure(images[0], images[1])
started = time.perf_counter()
scores = [float(measure(images[i], images[(i + 1) % count])) for i in range(count)]
seconds = time.perf_counter() - started
with open(scores_path, "w") as file:
    json.dump(scores, file)
answer(seconds=seconds)
