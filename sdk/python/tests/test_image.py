"""Images in memory give the bytes that the host gives: those of Pillow 12. The golden values are those of the Rust SDK's tests."""

import unittest

from difftest_sdk import Filter, Image, ImageSet, Rgb, Size
from difftest_sdk.prompt import _fnv1a


def pattern() -> Image:
    return Image.from_rgb8(7, 5, [(i * i * 37 + i * 11) % 256 for i in range(105)])


def fingerprint(image: Image) -> int:
    return _fnv1a(b"".join(side.to_bytes(4, "little") for side in image.size) + image.rgb8())


# hashes of `numpy.asarray(image.resize(size, filter))` for the same pixels, Pillow 12.0.0
RESIZED = [
    (Filter.NEAREST, 3, 2, 0x6BD7D8AD407E76BE),
    (Filter.NEAREST, 11, 9, 0x42305EDEB6C2C407),
    (Filter.NEAREST, 1, 1, 0x06A89C6E0354DD19),
    (Filter.NEAREST, 64, 3, 0x6E68F7F3F98A93B2),
    (Filter.BILINEAR, 3, 2, 0xF211A6D322587204),
    (Filter.BILINEAR, 11, 9, 0x6F29C8F6488EEA61),
    (Filter.BILINEAR, 7, 2, 0x2BF1C400F295AE51),
    (Filter.BILINEAR, 2, 5, 0x91DEA4D047E4D4FF),
    (Filter.BILINEAR, 7, 5, 0x7ED11624C5807625),
    (Filter.BILINEAR, 1, 1, 0xC7D37A6F01638B12),
    (Filter.BILINEAR, 64, 3, 0x5904A7E96686235C),
    (Filter.LANCZOS3, 3, 2, 0x78E122E8949BA2E5),
    (Filter.LANCZOS3, 11, 9, 0x288BE71B3E25ADB6),
    (Filter.LANCZOS3, 7, 2, 0x41E9715498028DAE),
    (Filter.LANCZOS3, 2, 5, 0x999A15BD3A612FE5),
    (Filter.LANCZOS3, 1, 1, 0x95091D6EE4F4A5CE),
    (Filter.LANCZOS3, 64, 3, 0xA338D4A5FE08D64C),
]

# `list(image.convert("L").tobytes())` of Pillow
LUMA = [
    48, 130, 110, 168, 200, 130, 215, 197, 107, 141, 73, 159, 144, 205, 91, 176, 37, 24, 164, 126, 139, 152, 141,
    56, 96, 35, 127, 117, 185, 77, 168, 35, 27, 174, 141,
]  # fmt: skip


class Images(unittest.TestCase):
    def test_resize_equals_pillow(self) -> None:
        for filter, width, height, wanted in RESIZED:
            with self.subTest(filter, width=width, height=height):
                image = pattern().resize(width, height, filter)
                self.assertEqual(image.size, Size(width, height))
                self.assertEqual(fingerprint(image), wanted)

    def test_luma_equals_pillow(self) -> None:
        self.assertEqual(list(pattern().luma8()), LUMA)

    def test_rows_are_clamped(self) -> None:
        image = pattern()
        self.assertEqual(image.rows(0, 1 << 40), image.rgb8())
        self.assertEqual(image.rows(1, 2), image.rgb8()[21:63])
        self.assertEqual(image.rows(4, 9), image.rgb8()[84:])
        self.assertEqual([image.rows(5, 1), image.rows(1 << 40, 1), image.rows(0, 0)], [b"", b"", b""])
        with self.assertRaises(ValueError):
            image.rows(-1, 2)

    def test_pixels_come_row_by_row(self) -> None:
        image = Image.from_function(3, 2, lambda x, y: (x, y, 9))
        self.assertEqual(list(image.pixels())[4], Rgb(1, 1, 9))
        self.assertEqual(repr(image), "Image(3x2)")

    def test_the_digest_covers_size_and_pixels(self) -> None:
        # hashlib.sha256(struct.pack("<II", 7, 5) + pixels)
        self.assertEqual(pattern().digest(), "5e2844bbf94d603902300a46aa640f17f4dabd8c0e5a0e81754397f33b66a3e5")

    def test_what_is_no_image_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "an image of 2x2 has 12 bytes, but 11 were given"):
            Image.from_rgb8(2, 2, bytes(11))
        with self.assertRaisesRegex(ValueError, "an image of 0x2 has no pixels"):
            Image.from_rgb8(0, 2, b"")
        with self.assertRaisesRegex(ValueError, "an image of 0x9 has no pixels"):
            pattern().resize(0, 9)


class Sets(unittest.TestCase):
    def test_a_set_is_a_sequence(self) -> None:
        images = ImageSet([Image.from_rgb8(1, 1, [level] * 3) for level in range(5)])
        self.assertEqual([image.rgb8()[0] for image in images], [0, 1, 2, 3, 4])
        self.assertEqual([image.rgb8()[0] for image in images[3:0:-2]], [3, 1])
        self.assertEqual(images[-1].rgb8()[0], 4)
        with self.assertRaisesRegex(IndexError, "no image 5 in a set of 5"):
            images[5]
        self.assertFalse(ImageSet([]))
