"""The summary of a prepared data set: what metrics rest on, what looks odd, and its text."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_array

from d2ace.pipeline.data.column_facts import column_facts
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.summary import SUMMARY_FILE, read_summary, summarise
from d2ace.pipeline.data.summary_text import summary_text
from d2ace.pipeline.data.support import support_lines, support_of
from d2ace.selectors.common.label_matrix import LabelMatrix

ROWS = 60


@pytest.fixture
def make(tmp_path):
    def prepared(features, labels, split=None, names=None, label_names=None, shard_rows=25):
        sparse = isinstance(features, csr_array)
        split = np.zeros(len(labels), np.int8) if split is None else np.asarray(split, np.int8)
        facts = {"n_features": features.shape[1], "feature_names": names}
        label_names = label_names or [f"l{i}" for i in range(labels.shape[1])]
        kind = "sparse" if sparse else "dense"
        with ShardWriter(tmp_path / "set", kind=kind, labels=label_names, shard_rows=shard_rows, **facts) as writer:
            writer.write(Rows(features.astype(np.float32), LabelMatrix.of(labels.astype(np.uint8)), split))
        return writer.manifest

    return prepared


def random_labels(rows=ROWS, n=3):
    return (np.random.default_rng(0).random((rows, n)) < 0.4).astype(np.uint8)


def odd_features():
    """Return columns: fractions, one value, an id, the same id shuffled, 0/1, whole numbers that repeat."""
    random = np.random.default_rng(1)
    ids = np.arange(1000, 1000 + ROWS)
    columns = [random.random(ROWS), np.full(ROWS, 3.0), ids, random.permutation(ids), ids % 2, ids // 3]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("sparse", [False, True])
def test_columns_that_stand_out(make, sparse):
    features = odd_features()
    features[:4, [0, 4]] = 0
    manifest = make(csr_array(features) if sparse else features, random_labels())
    assert len(manifest.shards) == 3
    facts = column_facts(manifest)
    assert facts.constant == [1]
    assert facts.id_like == [2, 3]
    assert facts.density == pytest.approx(np.count_nonzero(features) / features.size)
    assert facts.empty_rows == 0


def test_sparse_columns_are_constant_only_when_no_row_leaves_them_out(make):
    features = np.zeros((ROWS, 3))
    features[:, 0], features[:30, 1] = 2, 2  # a constant, one that half of the rows lack, one that all lack
    facts = column_facts(make(csr_array(features), random_labels()))
    assert facts.constant == [0, 2]


def test_support_counts_what_each_mean_is_over():
    labels = LabelMatrix.of(np.array([[1, 0, 1], [1, 0, 0], [1, 0, 0], [0, 1, 0]], np.uint8))
    support = support_of(labels, np.array([0, 1, 2]))
    assert (support.rows, support.labelled_rows, support.labels) == (3, 3, 3)
    assert (support.positive_labels, support.both_classes, support.median_positives) == (2, 1, 1.0)
    assert support.sentence() == "3 rows: macro_auc over 1 of 3 labels, map over 2, rankings over 3 rows"
    why = "rests on little: only 3 rows, 2 of 3 labels do not count in macro_auc, the median label has 1 positives"
    assert support.warning() == why
    many = LabelMatrix.of(np.tile([[1, 0], [0, 1]], (60, 1)).astype(np.uint8))
    assert support_of(many, np.arange(120)).warning() is None


def test_support_counts_known_entries_alone():
    nan = np.nan
    labels = LabelMatrix.of(np.array([[1, 0, nan], [1, nan, 1], [nan, 1, 1], [nan, nan, nan], [0, 0, 0.4]]))
    support = support_of(labels, np.arange(5))
    # the third label has a known positive and a soft value below one half, which is a negative
    assert (support.positive_labels, support.both_classes, support.labelled_rows) == (3, 3, 3)
    assert (support.known_share, support.unknown_rows) == (pytest.approx(9 / 15), 1)
    assert support.sentence() == (
        "5 rows: macro_auc over 3 of 3 labels, map over 3, rankings over 3 rows; "
        "60.0 % of the entries are known, in 1 rows none is"
    )
    assert support_of(labels, np.array([0, 1])).both_classes == 0  # an unknown entry is no negative


def test_the_lines_of_a_run_say_what_its_metrics_rest_on():
    labels = LabelMatrix.of(np.tile([[1, 0], [0, 1]], (60, 1)).astype(np.uint8))
    splits = {"validation": np.arange(2), "test": np.arange(120), "none": np.zeros(0, np.int64)}
    assert support_lines(labels, splits) == [
        "validation: 2 rows: macro_auc over 2 of 2 labels, map over 2, rankings over 2 rows",
        "warning: validation rests on little: only 2 rows, the median label has 1 positives",
        "test: 120 rows: macro_auc over 2 of 2 labels, map over 2, rankings over 120 rows",
    ]


def test_the_summary_is_kept_and_read_back(make):
    labels = random_labels()
    labels[:, 2] = 0
    manifest = make(odd_features(), labels, split=np.repeat([1, 3], [45, 15]))
    assert read_summary(manifest) is None
    summary = summarise(manifest, ["a note"])
    assert read_summary(manifest) == summary
    assert summary.notices == ("a note",)
    assert summary.carved == ("validation",)
    assert [support.rows for support in summary.splits.values()][2] == 15
    assert summary.without_positives["test"] == ("l2",)
    assert summary.unlabelled_rows == int((labels.sum(axis=1) == 0).sum())
    counts = labels.sum(axis=0)[:2]
    assert summary.imbalance == pytest.approx(((counts.max() / counts).mean(), counts.max() / counts.min()))


@pytest.mark.parametrize("damage", ["{", "[]", '{"labels": 3}', "[" * 100_000])
def test_a_damaged_summary_counts_as_none(make, damage):
    manifest = make(odd_features(), random_labels())
    summarise(manifest)
    (manifest.folder / SUMMARY_FILE).write_text(damage)
    assert read_summary(manifest) is None


def test_a_summary_of_other_data_counts_as_none(make):
    manifest = make(odd_features(), random_labels())
    summarise(manifest)
    values = json.loads((manifest.folder / SUMMARY_FILE).read_text())
    (manifest.folder / SUMMARY_FILE).write_text(json.dumps(values | {"counts": [1, 2, 3]}))
    assert read_summary(manifest) is None


def test_odd_names_and_columns_are_told(make):
    labels = np.ones((ROWS, 6), np.uint8)
    labels[::2, :4] = 0
    labels[:, 4] = 0
    label_names = ["cat;dog", "Nan", "Owl", "owl ", "never", "always"]
    levels = [f"who={row}" for row in range(ROWS)]
    features = np.hstack([odd_features()[:, :3], np.eye(ROWS)])
    manifest = make(features, labels, names=["a", "b", "number", *levels], label_names=label_names)
    odd = "\n".join(summarise(manifest).odd)
    for words in (
        "labels that no row has: never",
        "labels that every row has: always",
        "labels that look like lists or several names: cat;dog",
        "labels that look like a missing value: Nan",
        "labels whose names differ only in case or spaces: 'Owl' and 'owl '",
        "features with one value in all rows: b",
        "features that number the rows, like an id: number; leave them out with --exclude",
        "nominal columns with about a level a row: who",
    ):
        assert words in odd


def test_an_ordinary_table_has_nothing_odd(make):
    random = np.random.default_rng(2)
    features = np.hstack([random.random((ROWS, 2)), random.integers(0, 30, (ROWS, 2))])
    assert summarise(make(features, random_labels())).odd == ()


def test_the_text_is_narrow_and_says_the_essentials(make):
    labels = np.hstack([random_labels(200, 9), np.zeros((200, 1), np.uint8)])
    features = np.random.default_rng(2).random((200, 4))
    manifest = make(features, labels, split=np.repeat([1, 2, 3], [150, 20, 30]), shard_rows=500)
    text = summary_text(manifest, summarise(manifest, ["t.csv: an index was left out"]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[0].startswith("200 rows (train 150, validation 20, test 30), 10 labels")
    assert lines[1] == "features    4 dense, 100.0 % of the values not 0"
    assert "least frequent  l9 0" in text
    assert "validation  20 rows: macro_auc over 9 of 10 labels, map over 9, rankings over" in text
    assert "note        t.csv: an index was left out" in text
    assert "warning     validation rests on little: only 20 rows" in text
    assert "carved" not in text


def test_few_rows_and_images_have_a_summary_too(make, make_prepared):
    manifest = make(np.ones((1, 2)), np.ones((1, 1), np.uint8))
    assert summary_text(manifest, summarise(manifest)).startswith("1 rows (no split 1), 1 labels")
    images = make_prepared("image", name="images").manifest
    assert "features    images, grey, 6 x 4 pixels" in summary_text(images, summarise(images))
