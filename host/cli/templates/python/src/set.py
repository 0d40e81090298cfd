"""{{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each one under @metric that takes
`images` gives one score to all images of a test together."""

import math

from difftest_sdk import Image, ImageSet, UnsupportedInput, metric


@metric(range=(0, 128), direction="higher", unit="levels")
def brightness_spread(images: ImageSet) -> float:
    """Standard deviation of the images' mean brightness, in grey levels: 0 is all alike."""
    if not images:
        raise UnsupportedInput("there are no images")
    # one image at a time is in memory, however large the set is
    means = [mean(image) for image in images]
    middle = math.fsum(means) / len(means)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in means) / len(means))


def mean(image: Image) -> float:
    luma = image.luma8()
    return sum(luma) / len(luma)
