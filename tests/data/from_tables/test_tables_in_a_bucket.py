"""Tables that lie in a bucket are prepared as those on a disk, and their mistakes are told by their address."""

import gzip

import numpy as np
import pandas as pd
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage.any_path import any_path
from d2ace.pipeline.data.from_tables.prepare import prepare

HEAD = "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute y {0,1}\n@data\n"
LABELS = '<labels xmlns="http://mulan.sourceforge.net/labels"><label name="y"></label></labels>'


@pytest.fixture
def files(tmp_path):
    """The same rows in every format, with a mask of their labels."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.integers(0, 9, size=(20, 2)), columns=["a", "b"])
    frame["y"] = (frame["a"] > 4).astype(int)
    lines = [",".join(map(str, row)) for row in frame.to_numpy()]
    for name, some in (("t-train.arff", lines[:12]), ("t-test.arff", lines[12:])):
        (tmp_path / name).write_text(HEAD + "\n".join(some) + "\n")
    (tmp_path / "t.xml").write_text(LABELS)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    np.savez(tmp_path / "t.npz", X=frame[["a", "b"]].to_numpy(np.float32), Y=frame[["y"]].to_numpy())
    (tmp_path / "mask.csv").write_text("label0\n" + "1\n" * 19 + "0\n")
    return tmp_path


@pytest.mark.parametrize("source", ["t", "t.csv.gz", "t.parquet", "t.npz"])
def test_a_table_in_a_bucket_is_the_one_on_a_disk(bucket, files, source):
    for path in files.iterdir():
        any_path(bucket.address(f"b/in/{path.name}")).write(path)
    bucket.fail("GetObject", "busy", 2)
    options = {"labels": ["y"]} if source.endswith(("gz", "parquet")) else {}
    folder, there = any_path(bucket.address("b/in")), prepare(files / source, files / "disk", **options)
    found = prepare(folder / source, files / "bucket", **options)
    assert found.fingerprint() == there.fingerprint() and found.splits == there.splits
    if source == "t.npz":
        masked = prepare(folder / source, files / "masked", label_mask=folder / "mask.csv")
        assert masked.known_counts == (19,)


def test_mistakes_are_told_by_the_address(bucket, tmp_path):
    place = any_path(bucket.address("b/t.csv"))
    place.write(b"a,y\n1,0\nx,1\n")
    with pytest.raises(DataError, match=r"^s3://b/t\.csv:3: column 'a' is 'x', expected a number"):
        prepare(place, tmp_path / "out", labels=["y"])
    with pytest.raises(DataError, match=r"s3://b/none\.csv: there is no such file"):
        prepare(bucket.address("b/none.csv"), tmp_path / "out", labels=["y"])
    assert not (tmp_path / "out").exists()
