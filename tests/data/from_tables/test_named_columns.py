import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_tables import csv_table as csv_module
from d2ace.pipeline.data.from_tables import parquet_table as parquet_module
from d2ace.pipeline.data.from_tables.csv_table import csv_table
from d2ace.pipeline.data.from_tables.named_columns import ColumnOptions, table_source
from d2ace.pipeline.data.from_tables.parquet_table import parquet_table
from d2ace.pipeline.data.rows import concatenate

TEXT = """id,y_a,y_b,x1,x2,tags,part
1,0,1,0.5,-1,red;blue,train
2,1,0,1.5,1e2,,test
3,1,1,2.5,0,blue;  red ;,valid
"""
BY_PREFIX = {"label_prefix": "y_", "exclude": ["id", "tags", "part"]}
BY_COLUMN = {"label_column": "tags", "exclude": ["id", "part"]}


def write(folder, text=TEXT, name="t.csv"):
    path = folder / name
    path.write_text(text)
    return path


def read(*paths, delimiter=",", split=0, **options):
    tables = [parquet_table(p) if p.suffix == ".parquet" else csv_table(p, delimiter=delimiter) for p in paths]
    source = table_source([(table, split) for table in tables], ColumnOptions(**options))
    return source, concatenate(list(source.chunks()))


def parquet(folder, **columns):
    path = folder / "t.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("options", [BY_PREFIX, {"labels": ["y_a", "y_b"], "exclude": ["id", "tags", "part"]}])
def test_labels_by_prefix_or_list(tmp_path, options):
    source, rows = read(write(tmp_path), **options)
    assert source.labels == ("y_a", "y_b")
    assert source.feature_names == ("x1", "x2")
    np.testing.assert_array_equal(rows.labels.toarray(), [[0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(rows.features, np.array([[0.5, -1], [1.5, 100], [2.5, 0]], np.float32))


def test_labels_in_one_delimited_column(tmp_path):
    source, rows = read(write(tmp_path), **BY_COLUMN)
    assert source.labels == ("blue", "red")
    np.testing.assert_array_equal(rows.labels.toarray(), [[1, 1], [0, 0], [1, 1]])
    source, rows = read(write(tmp_path), labels=["red", "green", "blue"], **BY_COLUMN)
    assert source.labels == ("red", "green", "blue")
    np.testing.assert_array_equal(rows.labels.toarray(), [[1, 0, 1], [0, 0, 0], [1, 0, 1]])


def test_the_label_names_of_two_files_are_those_of_both(tmp_path):
    other = write(tmp_path, TEXT.replace("red", "green"), "u.csv")
    source, rows = read(write(tmp_path), other, **BY_COLUMN)
    assert source.labels == ("blue", "green", "red")
    assert rows.labels.toarray()[[0, 3]].tolist() == [[1, 0, 1], [1, 1, 0]]


def test_a_split_column(tmp_path):
    _, rows = read(write(tmp_path), split_column="part", label_prefix="y_", exclude=["id", "tags"])
    assert rows.split.tolist() == [1, 3, 2]
    assert read(write(tmp_path), split=3, **BY_PREFIX)[1].split.tolist() == [3, 3, 3]


def test_chunks_tsv_and_compression(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_module, "CHUNK_VALUES", 7)
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(TEXT.replace(",", "\t").encode()))
    source, rows = read(path, delimiter="\t", **BY_PREFIX)
    assert len(list(source.chunks())) == 3
    assert rows.features[:, 0].tolist() == [0.5, 1.5, 2.5]


def test_quoted_fields_over_several_lines_keep_the_line_numbers_right(tmp_path):
    text = 'y,name,x\n1,"a\nb, c",2\n0,d,oops\n'
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=r"t\.csv:4: column 'x' is 'oops', expected a number: exclude the column"):
        read(path, labels=["y"], exclude=["name"])


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("2,1,0,1.5", "2,1,1.5", 3, "6 fields, expected 7"),
        ("3,1,1,", "3,1,1,,", 4, "8 fields, expected 7"),
        ("1,0,1", "1,2,1", 2, "label 'y_a' is 2, expected 0 or 1"),
        ("1,0,1,", "1,0,nan,", 2, "label 'y_b' is nan"),
        ("1e2", "nan", 3, "column 'x2' is nan, expected a finite"),
        ("1e2", "1e200", 3, r"column 'x2' is 1e\+200, expected a finite float32"),
        ("1e2", "-Infinity", 3, "column 'x2' is -inf"),
        ("1e2", "1_0", 3, "column 'x2' is '1_0', expected a number"),
        ("1e2", "", 3, r"column 'x2' is missing \(''\): fill"),
        ("1e2", "?", 3, r"column 'x2' is missing \('\?'\)"),
        ("y_a,y_b", "y_a,y_a", 1, r"duplicate column names: \['y_a'\]"),
        ("1e2", '"1e2', 4, "not readable as CSV: unexpected end of data"),
    ],
)
def test_a_bad_cell_gives_one_error_with_its_line(tmp_path, old, new, line, message):
    path = write(tmp_path, TEXT.replace(old, new))
    with pytest.raises(DataError, match=rf"t\.csv:{line}: {message}"):
        read(path, **BY_PREFIX)


def test_a_bad_split_or_unknown_label_names_its_line(tmp_path):
    path = write(tmp_path, TEXT.replace("valid", "tset"))
    with pytest.raises(DataError, match=r"t\.csv:4: split 'tset'; did you mean 'test'"):
        read(path, split_column="part", label_prefix="y_", exclude=["id", "tags"])
    with pytest.raises(DataError, match=r"t\.csv:2: unknown label 'red'"):
        read(path, labels=["blue", "rad"], **BY_COLUMN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing says which columns are labels"),
        ({"labels": ["y_c"]}, "label 'y_c' is no column; did you mean 'y_[ab]'"),
        ({"labels": ["y_a", "y_a"]}, r"duplicate label names: \['y_a'\]"),
        ({"label_prefix": "z_"}, "no column starts with 'z_'"),
        ({"label_column": "tag"}, "label column 'tag' is no column; did you mean 'tags'"),
        ({"label_prefix": "y_", "split_column": "parts"}, "split column 'parts' is no column; did you mean 'part'"),
        ({"label_prefix": "y_", "exclude": ["idd"]}, "excluded column 'idd' is no column; did you mean 'id'"),
        ({"label_prefix": "y_", "exclude": ["id", "x1", "x2", "tags", "part"]}, "no column is left for features"),
    ],
)
def test_column_options_that_do_not_fit(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path), **options)


def test_empty_files(tmp_path):
    with pytest.raises(DataError, match=r"t\.csv: is empty"):
        read(write(tmp_path, ""), **BY_PREFIX)
    only_header = write(tmp_path, TEXT.splitlines(keepends=True)[0])
    with pytest.raises(DataError, match=r"t\.csv: has no rows"):
        read(only_header, **BY_PREFIX)
    with pytest.raises(DataError, match="holds no label in any row"):
        read(only_header, **BY_COLUMN)


def test_two_files_must_have_the_same_columns(tmp_path):
    other = write(tmp_path, TEXT.replace("x2", "x3"), "u.csv")
    with pytest.raises(DataError, match=r"u\.csv: its features differ from those of t\.csv"):
        read(write(tmp_path), other, **BY_PREFIX)


def test_parquet_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_module, "CHUNK_VALUES", 10)
    path = parquet(
        tmp_path,
        y=pa.array([True, False, True]),
        x=pa.array([1, 2, 3], pa.int16()),
        z=pa.array([0.5, 1.5, 2.5]),
        tags=pa.array([["b", "a"], None, ["c"]]),
        part=pa.array(["train", "test", None]).dictionary_encode(),
    )
    source, rows = read(path, labels=["y"], exclude=["tags"], split_column="part")
    assert source.feature_names == ("x", "z")
    assert rows.labels.toarray().ravel().tolist() == [1, 0, 1]
    assert rows.split.tolist() == [1, 3, 0]
    np.testing.assert_array_equal(rows.features, [[1, 0.5], [2, 1.5], [3, 2.5]])
    source, rows = read(path, label_column="tags", exclude=["part"])
    assert source.labels == ("a", "b", "c")
    assert rows.labels.toarray().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.0, None, 2.0]), "row 1: column 'x' is missing"),
        (pa.array([1.0, 2.0, np.nan]), "row 2: column 'x' is nan"),
        (pa.array(["a", "b", "c"]), "column 'x' has type string, expected numbers: exclude"),
    ],
)
def test_bad_parquet_columns(tmp_path, column, message):
    path = parquet(tmp_path, y=pa.array([0, 1, 0]), x=column)
    with pytest.raises(DataError, match=rf"t\.parquet: {message}"):
        read(path, labels=["y"])


def test_parquet_labels_and_files_are_checked(tmp_path):
    path = parquet(tmp_path, y=pa.array([0, 3, 0]), x=pa.array([1, 2, 3]))
    with pytest.raises(DataError, match="row 1: label 'y' is 3, expected 0 or 1"):
        read(path, labels=["y"])
    with pytest.raises(DataError, match="column 'y' has type int64, expected text or lists of text"):
        read(path, label_column="y")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet"):
        read(path, labels=["y"])
    path.unlink()
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet"):
        read(path, labels=["y"])


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfy,x\r\n1,2\r\n")
    assert read(path, labels=["y"])[0].labels == ("y",)
