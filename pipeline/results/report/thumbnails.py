"""Small copies of images that lie in a page."""

import base64
from io import BytesIO

from PIL import Image

from ...feeds.images.decode import Encoded, ImageError, decode
from .markup import Html, escaped
from .page import left_out

_SIDE = 160
"""Longest side in pixels."""
_QUALITY = 80


def small_jpeg(encoded: Encoded) -> bytes:
    """Return a small copy of an image as a JPEG file.

    Raises:
        ImageError: when it cannot be decoded.
    """
    return _small(encoded)[0]


def thumbnail(encoded: Encoded, name: str) -> Html:
    """Return a small copy of an image inside the page, or why there is none; ``name`` is plain text."""
    try:
        content, (width, height) = _small(encoded)
    except ImageError as error:
        return left_out(name, f"It {error}.")
    source = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
    return Html(f'<img alt="{escaped(name)}" width="{width}" height="{height}" src="{source}">')


def _small(encoded: Encoded) -> tuple[bytes, tuple[int, int]]:
    """Return a small copy as a JPEG file, and its width and height."""
    picture = Image.fromarray(decode(encoded, "RGB").pixels)
    picture.thumbnail((_SIDE, _SIDE))
    small = BytesIO()
    picture.save(small, "JPEG", quality=_QUALITY)
    return small.getvalue(), picture.size
