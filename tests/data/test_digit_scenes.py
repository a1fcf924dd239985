import numpy as np
import pytest

from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.digit_scenes import build
from d2ace.pipeline.data.shards import read_labels, read_shard, read_splits
from d2ace.pipeline.data.verification import verify
from d2ace.pipeline.feeds.image_transform import ImageTransform
from d2ace.pipeline.feeds.request import Request


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return build(tmp_path_factory.mktemp("digits") / "set", rows=2000)


def pictures(manifest):
    reader = BlockReader([read_shard(manifest, number) for number in range(len(manifest.shards))], manifest)
    rows = reader.gather(np.arange(manifest.rows))
    transform = ImageTransform(ImagesSection(), manifest.image, seed=0, threads=1)
    return transform.pixels(rows.images, Request(rows.ids), manifest)


def test_it_is_a_prepared_image_set(manifest):
    verify(manifest)
    assert manifest.kind == "image"
    assert (manifest.image.mode, manifest.image.height, manifest.image.width) == ("L", 32, 32)
    assert manifest.labels == tuple("0123456789")
    assert manifest.splits == {"": 0, "train": 1400, "validation": 200, "test": 400}
    assert "label noise on training rows only" in manifest.source
    decoded = pictures(manifest)
    assert decoded.shape == (2000, 1, 32, 32)
    assert decoded.max(axis=(1, 2, 3)).mean() > 120


def test_label_frequencies_have_a_long_tail_and_pairs_correlate(manifest):
    labels = read_labels(manifest).dense().astype(float)
    shares = np.sort(labels.mean(axis=0))[::-1]
    assert shares[0] > 0.6
    assert shares[-1] < 0.08
    order = digit_scenes.RARITY_ORDER
    correlation = np.corrcoef(labels.T)
    pairs = [correlation[order[index], order[index + 1]] for index in range(0, 10, 2)]
    assert min(pairs) > 0.1
    others = [correlation[order[a], order[b]] for a in range(10) for b in range(10) if a // 2 != b // 2]
    assert max(others) < 0.1


def test_one_to_five_digits_without_noise(tmp_path):
    clean = build(tmp_path / "set", rows=500, label_noise=0.0)
    counts = read_labels(clean).dense().sum(axis=1)
    assert counts.min() == 1
    assert counts.max() == 5


def test_noise_moves_training_labels_only(tmp_path):
    clean, noisy = (build(tmp_path / str(noise), rows=1000, label_noise=noise) for noise in (0.0, 0.2))
    np.testing.assert_array_equal(pictures(clean), pictures(noisy))
    before, after = read_labels(clean).dense(), read_labels(noisy).dense()
    training = read_splits(clean) == 1
    np.testing.assert_array_equal(before[~training], after[~training])
    np.testing.assert_array_equal(before[training].sum(axis=0), after[training].sum(axis=0))
    moved = ((before == 1) & (after == 0))[training].sum() / before[training].sum()
    assert moved == pytest.approx(0.2, abs=0.01)


def test_it_is_deterministic(tmp_path, manifest):
    again = build(tmp_path / "again", rows=2000)
    assert again.shards == manifest.shards
    assert build(tmp_path / "other", rows=2000, seed=1).shards != manifest.shards


def test_training_and_test_scenes_share_no_digit_image():
    train, validation, test = (set(pool.tolist()) for pool in digit_scenes._pools(0))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert len(train | validation | test) == 1797


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 10}, "rows >= 100"),
        ({"seed": -1}, "seed >= 0"),
        ({"label_noise": 1.5}, r"in \[0, 1\], got 1.5"),
        ({"validation_fraction": 0.6, "test_fraction": 0.5}, "the fractions leave"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        build(tmp_path / "set", **options)
    assert list(tmp_path.iterdir()) == []
