"""Small images made with Pillow, files written with it, and what a prepared folder holds as a plain reader sees it."""

from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image


def picture(seed=0, size=(24, 16), mode="RGB"):
    """A picture whose neighbouring pixels resemble each other; ``size`` is width and height."""
    coarse = np.random.default_rng(seed).integers(60, 196, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


def encode(image, kind="JPEG", **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(seed=0, **options):
    return encode(picture(seed, **options))


def pixels(content):
    return np.asarray(Image.open(BytesIO(content)))


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def stored(manifest):
    """Return (name, labels, split, bytes) of every row, read without the project's readers."""
    rows = []
    for shard in manifest.shards:
        index = pd.read_parquet(manifest.folder / shard.file)
        content = (manifest.folder / shard.packed.file).read_bytes()
        for row in index.itertuples():
            names = [manifest.labels[label] for label in row.labels]
            rows.append((row.name, names, row.split, content[row.offset : row.offset + row.length]))
    return rows
