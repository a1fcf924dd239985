"""What is stored of every kind of image file; pixels are compared with those that Pillow or NumPy give."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from image_files import encode, pixels
from image_files import picture as small_picture
from PIL import Image, PngImagePlugin

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_images.cleaning import BadImageError, Cleaning, clean
from d2ace.pipeline.feeds.images.decode import decode

DEFAULTS = Cleaning()


def picture(seed=0, size=(96, 64), mode="RGB"):
    return small_picture(seed, size, mode)


def jpeg(seed=0, **options):
    return encode(picture(seed, **options))


BLOCKS = Image.fromarray(np.kron([[1, 0], [0, 1]], np.ones((32, 48))) > 0)
FEW = picture().quantize(16)


def turned(orientation, kind="JPEG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(picture(), kind, exif=exif)


def animated(kind):
    return encode(picture(1), kind, save_all=True, append_images=[picture(2)])


def png(width, height, bits, colour, rows):
    """A PNG written by hand."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def bomb():
    """A few bytes whose header promises 3.6 billion pixels."""
    return png(60_000, 60_000, 8, 2, b"\0")


def near(encoded, expected, most=4):
    """A JPEG of quality 95 is near what went in; chroma is stored at half the size."""
    found = pixels(encoded).astype(int)
    assert found.shape == np.shape(expected)
    return np.abs(found - np.asarray(expected).astype(int)).mean() < most


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (jpeg(1), "RGB"),
        (jpeg(1, mode="L"), "L"),
        (encode(picture(), progressive=True), "RGB"),
        (encode(picture(), "PNG"), "RGB"),
        (encode(picture(mode="L"), "PNG"), "L"),
    ],
)
def test_plain_images_keep_their_bytes(content, mode):
    found = clean(content, DEFAULTS)
    assert (found.encoded, found.mode, found.size, found.converted) == (content, mode, (64, 96), "")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_images_keep_their_bytes_and_tell_their_upright_size(orientation):
    found = clean(turned(orientation), DEFAULTS)
    assert found.encoded == turned(orientation)
    assert found.size == ((96, 64) if orientation > 4 else (64, 96))


@pytest.mark.parametrize(
    ("content", "reason", "expected"),
    [
        (encode(picture(mode="CMYK")), "JPEG of mode CMYK", picture()),
        (encode(FEW, "PNG"), "PNG of mode P", FEW.convert("RGB")),
        (encode(BLOCKS, "PNG"), "PNG of mode 1", BLOCKS.convert("L")),
        (encode(picture(), "WEBP", lossless=True), "WEBP file", picture()),
        (encode(picture(), "BMP"), "BMP file", picture()),
        (encode(picture(mode="L"), "TIFF"), "TIFF file", picture(mode="L")),
        (encode(picture(), "PPM"), "PPM file", picture()),
        (animated("WEBP"), "WEBP file", picture(1)),
        (animated("PNG"), "animated PNG", picture(1)),
        (animated("GIF"), "GIF file", picture(1)),
        (animated("MPO"), "MPO file", picture(1)),
    ],
)
def test_odd_images_become_plain_jpegs_or_are_bad(content, reason, expected):
    found = clean(content, DEFAULTS)
    assert (found.converted, found.mode) == (reason, expected.mode)
    assert Image.open(BytesIO(found.encoded)).format == "JPEG"
    assert near(found.encoded, expected, most=12 if reason == "GIF file" else 4)
    with pytest.raises(BadImageError, match=reason):
        clean(content, Cleaning(odd_images="bad"))


def test_transparency_lies_over_white():
    image = picture(mode="RGBA")
    alpha = np.zeros((64, 96), np.uint8)
    alpha[:, 48:] = 255
    image.putalpha(Image.fromarray(alpha))
    found = pixels(clean(encode(image, "PNG"), DEFAULTS).encoded).astype(int)
    assert found[:, :40].min() > 250
    assert np.abs(found[:, 56:] - np.asarray(picture()).astype(int)[:, 56:]).mean() < 4
    flat = Image.new("RGB", (8, 8), (10, 20, 30))
    assert pixels(clean(encode(flat, "PNG", transparency=(10, 20, 30)), DEFAULTS).encoded).min() > 250


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_keep_their_high_byte(kind):
    values = np.tile(np.linspace(0, 65535, 32).astype(np.uint16), (32, 1))
    found = clean(encode(Image.fromarray(values), kind), Cleaning(quality=100))
    assert found.mode == "L"
    assert np.abs(pixels(found.encoded).astype(int) - values // 256).max() <= 2


def test_sixteen_bits_of_colour_are_stored_as_they_are():
    values = np.random.default_rng(1).integers(0, 65536, (8, 9, 3)).astype(">u2")
    content = png(9, 8, 16, 2, b"".join(b"\0" + row.tobytes() for row in values))
    found = clean(content, DEFAULTS)
    assert (found.encoded, found.mode, found.size) == (content, "RGB", (8, 9))
    np.testing.assert_array_equal(pixels(content), values // 256)


def test_float_pixels_have_no_range():
    with pytest.raises(BadImageError, match="TIFF of mode F: pixels of no agreed range"):
        clean(encode(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), DEFAULTS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty: 0 bytes"),
        (None, "empty: 0 bytes"),
        (b"<html>not found</html>", "no image of a known format: starts with b'<html>not found<'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a known format"),
        (jpeg(size=(200, 200))[:-300], "damaged or truncated: "),
        (encode(picture(size=(200, 200)), "PNG")[:-300], "damaged or truncated: "),
        (encode(picture(), "WEBP")[:-100], ""),
        (encode(picture(), "PNG").replace(b"IDAT", b"XDAT"), ""),
        (bomb(), "60000x60000 pixels, more than max_pixels=100000000"),
    ],
)
def test_bad_images_have_a_reason(content, reason):
    with pytest.raises(BadImageError) as caught:
        clean(content, DEFAULTS)
    assert str(caught.value).startswith(reason)


def with_text(size, kind="text"):
    """A PNG whose text, or colour profile, unpacks to so many bytes."""
    if kind == "profile":
        return encode(picture(), "PNG", icc_profile=b"x" * size)
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "x" * size, zip=True)
    return encode(picture(), "PNG", pnginfo=info)


@pytest.mark.parametrize("kind", ["text", "profile"])
def test_a_sound_png_may_carry_a_large_text(kind):
    content = with_text(2_000_000, kind)
    assert clean(content, DEFAULTS).encoded == content
    assert decode(content, "RGB").pixels.shape == (64, 96, 3)
    with pytest.raises(BadImageError, match="a text or colour profile of more than 64 MiB"):
        clean(with_text((64 << 20) + 1, kind), DEFAULTS)


def test_the_limit_of_pixels_is_ours():
    with pytest.raises(BadImageError, match="96x64 pixels, more than max_pixels=6143"):
        clean(jpeg(), Cleaning(max_pixels=6143))
    assert clean(jpeg(), Cleaning(max_pixels=6144)).encoded == jpeg()
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = 100
    try:
        assert clean(jpeg(), DEFAULTS).encoded == jpeg()
        assert Image.MAX_IMAGE_PIXELS == 100
    finally:
        Image.MAX_IMAGE_PIXELS = before


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_images_are_scaled_down(kind):
    image = picture(size=(640, 400))
    found = clean(encode(image, kind), Cleaning(short_side=50))
    assert (found.size, found.converted) == ((50, 80), "")
    assert near(found.encoded, image.resize((80, 50), Image.Resampling.BICUBIC))


def test_small_images_are_never_scaled_up():
    assert clean(jpeg(), Cleaning(short_side=64)).encoded == jpeg()
    assert clean(jpeg(), Cleaning(short_side=100)).encoded == jpeg()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_scaling_makes_images_upright(orientation):
    found = clean(turned(orientation), Cleaning(short_side=32))
    oracle = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # numbers of Pillow's transpositions
    upright = picture().resize((48, 32), Image.Resampling.BICUBIC)
    if orientation > 1:
        upright = upright.transpose(Image.Transpose(oracle[orientation]))
    assert near(found.encoded, upright)
    assert found.size == (upright.height, upright.width)
    assert Image.open(BytesIO(found.encoded)).getexif().get(0x0112, 1) == 1


def test_converted_images_are_upright():
    found = clean(turned(6, "WEBP"), DEFAULTS)
    assert near(found.encoded, picture().transpose(Image.Transpose.ROTATE_270))


def test_a_lower_quality_makes_smaller_files():
    large = encode(picture(size=(300, 300)), "BMP")
    assert len(clean(large, Cleaning(quality=30)).encoded) < len(clean(large, Cleaning(quality=95)).encoded)


def test_damage_anywhere_is_an_image_or_a_reason():
    """Bytes are overwritten at random places; whatever Pillow makes of them, nothing else escapes."""
    random = np.random.default_rng(0)
    whole = {kind: np.frombuffer(encode(picture(), kind), np.uint8) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP")}
    bad = 0
    for content in whole.values():
        for _ in range(60):
            damaged = content.copy()
            damaged[random.integers(0, len(damaged), 6)] = random.integers(0, 256, 6)
            try:
                clean(damaged.tobytes(), Cleaning(short_side=8))
            except BadImageError:
                bad += 1
    assert bad > 60


def test_settings_are_checked():
    for settings in (
        {"odd_images": "drop"},
        {"max_pixels": 0},
        {"max_pixels": 10**9},
        {"quality": 0},
        {"short_side": -1},
    ):
        with pytest.raises(DataError):
            Cleaning(**settings)
