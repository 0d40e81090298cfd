"""Makes the two test images that `difftest plugin new` writes. Any Pillow from 9 on makes the same pixels.

picture.png  48x32: a red disc on a blue ground that grows brighter to the right
changed.png  the same with a smaller, darker disc
"""

from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 48, 32


def picture(radius: int, red: int) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            inside = (x - WIDTH // 2) ** 2 + (y - HEIGHT // 2) ** 2 <= radius**2
            image.putpixel((x, y), (red, 32, 16) if inside else (x * 3, x * 3, 120 + x * 2))
    return image


if __name__ == "__main__":
    folder = Path(__file__).parent
    picture(11, 230).save(folder / "picture.png", optimize=True)
    picture(9, 180).save(folder / "changed.png", optimize=True)
