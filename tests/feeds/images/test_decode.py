"""Pillow is the oracle: what it makes of a file is what comes out, whichever library did it."""

from contextlib import suppress
from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from pictures import file_of, smooth
from PIL import Image, ImageOps

from d2ace.pipeline.feeds.images import decode as module
from d2ace.pipeline.feeds.images.decode import ImageError, decode


def pillow(encoded: bytes, mode: str) -> np.ndarray:
    picture = ImageOps.exif_transpose(Image.open(BytesIO(encoded))).convert(mode)
    pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def same_as_pillow(encoded: bytes, mode: str) -> None:
    got = decode(memoryview(encoded), mode)
    expected = pillow(encoded, mode)
    assert got.pixels.dtype == np.uint8
    np.testing.assert_array_equal(got.pixels, expected)
    assert (got.height, got.width) == expected.shape[:2]


@pytest.mark.parametrize(
    "options",
    [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"quality": 30}, {"keep_rgb": True}],
)
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (64, 48), (75, 101)])
def test_colour_jpeg(size, options, mode, monkeypatch):
    monkeypatch.setattr(module, "_decode_with_pillow", None)  # simplejpeg must do it
    same_as_pillow(file_of(smooth(*size), **options), mode)


def test_jpeg_in_arrow_memory(mode, monkeypatch):
    """Views of its buffers hold signed bytes."""
    monkeypatch.setattr(module, "_decode_with_pillow", None)
    encoded = file_of(smooth(20, 30))
    view = memoryview(pa.py_buffer(encoded))
    assert view.format == "b"
    np.testing.assert_array_equal(decode(view, mode).pixels, pillow(encoded, mode))


def test_grey_jpeg(mode, monkeypatch):
    monkeypatch.setattr(module, "_decode_with_pillow", None)
    same_as_pillow(file_of(smooth(50, 31, 1)), mode)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_other_formats(kind, mode):
    same_as_pillow(file_of(smooth(20, 33), kind), mode)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind, orientation, mode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = file_of(smooth(24, 40), kind, exif=exif)
    same_as_pillow(encoded, mode)
    assert decode(encoded, mode).pixels.shape[:2] == ((24, 40) if orientation < 5 else (40, 24))


def test_exif_behind_other_segments_and_without_orientation(mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = smooth(24, 40)
    same_as_pillow(file_of(picture, exif=exif, icc_profile=b"x" * 70_000, comment=b"hello"), mode)
    exif[0x0112] = 77  # not an orientation
    same_as_pillow(file_of(picture, exif=exif), mode)
    del exif[0x0112]
    exif[0x010F] = "camera"
    same_as_pillow(file_of(picture, exif=exif), mode)


def test_cmyk(mode):
    same_as_pillow(file_of(Image.fromarray(smooth(20, 30)).convert("CMYK")), mode)
    same_as_pillow(file_of(Image.fromarray(smooth(20, 30)).convert("CMYK"), "TIFF"), mode)


def test_palettes_transparency_and_single_bits(mode):
    picture = Image.fromarray(smooth(20, 30))
    same_as_pillow(file_of(picture.convert("P"), "PNG"), mode)
    same_as_pillow(file_of(picture.convert("P"), "PNG", transparency=3), mode)
    same_as_pillow(file_of(picture.convert("1"), "PNG"), mode)
    with_alpha = picture.copy()
    with_alpha.putalpha(Image.fromarray(smooth(20, 30, 1, seed=1)))
    same_as_pillow(file_of(with_alpha, "PNG"), mode)
    same_as_pillow(file_of(with_alpha.convert("LA"), "PNG"), mode)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_the_high_byte(kind, mode):
    deep = np.arange(0, 65536, 113, dtype=np.uint16)[:576].reshape(24, 24)
    pixels = decode(file_of(deep, kind), mode).pixels
    for channel in range(pixels.shape[2]):
        np.testing.assert_array_equal(pixels[:, :, channel], deep // 256)


def test_numbers_without_a_range_are_refused(mode):
    with pytest.raises(ImageError, match="32-bit numbers without a known range"):
        decode(file_of(np.ones((4, 4), np.float32), "TIFF"), mode)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_its_first_frame(kind, mode):
    first, second = (Image.fromarray(smooth(20, 30, seed=seed)) for seed in (0, 1))
    encoded = file_of(
        first, kind, save_all=True, append_images=[second], **({"lossless": True} if kind != "GIF" else {})
    )
    assert getattr(Image.open(BytesIO(encoded)), "n_frames", 1) == 2
    same_as_pillow(encoded, mode)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_truncated_and_damaged_files_never_crash(kind, mode):
    encoded = file_of(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8), kind)
    with pytest.raises(ImageError):
        decode(encoded[: len(encoded) // 2], mode)
    random = np.random.default_rng(1)
    for _ in range(60):  # any outcome but another exception
        damaged = bytearray(encoded)
        for place in random.integers(0, len(encoded), 4):
            damaged[place] = random.integers(256)
        with suppress(ImageError):
            pixels = decode(bytes(damaged[: random.integers(1, len(encoded) + 1)]), mode).pixels
            assert pixels.dtype == np.uint8 and pixels.ndim == 3


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xd8\xff", b"GIF?", b"hello world"])
def test_what_is_no_image(content, mode):
    with pytest.raises(ImageError, match="not a readable image"):
        decode(content, mode)


def test_damage_that_pillow_bears_is_borne(mode):
    encoded = file_of(smooth(40, 40))
    odd = encoded[:-2] + b"\x00" * 7 + encoded[-2:]  # extraneous bytes before the end marker: a warning of libjpeg
    same_as_pillow(odd, mode)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_decompression_bombs_are_refused(kind, mode, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="decompression bomb"):
        decode(file_of(smooth(20, 30), kind), mode)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 6])
def test_shrunk_decoding_is_the_image_made_smaller(factor, orientation, mode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = file_of(smooth(160, 243), quality=95, exif=exif)
    asked = []

    def shrink(height, width):
        asked.append((height, width))
        return factor

    got = decode(encoded, mode, shrink)
    full = pillow(encoded, mode)
    assert asked == [(got.height, got.width)] == [full.shape[:2]]
    assert got.pixels.shape[:2] == tuple(-(-side // factor) for side in full.shape[:2])
    picture = Image.fromarray(full.squeeze())
    expected = np.asarray(picture.resize(got.pixels.shape[1::-1], Image.Resampling.BOX)).reshape(got.pixels.shape)
    assert np.abs(got.pixels.astype(int) - expected).mean() < (0.01 if factor == 1 else 4)


@pytest.mark.parametrize("kind", ["PCX", "TGA", "EPS", "ICO", "SGI"])
def test_formats_that_prepare_refuses_are_not_opened(kind):
    buffer = BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, kind)
    with pytest.raises(ImageError, match="not a readable image"):
        decode(buffer.getvalue(), "RGB")
