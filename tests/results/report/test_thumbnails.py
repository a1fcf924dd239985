"""Thumbnails of images, in which neighbours are looked for: block by block, wherever the images lie."""

import numpy as np
import pytest

from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.data import digit_scenes, shard_writer
from d2ace.pipeline.data.scaler import Scaler
from d2ace.pipeline.feeds.image_transform import ImageTransform
from d2ace.pipeline.feeds.inputs import Inputs
from d2ace.pipeline.feeds.neighbour_features import selection_features
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.row_store import StoredRows, materialise
from d2ace.pipeline.feeds.shard_rows import ShardRows

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.fixture
def digits(tmp_path, monkeypatch):
    monkeypatch.setitem(shard_writer.SHARD_BYTES, "image", 40_000)
    manifest = digit_scenes.build(tmp_path / "set", rows=200)
    assert len(manifest.shards) > 2
    return manifest


def test_they_are_means_of_cells_in_the_order_asked_for(digits):
    scaler = Scaler("standard", np.array([0.2]), np.array([3.0]), True)
    inputs = Inputs(digits, scaler, ImageTransform(ImagesSection(), digits.image, 0, scaler, threads=1))
    rows, ids = ShardRows(digits), np.random.default_rng(0).permutation(200)[:150]
    found = rows.open().gather(ids)
    pixels = inputs.images.pixels(found.images, Request(ids), digits)[:, 0] / 255.0
    means = pixels.reshape(150, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(150, 64)
    here = selection_features(rows, inputs, ids)
    np.testing.assert_allclose(here, (means - 0.2) * 3.0, atol=1e-5)
    stored, indexed = materialise(digits), materialise(digits, images=False)
    for store in (stored, indexed, StoredRows(indexed)):
        np.testing.assert_array_equal(selection_features(store, inputs, ids), here)
