"""One image file looked at before it is stored: kept as it is, made into a plain JPEG, or found bad.

| image | stored |
|---|---|
| JPEG or PNG, RGB or grey with 8 bits, one picture, no transparency | its own bytes |
| other formats; CMYK, palette, 1 bit, alpha, 16 bit grey; animations; broken EXIF | first picture as a JPEG |
| empty; no image; truncated or damaged; more than ``max_pixels``; float or 32-bit pixels | bad |
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Literal, get_args

from PIL import Image, ImageOps

from ...common.errors import DataError, did_you_mean
from ..image_files import JPEG_START, MOST_TEXT_BYTES, open_image

Odd = Literal["convert", "bad"]
_KEPT = ("JPEG", "PNG")
_EXIF_ORIENTATION = 0x0112
_DECODABLE = 178_956_970
"""More pixels than this Pillow decodes for nobody who has not told it to, so training does not either."""
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange height and width."""


class BadImageError(Exception):
    """An image that cannot be used; the message is the reason."""


@dataclass(frozen=True)
class Cleaning:
    """How images are checked and stored.

    Attributes:
        short_side: scale images down until their short side has so many pixels; None keeps sizes. Never up.
        quality: of the JPEGs that are made.
        max_pixels: most pixels of an image; larger ones are not decoded.
        odd_images: make plain JPEGs of images that training cannot use directly, or find them bad.
    """

    short_side: int | None = None
    quality: int = 95
    max_pixels: int = 100_000_000
    odd_images: Odd = "convert"

    def __post_init__(self) -> None:
        if self.short_side is not None and self.short_side < 1:
            raise DataError(f"short_side must be at least 1 pixel, got {self.short_side}")
        if not 1 <= self.quality <= 100:
            raise DataError(f"quality must be in 1 .. 100, got {self.quality}")
        if self.max_pixels < 1:
            raise DataError(f"max_pixels must be at least 1, got {self.max_pixels}")
        if self.max_pixels > _DECODABLE and self.short_side is None:
            raise DataError(f"max_pixels above {_DECODABLE} needs short_side: training decodes no larger images")
        if self.odd_images not in get_args(Odd):
            raise DataError(f"odd_images: {self.odd_images!r}{did_you_mean(self.odd_images, get_args(Odd))}")


@dataclass(frozen=True)
class Clean:
    """An image to store.

    Attributes:
        encoded: the file's bytes.
        mode: "L" or "RGB".
        size: (height, width) in pixels, upright.
        converted: why it is not the file that came; "" if it is, or was only resized.
    """

    encoded: bytes
    mode: str
    size: tuple[int, int]
    converted: str = ""


def clean(content: bytes | None, rules: Cleaning) -> Clean:
    """Return what to store of an image file; decodes all of it, about 2 ms for 500x375 pixels.

    Raises:
        BadImageError: with the reason.
    """
    if not content:
        raise BadImageError("empty: 0 bytes")
    with _our_pixel_limit():
        try:
            with open_image(content) as image:
                return _clean(content, image, rules)
        except BadImageError:
            raise
        except Image.UnidentifiedImageError:
            raise BadImageError(f"no image of a known format: starts with {content[:16]!r}") from None
        except Exception as error:  # on damaged bytes Pillow's readers raise errors of nearly any class
            if "MAX_TEXT" in str(error):
                raise BadImageError(f"a text or colour profile of more than {MOST_TEXT_BYTES >> 20} MiB") from None
            raise BadImageError(f"damaged or truncated: {error or type(error).__name__}") from None


def plain(content: bytes, rules: Cleaning) -> bytes:
    """Return the bytes that ``clean`` would store, for one who decodes them; of plain images only the header is read.

    Raises:
        BadImageError: with the reason.
    """
    if content[:3] == JPEG_START:
        return content
    with suppress(Exception), open_image(content) as image:
        if not _oddity(image) and image.width * image.height <= rules.max_pixels:
            return content
    return clean(content, rules).encoded


def _clean(content: bytes, image: Image.Image, rules: Cleaning) -> Clean:
    width, height = image.size
    if width * height > rules.max_pixels:
        raise BadImageError(f"{width}x{height} pixels, more than max_pixels={rules.max_pixels}")
    odd, turned = _oddity(image), _orientation(image)
    if odd and rules.odd_images == "bad":
        raise BadImageError(odd)
    scale = 1.0 if rules.short_side is None else rules.short_side / min(width, height)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1 and image.format == "JPEG":
        image.draft(None, (2 * small[0], 2 * small[1]))  # decodes at 1/2, 1/4 or 1/8, never below twice the target
    image.load()
    if not odd and scale >= 1:
        return Clean(content, image.mode, (width, height) if turned in _TURNED else (height, width))
    plain = _plain(image)
    if scale < 1:
        plain = plain.resize(small, Image.Resampling.BICUBIC)
    if turned is not None and turned != 1:
        plain.getexif()[_EXIF_ORIENTATION] = turned
        plain = ImageOps.exif_transpose(plain)
    buffer = BytesIO()
    plain.save(buffer, "JPEG", quality=rules.quality)
    return Clean(buffer.getvalue(), plain.mode, (plain.height, plain.width), odd)


def _oddity(image: Image.Image) -> str:
    """Return why training cannot use a file directly, as the header tells; "" when it can."""
    if image.format not in _KEPT:
        return f"{image.format} file"
    if getattr(image, "n_frames", 1) > 1:
        return f"animated {image.format}"
    if image.mode not in ("RGB", "L"):
        return f"{image.format} of mode {image.mode}"
    if "transparency" in image.info:
        return f"{image.format} with transparency"
    return "broken EXIF" if _orientation(image) is None else ""


def _orientation(image: Image.Image) -> int | None:
    """Return the EXIF orientation, 1 when there is none, None when the EXIF data cannot be read."""
    with suppress(Exception):
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    return None


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture as RGB or L: transparency over white, 16 bits to 8 by their high byte."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in ("I", "F"):
        raise BadImageError(f"{image.format} of mode {image.mode}: pixels of no agreed range")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("L" if grey else "RGB")


@contextmanager
def _our_pixel_limit() -> Iterator[None]:
    """Set Pillow's own limit aside: ``max_pixels`` is checked before anything is decoded."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
