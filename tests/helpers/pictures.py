"""Pictures that look like photographs to a codec, and image files of every kind."""

from io import BytesIO

import numpy as np
from PIL import Image

from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.manifest_parts import ImageHint, PackedFile, Shard


def smooth(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Return uint8 (height, width, 3), or (height, width) of one channel: blobs with a little noise."""
    random = np.random.default_rng(seed)
    blobs = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(blobs).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    picture = (picture + random.integers(-6, 7, picture.shape)).clip(0, 255).astype(np.uint8)
    return picture if channels == 3 else picture[:, :, 0]


def file_of(pixels: np.ndarray | Image.Image, kind: str = "JPEG", **options) -> bytes:
    """Return an image file's bytes."""
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def manifest_of(mode: str = "RGB", *size: int) -> Manifest:
    """Return the manifest of a data set of images."""
    shard = Shard("shard.parquet", 1, "0" * 64, PackedFile("shard.bin", 1, "0" * 64))
    return Manifest("image", 1, ("a",), (0,), {"": 1}, (shard,), image=ImageHint(mode, *size))
