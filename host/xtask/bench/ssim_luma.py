"""scikit-image's SSIM of luma on one thread: `ssim_luma.py IMAGES BASELINE COUNT SCORES`, N.png of one folder with N.png of the other."""

import json
import sys
import time

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from measured import answer

images, baseline, count, scores_path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
compare_seconds = 0.0


def measure(index):
    global compare_seconds
    pair = []
    for folder in (images, baseline):
        with Image.open(f"{folder}/{index}.png") as image:
            image.load()
            pair.append(image)
    started = time.perf_counter()
    luma = [np.asarray(image.convert("L")) for image in pair]
    score = structural_similarity(*luma, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    compare_seconds += time.perf_counter() - started
    return float(score)


measure(0)
compare_seconds = 0.0
started = time.perf_counter()
scores = [measure(index) for index in range(count)]
seconds = time.perf_counter() - started
with open(scores_path, "w") as file:
    json.dump(scores, file)
answer(seconds=seconds, compare_seconds=compare_seconds)
