"""A prepared data set written again with what a person decided."""

import os

import numpy as np
import pytest
from small_table import write_table

from d2ace.pipeline import cli
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data import digit_scenes, shard_writer
from d2ace.pipeline.data.audited import audited
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_features, read_labels, read_splits
from d2ace.pipeline.data.summary import read_summary
from d2ace.selectors.common.label_matrix import Origin


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("data") / "table")


def verdicts(folder, *lines, header="row,label,verdict"):
    path = folder / "verdicts.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_table_has_the_decided_labels_and_all_else_as_before(table, tmp_path):
    old = Manifest.load(table)
    before = read_labels(old)
    dense = before.dense()
    (row, label), (other, absent) = np.argwhere(dense == 0)[0], np.argwhere(dense == 1)[0]
    lines = [
        f"{row},label{label},present",
        f"{other},label{absent},absent",
        "200,label0,unsure",
        f"{row},label4,unsure",
    ]
    new = audited(table, tmp_path / "new", verdicts(tmp_path, *lines))
    after, want = read_labels(new), dense.copy()
    want[row, label], want[other, absent] = 1, 0
    np.testing.assert_array_equal(after.dense(), want)
    assert after.origin(row, label) == after.origin(other, absent) == Origin.AUDITED
    assert new.label_counts == tuple(want.sum(axis=0).astype(int).tolist()) and new.known_counts is None
    assert new.fingerprint() != old.fingerprint() and new.splits == old.splits
    np.testing.assert_array_equal(read_splits(new), read_splits(old))
    ids = np.arange(old.rows)
    np.testing.assert_array_equal(read_features(new, ids), read_features(old, ids))
    assert new.filters["verdicts"] == "2 of verdicts.csv: 1 negative to positive, 1 positive to negative"
    assert read_summary(new).counts == new.label_counts and read_labels(old).dense().tolist() == dense.tolist()
    again = audited(new.folder, tmp_path / "again", verdicts(tmp_path, f"{row},label{label},present"))
    assert again.filters["verdicts"].endswith("; 1 of verdicts.csv: nothing changed")
    agreed = audited(table, tmp_path / "agreed", verdicts(tmp_path, f"{row},label{label},absent"))
    assert read_labels(agreed).audited().nonzero() == (row, label) and agreed.fingerprint() != old.fingerprint()


def test_shards_without_a_verdict_and_images_are_linked(tmp_path, monkeypatch):
    monkeypatch.setitem(shard_writer.SHARD_BYTES, "image", 40_000)
    old = digit_scenes.build(tmp_path / "digits", rows=200)
    assert len(old.shards) > 2
    dense = read_labels(old).dense()
    label = int(np.flatnonzero(dense[0] == 0)[0])
    new = audited(old.folder, tmp_path / "new", verdicts(tmp_path, f"0,{label},present"))
    dense[0, label] = 1
    np.testing.assert_array_equal(read_labels(new).dense(), dense)
    for shard in new.shards:
        same = [(new.folder / name).samefile(old.folder / name) for name in (shard.file, shard.packed.file)]
        assert same == [shard is not new.shards[0], True]
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    copied = audited(old.folder, tmp_path / "copied", verdicts(tmp_path, f"0,{label},present"))
    assert copied.fingerprint() == new.fingerprint()
    assert not (copied.folder / shard.packed.file).samefile(old.folder / shard.packed.file)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0,label0,present", "230,label0,absent"], r"verdicts.csv:3: row must be a row id, 0 to 229, got '230'"),
        (["-1,label0,present"], r":2: row must be"),
        (["0,lable0,present"], r":2: the data has no label 'lable0'; did you mean 'label0'"),
        (["0,label0,presnt"], r":2: verdict must be present, absent or unsure, got 'presnt'; did you mean 'present'"),
        (["0,label0,present", "1,label0,absent", "0,label0,absent"], r":4: row 0, label 'label0': line 2 says"),
        (["0,label0,unsure"], r"decides nothing"),
        (["0,label0"], r":2: expected 3 cells"),
    ],
)
def test_wrong_verdicts_are_told_with_file_and_line(table, tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        audited(table, tmp_path / "new", verdicts(tmp_path, *lines))
    assert not (tmp_path / "new").exists()


def test_verdicts_about_other_data_or_without_columns_are_refused(table, tmp_path):
    data = Manifest.load(table).fingerprint()
    header = "label,row,verdict,data"
    other = verdicts(tmp_path, f"label0,0,present,{data}", "label0,1,present,abc", header=header)
    with pytest.raises(DataError, match=r":3: the verdict is about other data"):
        audited(table, tmp_path / "new", other)
    assert audited(table, tmp_path / "new", verdicts(tmp_path, f"label0,0,present,{data}", header=header))
    lacking = verdicts(tmp_path, "0,label0", header="row,label")
    with pytest.raises(DataError, match=r":1: expected the columns row, label, verdict, verdict missing"):
        audited(table, tmp_path / "other", lacking)


def test_the_command_writes_the_data_set_and_refuses_other_options(table, tmp_path, capsys):
    file = str(verdicts(tmp_path, "0,label0,present", "1,label1,absent"))
    assert cli.main(["prepare", str(table), str(tmp_path / "new"), "--verdicts", file]) == 0
    assert "filter verdicts: 2 of verdicts.csv" in capsys.readouterr().out
    assert cli.main(["prepare", str(table), str(tmp_path / "b"), "--verdicts", file, "--delimiter", ";"]) == 2
    assert "a prepared data set with --verdicts takes no --delimiter" in capsys.readouterr().err


def test_labels_with_blanks_at_an_end_are_decided_as_they_are_written(tmp_path):
    labels = np.array([[0, 0, 0], [1, 1, 0]])
    names = np.array([" cat", "cat", "dog "])
    np.savez(tmp_path / "t.npz", X=np.ones((2, 3), np.float32), Y=labels, label_names=names)
    old = prepare(tmp_path / "t.npz", tmp_path / "old")
    assert old.labels == (" cat", "cat", "dog ")
    file = verdicts(tmp_path, "0, cat,present", "0,dog ,present", " 1 , cat , absent ")
    new = audited(old.folder, tmp_path / "new", file)
    assert read_labels(new).dense().tolist() == [[1, 0, 1], [1, 0, 0]]
    with pytest.raises(DataError, match=r":2: the data has no label 'dog'; did you mean 'dog '"):
        audited(old.folder, tmp_path / "other", verdicts(tmp_path, "0,dog,present"))
