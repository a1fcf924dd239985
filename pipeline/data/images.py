"""Encoded images to uint8 arrays."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from ..errors import DataError
from .manifest import Manifest

Encoded = bytes | memoryview
EXIF_ORIENTATION = 0x0112


def decode_images(
    images: Sequence[Encoded], ids: np.ndarray, manifest: Manifest, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Decode PNG or JPEG bytes with Pillow; cost about 1 ms a 500x375 JPEG, 0.05 ms a 32x32 PNG.

    Args:
        images: n encoded images.
        ids: int64 (n,) row ids, for messages.
        manifest: says which mode and which size the images have.
        size: (height, width) to resize to, bilinear with antialiasing; None keeps the images' own size.

    Returns:
        uint8 (n, C, H, W), C = 1 for grey and 3 for RGB.

    Raises:
        DataError: naming the row whose image cannot be decoded or has another size than the rest.
    """
    hint = manifest.image
    if hint is None:
        raise DataError(f"{manifest.folder}: holds {manifest.kind} features, not images")
    expected = size or ((hint.height, hint.width) if hint.height and hint.width else None)
    result: np.ndarray | None = None
    for place, (encoded, row) in enumerate(zip(images, ids.tolist(), strict=True)):
        pixels = _decode(encoded, row, hint.mode, size, manifest)
        expected = expected or pixels.shape[:2]
        if pixels.shape[:2] != tuple(expected):
            raise DataError(
                f"{manifest.folder}: the image of row {row} is {pixels.shape[0]}x{pixels.shape[1]} (height x width), "
                f"expected {expected[0]}x{expected[1]}: give a size to resize to"
            )
        if result is None:
            result = np.empty((len(images), *expected, hint.channels), np.uint8)
        result[place] = pixels
    if result is None:
        result = np.empty((0, *(expected or (0, 0)), hint.channels), np.uint8)
    return np.ascontiguousarray(result.transpose(0, 3, 1, 2))


def _decode(encoded: Encoded, row: int, mode: str, size: tuple[int, int] | None, manifest: Manifest) -> np.ndarray:
    """Return one image as uint8 (H, W, C), upright."""
    try:
        with Image.open(BytesIO(encoded)) as opened:
            picture: Image.Image = opened
            if opened.format == "JPEG" and opened.getexif().get(EXIF_ORIENTATION, 1) != 1:
                picture = ImageOps.exif_transpose(opened)
            if picture.mode != mode:
                picture = picture.convert(mode)
            if size is not None and picture.size != size[::-1]:
                picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
            pixels = np.asarray(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "not a readable image" if isinstance(error, Image.UnidentifiedImageError) else error
        raise DataError(f"{manifest.folder}: the image of row {row} cannot be decoded: {reason}") from None
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
