from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from d2ace.pipeline.data.images import decode_images
from d2ace.pipeline.data.manifest import ImageHint
from d2ace.pipeline.errors import DataError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (3, 4, 6), dtype=np.uint8)
IDS = np.array([5, 8, 2])


@pytest.fixture
def manifest(make_prepared):
    return make_prepared("image").manifest


def with_hint(manifest, *hint):
    return replace(manifest, image=ImageHint(*hint))


def test_grey_png_comes_back_exactly(manifest, png):
    decoded = decode_images([memoryview(png(picture)) for picture in GREY], IDS, manifest)
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded[:, 0], GREY)


def test_rgb_and_conversion_between_modes(manifest, png):
    colours = RANDOM.integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    decoded = decode_images([png(picture) for picture in colours], IDS[:2], with_hint(manifest, "RGB"))
    np.testing.assert_array_equal(decoded, colours.transpose(0, 3, 1, 2))
    spread = decode_images([png(GREY[0])], IDS[:1], with_hint(manifest, "RGB", 4, 6))
    np.testing.assert_array_equal(spread[0], np.stack([GREY[0]] * 3))
    assert decode_images([png(colours[0])], IDS[:1], manifest).shape == (1, 1, 4, 6)


def test_resizing(manifest, png):
    flat = np.full((10, 20), 77, np.uint8)
    decoded = decode_images([png(flat), png(GREY[0])], IDS[:2], manifest, size=(5, 7))
    assert decoded.shape == (2, 1, 5, 7)
    assert (decoded[0] == 77).all()


def test_no_images_give_an_empty_array(manifest):
    assert decode_images([], np.zeros(0, int), manifest).shape == (0, 1, 4, 6)


def test_exif_orientation_is_applied(manifest):
    picture = np.zeros((16, 32), np.uint8)
    picture[:, 16:] = 255  # right half white; orientation 6 turns it clockwise: bottom half white
    buffer, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(buffer, "JPEG", exif=exif)
    decoded = decode_images([buffer.getvalue()], IDS[:1], with_hint(manifest, "L"))
    assert decoded.shape == (1, 1, 32, 16)
    assert decoded[0, 0, 24:].mean() > 200 > 50 > decoded[0, 0, :8].mean()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_truncated_image_names_its_row(manifest, kind, png):
    whole = png(RANDOM.integers(0, 256, (64, 64), dtype=np.uint8), kind)
    with pytest.raises(DataError, match="the image of row 8 cannot be decoded"):
        decode_images([png(GREY[0]), whole[: len(whole) // 2]], IDS[:2], manifest)


@pytest.mark.parametrize("content", [b"", b"GIF?", b"hello world"])
def test_what_is_no_image_names_its_row(manifest, content):
    with pytest.raises(DataError, match="the image of row 5 cannot be decoded: not a readable image"):
        decode_images([content], IDS[:1], manifest)


def test_a_wrong_size_says_what_to_do(manifest, png):
    other = png(np.zeros((9, 9), np.uint8))
    with pytest.raises(DataError, match=r"row 8 is 9x9 \(height x width\), expected 4x6: give a size"):
        decode_images([png(GREY[0]), other], IDS[:2], manifest)
    with pytest.raises(DataError, match="row 8 is 9x9"):
        decode_images([png(GREY[0]), other], IDS[:2], with_hint(manifest, "L"))


def test_tables_have_no_images(make_prepared):
    with pytest.raises(DataError, match="holds dense features, not images"):
        decode_images([], np.zeros(0, int), make_prepared().manifest)
