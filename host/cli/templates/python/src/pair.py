"""{{name}}: what `difftest plugin new` wrote. Change the function, rename it, add more: each one under @metric that takes a
`reference` compares an image with it."""

from operator import sub

from difftest_sdk import Image, UnsupportedInput, metric


@metric(range=(0, 255), direction="lower", unit="levels")
def mean_difference(image: Image, reference: Image) -> float:
    """Mean difference of two images in grey levels: 0 is equal, 255 is black against white."""
    if image.size != reference.size:
        raise UnsupportedInput("the image and its reference differ in size")
    ours, theirs = image.luma8(), reference.luma8()
    # `map` keeps the loop over the pixels in C
    total: int = sum(map(abs, map(sub, ours, theirs)))
    return total / len(ours)
