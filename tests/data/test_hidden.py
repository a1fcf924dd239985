"""A prepared data set written again without some of its positives."""

import numpy as np
import pytest

from d2ace.pipeline import cli
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.hidden import hidden_entries, with_hidden_positives
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels, read_splits
from d2ace.selectors.common.label_matrix import LabelMatrix


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return digit_scenes.build(tmp_path_factory.mktemp("data") / "digits", rows=600, label_noise=0.0)


def test_positives_are_hidden_but_for_those_of_test_rows(digits, tmp_path):
    new = with_hidden_positives(digits.folder, tmp_path / "hidden", 0.5)
    before, after = read_labels(digits).dense(), read_labels(new).dense()
    test = read_splits(digits) == SPLITS.index("test")
    np.testing.assert_array_equal(read_splits(new), read_splits(digits))
    np.testing.assert_array_equal(after[test], before[test])
    gone = before != after
    assert (before[gone] == 1).all() and gone[~test].sum() / before[~test].sum() == pytest.approx(0.5, abs=0.05)
    assert new.label_counts == tuple(after.sum(axis=0).astype(int)) and new.fingerprint() != digits.fingerprint()
    told = f"{gone.sum()} positives of training and validation rows, each with chance 0.5, seed 0"
    assert new.filters["hidden positives"] == told
    assert (new.folder / new.shards[0].packed.file).samefile(digits.folder / digits.shards[0].packed.file)


def test_the_seed_decides_which_and_a_larger_share_hides_more_of_the_same(digits, tmp_path):
    folders = {"half": (0.5, 0), "again": (0.5, 0), "more": (0.7, 0), "other": (0.5, 1)}
    left = {
        name: read_labels(with_hidden_positives(digits.folder, tmp_path / name, share, seed=seed)).dense()
        for name, (share, seed) in folders.items()
    }
    np.testing.assert_array_equal(left["half"], left["again"])
    assert (left["more"] <= left["half"]).all() and left["more"].sum() < left["half"].sum()
    assert (left["other"] != left["half"]).any()


def test_what_is_hidden_becomes_what_is_not_listed():
    labels = LabelMatrix.of(np.array([[1, 0.8, 0.3], [0.9, 0, np.nan]], np.float32))
    hidden = labels.without(hidden_entries(labels, np.array([True, True]), 0.999999, 0))
    np.testing.assert_array_equal(hidden.dense(), np.array([[0, 0, 0.3], [0, 0, np.nan]], np.float32))
    partial = LabelMatrix(LabelMatrix.of(np.eye(2)).values, None, "unknown", np.array([1, 2], np.uint8))
    known = partial.without(np.array([True, False]))
    assert known.known().tolist() == [[False, False], [False, True]] and known.value_origins.tolist() == [2]


def test_wrong_shares_and_data_without_test_rows_are_refused(digits, tmp_path):
    for share in (0.0, 1.0, -0.2):
        with pytest.raises(DataError, match=f"above 0 and below 1, got {share:g}"):
            with_hidden_positives(digits.folder, tmp_path / "new", share)
    alone = tmp_path / "alone"
    with ShardWriter(alone, kind="dense", labels=["a"], n_features=1) as writer:
        writer.write(Rows(np.zeros((5, 1), np.float32), LabelMatrix.of(np.ones((5, 1))), np.zeros(5, np.int8)))
    with pytest.raises(DataError, match="no rows are marked as test rows"):
        with_hidden_positives(alone, tmp_path / "new", 0.5)
    assert not (tmp_path / "new").exists()


def test_the_command_hides_positives_and_refuses_other_options(digits, tmp_path, capsys):
    out = tmp_path / "new"
    assert cli.main(["prepare", str(digits.folder), str(out), "--hide-positives", "0.5"]) == 0
    assert "filter hidden positives: " in capsys.readouterr().out and Manifest.load(out).rows == 600
    assert cli.main(["prepare", str(digits.folder), str(out), "--hide-positives", "0.5", "--kind", "dense"]) == 2
    assert "a prepared data set with --hide-positives takes no --kind" in capsys.readouterr().err
