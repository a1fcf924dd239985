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


def thumbnail(encoded: Encoded, name: str) -> Html:
    """Return a small copy of an image inside the page, or why there is none; ``name`` is plain text."""
    try:
        picture = Image.fromarray(decode(encoded, "RGB").pixels)
    except ImageError as error:
        return left_out(name, f"It {error}.")
    picture.thumbnail((_SIDE, _SIDE))
    small = BytesIO()
    picture.save(small, "JPEG", quality=_QUALITY)
    content = base64.b64encode(small.getvalue()).decode()
    size = f'width="{picture.width}" height="{picture.height}"'
    return Html(f'<img alt="{escaped(name)}" {size} src="data:image/jpeg;base64,{content}">')
