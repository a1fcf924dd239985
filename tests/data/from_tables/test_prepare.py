import gzip
import json

import numpy as np
import pandas as pd
import pytest

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data import filters
from d2ace.pipeline.data.from_tables.arff_rows import RowParser
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import MANIFEST_FILE, Manifest
from d2ace.pipeline.data.shards import read_features, read_labels, read_splits
from d2ace.pipeline.data.verification import verify

HEAD = "@relation x\n@attribute y1 {0,1}\n@attribute y2 {0,1}\n" + "".join(
    f"@attribute a{i} numeric\n" for i in range(20)
)
LABELS = '<labels>\n<label name="y1"/>\n<label name="y2"/>\n</labels>\n'
TRAIN = HEAD + "@data\n{0 1,2 5,3 1}\n{0 1,1 1,3 2}\n{4 1}\n"
TEST = HEAD + "@data\n{1 1,20 100}\n{1 1}\n{5 1}\n"
FILTERS = {"min_positives": 1, "drop_unlabelled": True, "top_features": 0.1}


@pytest.fixture
def pair(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x-train.arff").write_text(TRAIN)
    (tmp_path / "in" / "x-test.arff.gz").write_bytes(gzip.compress(TEST.encode()))
    (tmp_path / "in" / "x.xml").write_text(LABELS)
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results" / "set"


def write_csv(folder, text="y,x\n1,2\n0,3\n", name="t.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_a_stem_finds_the_pair_and_its_label_list(pair, out):
    manifest = prepare(pair / "x", out)
    verify(manifest)
    assert manifest.kind == "sparse"
    assert manifest.labels == ("y1", "y2")
    assert manifest.label_counts == (2, 3)
    assert manifest.splits == {"": 0, "train": 3, "validation": 0, "test": 3}
    assert manifest.source == "x-train.arff + x-test.arff.gz"
    assert manifest.filters == {}
    assert read_splits(manifest).tolist() == [1, 1, 1, 3, 3, 3]
    np.testing.assert_array_equal(read_labels(manifest).dense(), [[1, 0], [1, 1], [0, 0], [0, 1], [0, 1], [0, 0]])
    assert read_features(manifest, np.array([3, 0]))[:, [0, 1, 18]].tolist() == [[0, 0, 100], [5, 1, 0]]


def test_files_can_be_named_one_by_one(pair, out):
    manifest = prepare(pair / "x-train.arff", out, test=pair / "x-test.arff.gz", validation=pair / "x-test.arff.gz")
    assert manifest.splits == {"": 0, "train": 3, "validation": 3, "test": 3}
    alone = prepare(pair / "x-train.arff", out, overwrite=True)
    assert alone.splits[""] == alone.rows == 3


def test_a_stem_of_one_file(pair, out):
    (pair / "w.arff").write_text(TRAIN)
    (pair / "w.xml").write_text(LABELS)
    assert prepare(pair / "w", out).splits[""] == 3


def test_the_kind_can_be_chosen(pair, out):
    dense = prepare(pair / "x", out, kind="dense")
    sparse = prepare(pair / "x", out.with_name("sparse"), kind="sparse")
    assert (dense.kind, sparse.kind) == ("dense", "sparse")
    ids = np.arange(6)
    np.testing.assert_array_equal(read_features(dense, ids), read_features(sparse, ids))
    table = prepare(write_csv(pair), out.with_name("csv"), labels=["y"], kind="sparse")
    assert table.kind == "sparse"
    assert read_features(table, ids[:2]).tolist() == [[2], [3]]


def test_a_sparse_source_with_many_values_becomes_dense(pair, out):
    (pair / "d.arff").write_text(
        "@relation 'd: -C 1'\n@attribute y {0,1}\n@attribute a real\n@data\n{1 3}\n{0 1}\n{1 2}\n"
    )
    assert prepare(pair / "d.arff", out).kind == "dense"


def test_preparing_again_gives_the_same_bytes(pair, out):
    first, second = prepare(pair / "x", out), prepare(pair / "x", out.with_name("b"))
    assert first.shards == second.shards
    assert (first.folder / MANIFEST_FILE).read_bytes() == (second.folder / MANIFEST_FILE).read_bytes()


def test_min_positives_counts_training_rows(pair, out):
    manifest = prepare(pair / "x", out, min_positives=1)  # y2 has 3 positives, 1 of them to train on
    assert manifest.labels == ("y1",)
    assert manifest.filters == {"min_positives": 1, "labels_dropped": ["y2"]}
    assert manifest.label_counts == (2,)
    with pytest.raises(DataError, match="min_positives=2 drops every label; the largest has 2"):
        prepare(pair / "x", out.with_name("b"), min_positives=2)


def test_rows_without_labels_are_dropped_and_counted(pair, out):
    manifest = prepare(pair / "x", out, drop_unlabelled=True)
    assert manifest.filters == {"drop_unlabelled": True, "rows_dropped": {"train": 1, "test": 1}}
    assert manifest.splits == {"": 0, "train": 2, "validation": 0, "test": 2}
    both = prepare(pair / "x", out.with_name("b"), drop_unlabelled=True, min_positives=1)
    assert both.filters["rows_dropped"] == {"train": 1, "test": 3}
    verify(both)


def test_top_features_go_by_the_sums_of_training_rows(pair, out):
    manifest = prepare(pair / "x", out, top_features=0.1)
    assert manifest.feature_names == ("a0", "a1")  # a18 sums to 100, but in test rows
    assert manifest.n_features == 2
    assert manifest.filters == {"top_features": 0.1, "features_before": 20}
    assert read_features(manifest, np.array([1])).tolist() == [[0, 2]]


@pytest.mark.parametrize(("kept", "passes"), [(6, 1), (5, 2), (0, 2)])
def test_only_what_is_too_large_for_memory_is_read_twice(pair, out, kept, passes, monkeypatch):
    """The first pass counts what filters and the kind go by; the rows have 6 values."""
    calls = []
    chunks = RowParser.chunks
    monkeypatch.setattr(RowParser, "chunks", lambda *arguments: (calls.append(1), chunks(*arguments))[1])
    monkeypatch.setattr(filters, "KEPT_VALUES", kept)
    manifest = prepare(pair / "x", out, **FILTERS)
    assert len(calls) == 2 * passes  # of the files for training and for test
    monkeypatch.setattr(filters, "KEPT_VALUES", 1 << 20)
    assert manifest.shards == prepare(pair / "x", out.with_name("b"), **FILTERS).shards


def test_filters_are_in_the_file(pair, out):
    prepare(pair / "x", out, min_positives=1)
    assert json.loads((out / MANIFEST_FILE).read_text())["filters"]["labels_dropped"] == ["y2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_positives": -1}, "min_positives must be 0 or more"),
        ({"top_features": 0}, r"share in \(0, 1\], got 0"),
        ({"top_features": 1.5}, r"share in \(0, 1\], got 1.5"),
        ({"kind": "sprase"}, "unknown kind 'sprase'; did you mean 'sparse'"),
        ({"format": "arf"}, "unknown format 'arf'; did you mean 'arff'"),
        ({"labels": "y1,y2"}, "labels must be a list of names, got the text 'y1,y2'"),
        ({"label_prefix": "y"}, "label_prefix does not apply to arff files"),
        ({"split_column": "y"}, "split_column does not apply to arff files"),
        ({"labels": ["y1"], "label_file": "x.xml"}, r"give one of \['label_file', 'labels'\]"),
        ({"format": "csv", "label_delimiter": "|"}, "label_delimiter goes with label_column"),
        ({"format": "csv", "label_delimiter": "", "label_column": "y"}, "label_delimiter must not be empty"),
        ({"test": "nowhere.arff"}, r"nowhere\.arff: there is no such file"),
    ],
)
def test_options_that_do_not_fit(pair, out, options, message):
    with pytest.raises(DataError, match=message):
        prepare(pair / "x-train.arff", out, **options)
    assert not out.parent.exists()


def test_sources_that_are_not_there_or_unknown(pair, out):
    with pytest.raises(DataError, match=r"nothing: there is no such file"):
        prepare(pair / "nothing", out)
    with pytest.raises(DataError, match="is a folder, expected a file"):
        prepare(pair, out)
    (pair / "data.xlsx").write_text("?")
    with pytest.raises(DataError, match=r"data\.xlsx: unknown format; known are \.arff"):
        prepare(pair / "data.xlsx", out)
    with pytest.raises(DataError, match="different formats"):
        prepare(pair / "x-train.arff", out, test=write_csv(pair))


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_error_in_the_last_row_leaves_nothing_new(pair, out, overwrite):
    if overwrite:
        before = prepare(pair / "x", out)
    (pair / "x-test.arff.gz").write_bytes(gzip.compress((TEST + "{99 1}\n").encode()))
    with pytest.raises(DataError, match=r"x-test\.arff\.gz:\d+: attribute index 99"):
        prepare(pair / "x", out, overwrite=overwrite)
    if overwrite:
        verify(before)
    assert [path.name for path in out.parent.glob("*")] == (["set"] if overwrite else [])
    assert [path.name for path in out.parent.glob(".*")] == []


def test_headers_of_a_pair_must_agree(pair, out):
    (pair / "x-test.arff.gz").write_bytes(gzip.compress(TEST.replace("a7", "other").encode()))
    with pytest.raises(DataError, match=r"x-test\.arff\.gz: its features differ from those of x-train\.arff"):
        prepare(pair / "x", out)


def test_arff_rows_to_predict_have_none_of_the_labels(tmp_path, out):
    (tmp_path / "new.arff").write_text("@relation new\n@attribute a numeric\n@data\n1\n2\n")
    manifest = prepare(tmp_path / "new.arff", out, labels=["cat", "dog"])
    assert (manifest.labels, manifest.n_features, manifest.is_labelled) == (("cat", "dog"), 1, False)
    with pytest.raises(DataError, match=r"label 'aa' is no attribute of new.arff; did you mean 'a'\?; .*unknown"):
        prepare(tmp_path / "new.arff", out, labels=["aa"], overwrite=True)


def test_other_formats_go_through(pair, out):
    np.savez(pair / "a.npz", X=np.eye(3), Y=np.eye(3, 2, dtype=int))
    assert prepare(pair / "a.npz", out).label_counts == (1, 1)
    tsv = write_csv(pair, "y\tx\n1\t2\n", "t.tsv")
    assert prepare(tsv, out, labels=["y"], overwrite=True).feature_names == ("x",)
    text = write_csv(pair, name="t.txt")
    assert prepare(text, out, format="csv", labels=["y"], overwrite=True).rows == 2


def test_names_in_quotes_keep_commas_and_blanks(tmp_path, capsys):
    frame = pd.DataFrame({" cat": [0, 1], "a, b": [1, 0], 'so "big"': [1, 1], "x": [0.5, 1.5], "y": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    arguments = ["prepare", str(tmp_path / "t.parquet"), str(tmp_path / "out")]
    labels = '" cat" , "a, b","so ""big"""'
    assert main([*arguments, "--labels", labels, "--exclude", " y"]) == 0
    manifest = Manifest.load(tmp_path / "out")
    assert manifest.labels == (" cat", "a, b", 'so "big"') and manifest.feature_names == ("x",)
    assert main([*arguments, "--overwrite", "--labels", 'x, so "big"', "--unknown", ",nan"]) == 2
    assert "label 'x' is 0.5" in capsys.readouterr().err
