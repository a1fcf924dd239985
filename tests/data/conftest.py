"""Small prepared data sets of every kind, with the arrays they were made from."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.sparse import csr_array, random_array

from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.manifest_parts import ImageHint
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.selectors.common.label_matrix import LabelMatrix


@dataclass
class Prepared:
    """A prepared data set and what went into it."""

    manifest: Manifest
    features: np.ndarray
    labels: np.ndarray
    split: np.ndarray


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def png() -> Callable[..., bytes]:
    """Encode uint8 pixels as an image file."""
    return encode


@pytest.fixture
def make_prepared(tmp_path: Path) -> Callable[..., Prepared]:
    """Write N random rows of a kind in several chunks and several shards."""

    def make(
        kind: str = "dense", rows: int = 50, shard_rows: int = 16, name: str = "set", folder=None, **options
    ) -> Prepared:
        random = np.random.default_rng(7)
        labels = (random.random((rows, 5)) < 0.3).astype(np.uint8)
        labels[:3] = 0
        split = random.integers(0, 4, rows).astype(np.int8)
        facts: dict = {"n_features": 6}
        if kind == "image":
            features = random.integers(0, 256, (rows, 4, 6), dtype=np.uint8)
            facts = {"image": ImageHint("L", 4, 6)}
            stored = [encode(picture) for picture in features]
        elif kind == "sparse":
            stored = csr_array(random_array((rows, 6), density=0.3, format="csr", dtype=np.float32, random_state=3))
            features = stored.toarray()
        else:
            features = stored = random.normal(size=(rows, 6)).astype(np.float32)
        names = [f"l{index}" for index in range(5)]
        with ShardWriter(
            folder or tmp_path / name, kind=kind, labels=names, shard_rows=shard_rows, **facts, **options
        ) as writer:
            for start in range(0, rows, 20):
                here = slice(start, start + 20)
                writer.write(Rows(stored[here], LabelMatrix.of(labels[here]), split[here]))
        return Prepared(writer.manifest, features, labels, split)

    return make
