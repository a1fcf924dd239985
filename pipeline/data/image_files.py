"""Image files that are opened at all, the same ones when a data set is prepared and when it is decoded for training."""

from functools import cache
from io import BytesIO

from PIL import Image, PngImagePlugin

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "jp2", "avif")
"""Suffixes of files that hold images, in lower case."""
FORMATS = ("JPEG", "PNG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What is opened at all: Pillow knows more, among them some that start other programs."""
JPEG_START = b"\xff\xd8\xff"
"""What every JPEG file begins with."""
MOST_TEXT_BYTES = 64 << 20
"""Bytes of text, or of a colour profile, that a PNG may carry when unpacked. Pillow bears 1 MiB for each, and calls a
sound image broken whose prompt, history or profile is longer; unbounded, a few bytes would unpack to gigabytes."""

PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MOST_TEXT_BYTES


def open_image(content: bytes | memoryview) -> Image.Image:
    """Open an image of one of the ``FORMATS`` with Pillow; reads its header.

    Raises:
        PIL.UnidentifiedImageError: for anything else.
        Exception: of nearly any class, on damaged bytes.
    """
    return Image.open(BytesIO(content), formats=_known_formats())


@cache
def _known_formats() -> tuple[str, ...]:
    """Return those of the formats that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)
