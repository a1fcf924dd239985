"""Photographs of many sizes through everything that uses them: feeds, scaler, thumbnails, a run, its predictions."""

import numpy as np
import pytest
import torch
from pictures import file_of, smooth

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.data.manifest_parts import ImageHint
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.api import prefetch
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.inputs import input_shape, make_inputs, statistics_of
from d2ace.pipeline.feeds.neighbour_features import selection_features
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.run_data import make_run_data
from d2ace.pipeline.training.local_run import LocalRun, Prepared
from d2ace.selectors.common.label_matrix import LabelMatrix

N_ROWS = 60
AUGMENTED = ["images.random_crop_scale=[0.3,1]", "images.flip=0.5", "images.brightness=0.3", "images.cutout=0.3"]


def write(folder, encoded, mode="RGB"):
    labels = LabelMatrix.of((np.random.default_rng(0).random((len(encoded), 3)) < 0.4).astype(np.uint8))
    split = np.arange(len(encoded)) % 4 // 2 + 1  # half train, half validation
    split[::5] = 3
    facts = {"kind": "image", "labels": ["a", "b", "c"], "image": ImageHint(mode), "shard_rows": 16}
    with ShardWriter(folder, **facts) as writer:
        writer.write(Rows(encoded, labels, split.astype(np.int8)))
    return writer.manifest


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    encoded = [file_of(smooth(20 + k % 7, 30 - k % 5, seed=k)) for k in range(N_ROWS)]
    return write(tmp_path_factory.mktemp("photos") / "set", encoded)


def configured(manifest, *overrides):
    values = {
        "data": {"path": str(manifest.folder)},
        "images": {"size": [16, 12]},
        "model": {"name": "small-cnn"},
        "selector": {"name": "uniform"},
        "train": {"epochs": 2, "batch_size": 8},
    }
    return Config.make(values).with_overrides(overrides)


def data_of(manifest, *overrides):
    config = configured(manifest, *overrides)
    return config, make_run_data(config, read_labels(manifest), ShardRows(manifest))


@pytest.mark.parametrize("ahead", [0, 4])
def test_the_feed_gives_the_same_bits_with_any_number_of_threads(photos, ahead):
    config, data = data_of(photos, *AUGMENTED)
    draws = np.random.default_rng(1).integers(N_ROWS, size=100)
    requests = [Request(draws[at : at + 7], 3, at) for at in range(0, 100, 7)]

    def parts(threads):
        inputs = make_inputs(config, photos, data.scaler, threads)
        feed = GatherFeed(ShardRows(photos).open(), inputs, torch.device("cpu"))
        return list(feed.parts(requests, ahead))

    one, four = parts(1), parts(4)
    for a, b, request in zip(one, four, requests, strict=True):
        assert torch.equal(a.features, b.features) and torch.equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.ids, request.ids)
        assert a.features.shape == (len(request.ids), 3, 16, 12)
    np.testing.assert_array_equal(torch.cat([a.labels for a in one]), read_labels(photos).dense(draws))


def test_a_broken_image_names_its_row_and_where_it_lies(tmp_path):
    encoded = [file_of(smooth(9, 9, seed=k)) for k in range(20)]
    encoded[17] = encoded[17][:200]
    broken = write(tmp_path / "broken", encoded)
    config, data = data_of(broken, "data.scale=none")
    feed = GatherFeed(ShardRows(broken).open(), make_inputs(config, broken, data.scaler, 4), torch.device("cpu"))
    with pytest.raises(DataError, match=r"the image of row 17 \(in shard-00001.bin\) cannot be decoded: Truncated"):
        list(feed.parts([Request(np.array([3, 17, 4]))]))


def test_the_scaler_is_that_of_what_evaluation_sees(photos):
    _, data = data_of(photos, *AUGMENTED)
    config, plain = data_of(photos)
    inputs = make_inputs(config, photos, plain.scaler)
    rows = ShardRows(photos).open().gather(plain.splits.train)
    pixels = inputs.stored(rows, Request(rows.ids)).double() / 255
    np.testing.assert_allclose(plain.scaler.offset, pixels.mean((0, 2, 3)), rtol=1e-9)
    np.testing.assert_allclose(1 / plain.scaler.factor, pixels.std((0, 2, 3), correction=0), rtol=1e-9)
    assert data.scaler.to_dict() == plain.scaler.to_dict()


def test_the_scaler_is_fitted_on_some_rows_of_many(photos, monkeypatch):
    seen = []

    def noted(reader, ids, images=None):
        seen.extend(ids.tolist())
        return statistics_of(reader, ids, images)

    monkeypatch.setattr("d2ace.pipeline.feeds.all_rows.statistics_of", noted)
    _, data = data_of(photos, "images.statistics_rows=10")
    assert len(seen) == len(set(seen)) == 10 and set(seen) <= set(data.splits.train.tolist())
    again, other = [list(seen)], seen
    other.clear()
    data_of(photos, "images.statistics_rows=10", "run.seed=1")
    assert sorted(other) != sorted(again[0])
    other.clear()
    data_of(photos, f"images.statistics_rows={len(data.splits.train)}")
    assert other == sorted(data.splits.train.tolist())


@pytest.mark.parametrize("scale", ["none", "imagenet"])
def test_fixed_scales_read_no_image(photos, scale, monkeypatch):
    monkeypatch.setattr("d2ace.pipeline.feeds.all_rows.statistics_of", None)
    assert data_of(photos, f"data.scale={scale}")[1].scaler.kind == scale


def test_the_network_gets_the_size_that_is_set(photos):
    assert data_of(photos, "images.size=20")[1].context.input_shape == (3, 20, 20)
    with pytest.raises(ConfigError, match="no common size: set images"):
        data_of(photos, "images.size=null")


def test_a_run_learns_from_augmented_photographs_and_repeats_itself(photos):
    def trained(*overrides):
        prepared = Prepared(ShardRows(photos), read_labels(photos))
        run = LocalRun(configured(photos, *overrides), prepared)
        for epoch in range(2):
            run.epoch(epoch)
        return run.predict("test")[0]

    first = trained(*AUGMENTED)
    np.testing.assert_array_equal(first, trained(*AUGMENTED, "images.threads=3"))
    assert not np.array_equal(first, trained())


def test_thumbnails_do_not_know_augmentation(photos):
    features = []
    for overrides in (AUGMENTED, []):
        config, data = data_of(photos, *overrides)
        inputs = make_inputs(config, photos, data.scaler)
        features.append(selection_features(ShardRows(photos), inputs, np.arange(N_ROWS)))
    np.testing.assert_array_equal(*features)
    assert features[0].shape == (N_ROWS, 3 * 64)


def test_image_settings_are_refused_for_tables(tmp_path):
    with ShardWriter(tmp_path / "table", kind="dense", labels=["a"], n_features=2) as writer:
        writer.write(Rows(np.ones((8, 2), np.float32), LabelMatrix.of(np.ones((8, 1), np.uint8)), np.ones(8, np.int8)))
    table = writer.manifest
    words = r"images.size, images.flip: .*table holds dense features, not images"
    with pytest.raises(ConfigError, match=words):
        data_of(table, "images.flip=0.5")
    with pytest.raises(ConfigError, match=r"data.scale=imagenet: .* holds dense features"):
        data_of(table, "images.size=null", "data.scale=imagenet")
    assert input_shape(configured(table, "images.size=null").images, table) == (2,)


def test_threads_of_a_worker(photos, monkeypatch):
    monkeypatch.setattr("d2ace.pipeline.feeds.inputs.usable_cpus", lambda: 12)
    for overrides, threads in [
        ([], 12),
        (["run.workers=4"], 3),
        (["run.workers=4", "run.cpus_per_worker=2"], 2),
        (["run.cpus_per_worker=0.5"], 1),
        (["run.cpus_per_worker=2", "images.threads=5"], 5),
    ]:
        config, data = data_of(photos, "data.scale=none", *overrides)
        images = make_inputs(config, photos, data.scaler).images
        assert images is not None and images.threads == threads


def test_making_ahead_keeps_order_bounds_what_is_ready_and_raises_in_place():
    made = []

    def make(item):
        made.append(item)
        if item == 7:
            raise DataError("seven")
        return item * 10

    ahead = prefetch(make, range(20), 3, makers=2)
    assert [next(ahead) for _ in range(3)] == [0, 10, 20]
    assert len(made) <= 6 + 1
    assert [next(ahead) for _ in range(4)] == [30, 40, 50, 60]
    with pytest.raises(DataError, match="seven"):
        next(ahead)
    assert max(made) < 12
    left = prefetch(make, range(7), 2)
    next(left)
    left.close()  # ends without making the rest
    assert list(prefetch(str, range(3), 0)) == list(prefetch(str, range(3), 9, 3)) == ["0", "1", "2"]
