import json

import numpy as np
import pytest
import torch

from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.scaler import Scaler, ScalerStatistics, of_array
from d2ace.pipeline.data.shards import read_shard
from d2ace.pipeline.feeds import inputs as module
from d2ace.pipeline.feeds.image_transform import ImageTransform
from d2ace.pipeline.feeds.inputs import statistics_of

RANDOM = np.random.default_rng(0)
TABLE = (RANDOM.normal(size=(400, 5)) * [1, 10, 100, 1e-3, 1] + [0, 5, 1e4, 0, 0]).astype(np.float32)
TABLE[:, 4] = 3.25


def merged(x, cuts):
    return ScalerStatistics.merge([of_array(part) for part in np.split(x, cuts)])


def test_merged_statistics_equal_those_of_the_whole():
    statistics = merged(TABLE, [0, 1, 17, 17, 390])
    exact = TABLE.astype(np.float64)
    assert statistics.count == 400
    np.testing.assert_allclose(statistics.mean, exact.mean(0), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(statistics.squares / 400, exact.var(0), rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(statistics.minimum, exact.min(0))
    np.testing.assert_array_equal(statistics.maximum, exact.max(0))


def test_minmax_maps_training_rows_to_the_unit_interval():
    scaled = Scaler.from_statistics("minmax", of_array(TABLE)).transform(TABLE)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[:, :4].min(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled[:, :4].max(0), 1, atol=1e-6)


def test_standard_gives_mean_zero_and_variance_one():
    scaled = Scaler.from_statistics("standard", of_array(TABLE)).transform(TABLE).astype(np.float64)
    np.testing.assert_allclose(scaled[:, :4].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled[:, :4].var(0), 1, atol=1e-3)


@pytest.mark.parametrize("kind", ["minmax", "standard"])
def test_constant_features_become_zero(kind):
    scaler = Scaler.from_statistics(kind, merged(TABLE, [100]))
    assert (scaler.transform(TABLE)[:, 4] == 0).all()
    assert (scaler.transform(TABLE + 1)[:, 4] == 0).all()


def test_none_changes_nothing():
    np.testing.assert_array_equal(Scaler.from_statistics("none", of_array(TABLE)).transform(TABLE), TABLE)


def test_images_are_scaled_for_each_channel():
    images = RANDOM.integers(0, 256, (20, 3, 4, 5), dtype=np.uint8)
    images[:, 1] //= 4
    images[:, 2] = 9
    statistics = ScalerStatistics.merge([of_array(images[:7]), of_array(images[7:])])
    exact = images.astype(np.float64).transpose(1, 0, 2, 3).reshape(3, -1) / 255
    np.testing.assert_allclose(statistics.mean, exact.mean(1), rtol=1e-12)
    np.testing.assert_allclose(statistics.squares / statistics.count, exact.var(1), rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(statistics.minimum, exact.min(1))
    np.testing.assert_array_equal(statistics.maximum, exact.max(1))
    levels = torch.from_numpy(images)
    scaled = Scaler.from_statistics("standard", statistics).scale_levels(levels.float()).numpy()
    assert scaled.shape == images.shape and scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[:, :2].std(axis=(0, 2, 3)), 1, atol=1e-4)
    assert (scaled[:, 2] == 0).all()
    for plain in (Scaler.from_statistics("none", statistics), Scaler.of_images("none", 3)):
        np.testing.assert_allclose(plain.scale_levels(levels.float()), images / 255.0, atol=1e-6)


def test_imagenet_is_the_published_scaling():
    levels = torch.tensor([0.0, 128.0, 255.0]).expand(1, 3, 1, 3).contiguous()
    scaled = Scaler.of_images("imagenet", 3).scale_levels(levels.clone()).double()
    mean, deviation = (np.array(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    np.testing.assert_allclose(scaled[0], (levels[0].numpy() / 255 - mean) / deviation, atol=1e-6)
    assert Scaler.from_dict(Scaler.of_images("imagenet", 3).to_dict()).kind == "imagenet"
    assert Scaler.of_images("standard", 3) is None
    with pytest.raises(DataError, match="imagenet is for colour images"):
        Scaler.of_images("imagenet", 1)


@pytest.mark.parametrize("kind", ["dense", "sparse", "image"])
def test_only_the_rows_asked_for_count(make_prepared, kind, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_VALUES", 20)
    monkeypatch.setattr(module, "CHUNK_IMAGES", 3)
    made = make_prepared(kind)
    reader = BlockReader([read_shard(made.manifest, n) for n in range(len(made.manifest.shards))], made.manifest)
    ids = np.array([1, 4, 9, 16, 25, 36, 49])
    images = ImageTransform(ImagesSection(), made.manifest.image, seed=0) if kind == "image" else None
    statistics = statistics_of(reader, ids, images)
    chosen = made.features[ids].astype(np.float64)
    expected = chosen.mean() / 255 if kind == "image" else chosen.mean(0)
    np.testing.assert_allclose(statistics.mean, expected, rtol=1e-6, atol=1e-9)
    assert statistics.image == (kind == "image")
    assert statistics_of(reader, ids[:0], images).count == 0


@pytest.mark.parametrize("kind", ["none", "minmax", "standard"])
def test_a_stored_scaler_is_the_same_to_the_bit(kind):
    scaler = Scaler.from_statistics(kind, of_array(TABLE))
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.transform(TABLE), scaler.transform(TABLE))


def test_errors():
    statistics = of_array(TABLE)
    with pytest.raises(DataError, match="unknown scaler 'minmux'; did you mean 'minmax'"):
        Scaler.from_statistics("minmux", statistics)
    with pytest.raises(DataError, match="no training rows"):
        Scaler.from_statistics("minmax", of_array(TABLE[:0]))
    with pytest.raises(DataError, match=r"fitted on features \(n, 5\), got \(2, 3\)"):
        Scaler.from_statistics("minmax", statistics).transform(np.zeros((2, 3), np.float32))
    with pytest.raises(DataError, match=r"fitted on features \(n, 5\), got \(2, 5, 1, 1\)"):
        Scaler.from_statistics("minmax", statistics).scale_levels(torch.zeros(2, 5, 1, 1))
    with pytest.raises(DataError, match=r"fitted on images \(n, 1, H, W\), got \(2, 3, 1, 1\)"):
        Scaler.of_images("none", 1).scale_levels(torch.zeros(2, 3, 1, 1))
    with pytest.raises(DataError, match="do not merge"):
        ScalerStatistics.merge([statistics, of_array(TABLE[:, :2])])
    with pytest.raises(DataError, match="not a stored scaler"):
        Scaler.from_dict({"kind": "minmax"})
