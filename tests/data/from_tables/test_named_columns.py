import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_tables import csv_table as csv_module
from d2ace.pipeline.data.from_tables import parquet_table as parquet_module
from d2ace.pipeline.data.from_tables.csv_table import csv_table
from d2ace.pipeline.data.from_tables.named_columns import ColumnOptions
from d2ace.pipeline.data.from_tables.parquet_table import parquet_table
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.from_tables.table_source import table_source
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
    np.testing.assert_array_equal(rows.labels.dense(), [[0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(rows.features, np.array([[0.5, -1], [1.5, 100], [2.5, 0]], np.float32))


def test_labels_in_one_delimited_column(tmp_path):
    source, rows = read(write(tmp_path), **BY_COLUMN)
    assert source.labels == ("blue", "red")
    np.testing.assert_array_equal(rows.labels.dense(), [[1, 1], [0, 0], [1, 1]])
    source, rows = read(write(tmp_path), labels=["red", "green", "blue"], **BY_COLUMN)
    assert source.labels == ("red", "green", "blue")
    np.testing.assert_array_equal(rows.labels.dense(), [[1, 0, 1], [0, 0, 0], [1, 0, 1]])


def test_the_label_names_of_two_files_are_those_of_both(tmp_path):
    other = write(tmp_path, TEXT.replace("red", "green"), "u.csv")
    source, rows = read(write(tmp_path), other, **BY_COLUMN)
    assert source.labels == ("blue", "green", "red")
    assert rows.labels.dense()[[0, 3]].tolist() == [[1, 0, 1], [1, 1, 0]]


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
    other = write(tmp_path, TEXT.replace("x2", "X2"), "u.csv")
    message = r"u\.csv: its features differ from .*: lacks 'x2' and has 'X2' besides; is 'X2' the same as 'x2'"
    with pytest.raises(DataError, match=message):
        read(write(tmp_path), other, **BY_PREFIX)
    more = write(tmp_path, TEXT.replace(",x2,", ",x2,x3,").replace("\n1,0,1,", "\n1,0,1,9,"), "u.csv")
    with pytest.raises(DataError, match=r"has 'x3' besides; --exclude leaves columns out of both"):
        read(write(tmp_path), more, **BY_PREFIX)


def test_columns_of_a_further_file_are_found_by_name(tmp_path):
    test = write(tmp_path, "x2,y_b,x1,y_a\n7,1,8,0\n", "u.csv")
    train = write(tmp_path, "x1,x2,y_a,y_b\n1,2,1,0\n")
    source, rows = read(train, test, label_prefix="y_")
    assert rows.features.tolist() == [[1, 2], [8, 7]]
    assert rows.labels.dense().tolist() == [[1, 0], [0, 1]]
    assert source.notices == ("u.csv: its columns stand in another order; read by their names",)


@pytest.mark.parametrize("options", [{"label_prefix": "y_"}, {"labels": ["y_c", "y_a"]}])
def test_a_label_that_a_further_file_lacks_is_named_or_absent(tmp_path, options):
    train, test = write(tmp_path, "x,y_c,y_a\n1,1,0\n"), write(tmp_path, "y_a,x\n1,2\n", "u.csv")
    with pytest.raises(DataError, match=r"u\.csv: lacks the labels 'y_c' of t\.csv; .*--missing-labels absent"):
        read(train, test, **options)
    source, rows = read(train, test, missing_labels="absent", **options)
    assert source.labels == ("y_c", "y_a")
    assert rows.labels.dense().tolist() == [[1, 0], [0, 1]]
    assert source.notices == ("u.csv: lacks the labels 'y_c': absent in all its rows",)


def test_labels_that_only_a_further_file_has_are_refused(tmp_path):
    train, test = write(tmp_path, "x,y_a\n1,0\n"), write(tmp_path, "x,y_a,y_b\n1,0,1\n", "u.csv")
    with pytest.raises(DataError, match=r"u\.csv: has the labels 'y_b', t\.csv has not; give the labels that count"):
        read(train, test, label_prefix="y_", missing_labels="absent")


def test_one_file_may_lack_labels_that_are_given(tmp_path):
    path = write(tmp_path, "x,y_a\n1,1\n2,0\n")
    with pytest.raises(DataError, match="label 'y_b' is no column"):
        read(path, labels=["y_b", "y_a"])
    source, rows = read(path, labels=["y_b", "y_a"], missing_labels="absent")
    assert source.labels == ("y_b", "y_a")
    assert rows.labels.dense().tolist() == [[0, 1], [0, 0]]


def test_rows_without_a_column_for_any_label_have_labels_that_nobody_knows(tmp_path):
    path, other = write(tmp_path, "x1,x2\n1,1\n2,0\n"), write(tmp_path, "x2,x1\n3,4\n", "u.csv")
    source, rows = read(path, other, labels=["cat", "dog"])
    assert (source.labels, source.feature_names) == (("cat", "dog"), ("x1", "x2"))
    assert rows.features.tolist() == [[1, 1], [2, 0], [4, 3]]
    assert rows.labels.shape == (3, 2) and np.isnan(rows.labels.dense()).all()
    assert source.notices[0] == "t.csv: has no column for a label: nobody knows the labels of its rows"
    source, rows = read(path, labels=["cat", "dog"], missing_labels="absent")
    assert rows.labels.dense().tolist() == [[0, 0], [0, 0]]
    assert source.notices == ("t.csv: lacks the labels 'cat', 'dog': absent in all its rows",)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["cat", "xx1"], r"label 'cat' is no column; known: x1, x2; .* say --missing-labels unknown"),
        (["cat", "x1"], r"label 'cat' is no column; known: x1, x2$"),
    ],
)
def test_labels_that_may_be_typos_are_refused_until_an_option_says_more(labels, words, tmp_path):
    path = write(tmp_path, "x1,x2\n1,1\n0,0\n")
    with pytest.raises(DataError, match=words):
        read(path, labels=labels)
    known = labels[1] == "x1"
    _, rows = read(path, labels=labels, missing_labels="unknown")
    nobody_knows = [[True, not known], [True, not known]]
    assert np.isnan(rows.labels.dense()).tolist() == nobody_knows


def test_a_file_without_its_line_of_names_is_not_one_without_labels(tmp_path):
    with pytest.raises(DataError, match="the first line holds only numbers"):
        read(write(tmp_path, "1,2\n3,4\n"), labels=["cat"])


def test_a_further_file_without_labels_may_be_unknown(tmp_path):
    train, new = write(tmp_path, "x,y_a,y_b\n1,1,0\n"), write(tmp_path, "x,y_b\n2,1\n", "u.csv")
    with pytest.raises(
        DataError, match=r"u.csv: lacks the labels 'y_a' of t.csv; .*if nobody knows, --missing-labels u"
    ):
        read(train, new, label_prefix="y_")
    _, rows = read(train, new, label_prefix="y_", missing_labels="unknown")
    np.testing.assert_array_equal(rows.labels.dense(), [[1, 0], [np.nan, 1]])


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
    assert rows.labels.dense().ravel().tolist() == [1, 0, 1]
    assert rows.split.tolist() == [1, 3, 0]
    np.testing.assert_array_equal(rows.features, [[1, 0.5], [2, 1.5], [3, 2.5]])
    source, rows = read(path, label_column="tags", exclude=["part"])
    assert source.labels == ("a", "b", "c")
    assert rows.labels.dense().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.0, None, 2.0]), "row 1: column 'x' is missing"),
        (pa.array([1.0, 2.0, np.nan]), "row 2: column 'x' is nan"),
        (pa.array(["a", "b", "c"]), "column 'x' has type string and holds 'a', expected numbers: exclude"),
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


def test_numbers_and_lists_of_parquet_that_are_rare(tmp_path):
    """An integer that float64 does not hold exactly, and a missing word in a list of labels."""
    path = parquet(tmp_path, x=pa.array([2**53 + 1, 1]), tags=pa.array([["a", None], [None]]))
    source, rows = read(path, label_column="tags")
    assert source.labels == ("a",)
    assert rows.labels.dense().tolist() == [[1], [0]]
    np.testing.assert_array_equal(rows.features, [[2**53], [1]])


def test_parquet_text_that_is_no_utf8(tmp_path):
    text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"a", b"\xff"]).buffers())
    path = parquet(tmp_path, x=pa.array([1, 2]), tags=text)
    with pytest.raises(DataError, match=r"t\.parquet: row 0: column 'tags' is damaged from there on: .*UTF8"):
        read(path, label_column="tags")
    path = parquet(tmp_path, xxxx=pa.array([1, 2]), y=pa.array([0, 1]))
    path.write_bytes(path.read_bytes().replace(b"xxxx", b"xx\xffx"))
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet: 'utf-8'"):
        read(path, labels=["y"])


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfy,x\r\n1,2\r\n")
    assert read(path, labels=["y"])[0].labels == ("y",)


def test_an_index_without_a_name_is_left_out_and_told(tmp_path):
    for head in ("", "Unnamed: 0", "Unnamed: 0.1,Unnamed: 0"):
        cells = ",".join("7" for _ in head.split(","))
        source, rows = read(write(tmp_path, f"{head},x,y\n{cells},1,0\n{cells},2,1\n"), labels=["y"])
        assert source.feature_names == ("x",)
        assert rows.features.tolist() == [[1], [2]]
        assert len(source.notices) == len(head.split(","))
        assert "left out (--index keep makes it a feature)" in source.notices[0]
    assert read(write(tmp_path, ",x,y\nrow a,1,0\n"), labels=["y"])[0].feature_names == ("x",)


def test_a_first_column_of_fractions_without_a_name_has_two_readings(tmp_path):
    path = write(tmp_path, ",x,y\n1,1,0\n0.5,2,1\n")
    with pytest.raises(DataError, match=r"t\.csv:3: the first column has no name .* and holds 0.5: say --index drop"):
        read(path, labels=["y"])
    assert read(path, labels=["y"], index="drop")[0].feature_names == ("x",)
    source, rows = read(path, labels=["y"], index="keep")
    assert source.feature_names == ("", "x")
    assert rows.features.tolist() == [[1, 1], [0.5, 2]]
    assert source.notices == ()


@pytest.mark.parametrize("head", ["x,,y", "x,Unnamed: 1,y"])
def test_a_column_without_a_name_elsewhere_is_refused(tmp_path, head):
    with pytest.raises(DataError, match=r"t\.csv:1: column 2 of 3 has no name .*: name it, or leave it out"):
        read(write(tmp_path, f"{head}\n1,2,0\n"), labels=["y"])


def test_the_index_that_pandas_metadata_names_is_left_out(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table({"x": [0.1, 0.3], "y": [0, 1], "key": [7.5, 3.5]})
    pq.write_table(table.replace_schema_metadata({"pandas": '{"index_columns": ["key"]}'}), path)
    source, _ = read(path, labels=["y"])
    assert source.feature_names == ("x",)
    assert source.notices[0].startswith("t.parquet: column 'key' is the index that pandas saved")
    assert read(path, labels=["y"], index="keep")[0].feature_names == ("x", "key")
    for damaged in ("[]", "{", '{"index_columns": [{"kind": "range"}]}', "[" * 100_000):
        pq.write_table(table.replace_schema_metadata({"pandas": damaged}), path)
        assert read(path, labels=["y"])[0].feature_names == ("x", "key")


def test_an_index_that_an_option_names_is_what_the_option_says(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table({"x": [0.1, 0.3], "y": [0, 1]})
    pq.write_table(table.replace_schema_metadata({"pandas": '{"index_columns": ["y"]}'}), path)
    source, _ = read(path, labels=["y"])
    assert (source.labels, source.feature_names, source.notices) == (("y",), ("x",), ())


@pytest.mark.parametrize("pair", ["True,False", "yes,no", "T,f", "Y,n", "1.0,0"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_labels_may_be_spelled_as_words(tmp_path, pair, kind):
    yes, no = pair.split(",")
    if kind == "csv":
        path = write(tmp_path, f"x,y,z\n1,{yes},{no}\n2, {no} ,{yes.upper()}\n")
    else:
        path = parquet(tmp_path, x=[1, 2], y=[yes, no], z=pa.array([no, yes.upper()]).dictionary_encode())
    assert read(path, labels=["y", "z"])[1].labels.dense().tolist() == [[1, 0], [0, 1]]


def test_features_may_be_true_or_false_but_no_other_words(tmp_path):
    assert read(write(tmp_path, "x,y\nTrue,1\nFALSE,0\n0.5,1\n"), labels=["y"])[1].features.tolist() == [
        [1],
        [0],
        [0.5],
    ]
    with pytest.raises(DataError, match=r"t\.csv:2: column 'x' is 't', expected a number"):
        read(write(tmp_path, "x,y\nt,1\n"), labels=["y"])
    with pytest.raises(DataError, match=r"column 'x' has type string and holds '2.5', expected numbers"):
        read(parquet(tmp_path, x=["1", "2.5"], y=[0, 1]), labels=["y"])


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("maybe", "label 'y' is 'maybe', expected 0 or 1, true or false, yes or no"),
        ("-1", "label 'y' is -1, expected 0 or 1; write 1 where the row has the label"),
        ("2", "label 'y' is 2, expected 0 or 1; write 1"),
        ("", r"column 'y' is missing \(''\)"),
    ],
)
def test_a_label_that_is_neither_says_what_is_meant(tmp_path, label, message):
    with pytest.raises(DataError, match=rf"t\.csv:3: {message}"):
        read(write(tmp_path, f"x,y\n1,1\n2,{label}\n"), labels=["y"])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"1,5"', "say --decimal , if commas stand before fractions"),
        ('"1,234"', "say --decimal , if the comma stands before a fraction; remove it if it stands between thousands"),
        ('"1,234,567"', "remove what stands between the thousands"),
        ("2024-01-31", "dates are no features"),
        ("31.12.2024", "dates are no features"),
        ("Training", "if the column says which rows train, say --split-column x"),
        ("red", "exclude the column, or encode it"),
    ],
)
def test_a_cell_that_is_no_number_says_what_to_do(tmp_path, cell, message):
    with pytest.raises(DataError, match=rf"t\.csv:2: column 'x' is .*, expected a number: {message}"):
        read(write(tmp_path, f"x,y\n{cell},1\n"), labels=["y"])


def test_decimal_commas_are_read_when_an_option_says_so(tmp_path):
    table = csv_table(write(tmp_path, "x;y\n1,5;1\n-2;0\n1e3;0\n"), delimiter=";", decimal=",")
    rows = concatenate(list(table_source([(table, 0)], ColumnOptions(labels=["y"])).chunks()))
    assert rows.features.ravel().tolist() == [1.5, -2, 1000]
    table = csv_table(write(tmp_path, "x;y\n1.234,5;1\n"), delimiter=";", decimal=",")
    with pytest.raises(DataError, match=r"'1\.234,5', expected a number: remove what stands between the thousands"):
        list(table_source([(table, 0)], ColumnOptions(labels=["y"])).chunks())


@pytest.mark.parametrize(("delimiter", "other"), [(",", ";"), (",", "\t"), (",", "|"), ("\t", ",")])
def test_a_header_of_one_column_names_the_delimiter(tmp_path, delimiter, other):
    with pytest.raises(DataError, match=r"t\.csv:1: the first line is one column, .* say --delimiter"):
        csv_table(write(tmp_path, other.join("xyz") + "\n"), delimiter=delimiter)


def test_a_file_without_column_names_is_told(tmp_path):
    with pytest.raises(DataError, match="label 'y' is no column; the first line holds only numbers"):
        read(write(tmp_path, "0.5,1\n0.7,0\n"), labels=["y"])


def tagged(folder, *cells, delimiter=";", **options):
    text = "x,tags\n" + "".join('1,"{}"\n'.format(cell.replace('"', '""')) for cell in cells)
    source, rows = read(write(folder, text), label_column="tags", label_delimiter=delimiter, **options)
    return source.labels, rows.labels.dense().tolist()


@pytest.mark.parametrize("cell", ["['cat', 'dog']", '["cat"]', "[]", "{'cat'}", "('cat', 'dog')", "[1, 0]"])
def test_the_text_of_a_list_is_refused(tmp_path, cell):
    with pytest.raises(DataError, match=r"t\.csv:3: column 2: .* is the text of a list: say --label-delimiter list"):
        tagged(tmp_path, "cat", cell)


def test_the_text_of_a_list_is_read_when_an_option_says_so(tmp_path):
    cells = ("['cat', 'dog']", '["owl, snowy"]', "[]", "", "{3, 17}", "('cat',)")
    labels, rows = tagged(tmp_path, *cells, delimiter="list")
    assert labels == ("17", "3", "cat", "dog", "owl, snowy")
    assert rows == [[0, 0, 1, 1, 0], [0, 0, 0, 0, 1], [0] * 5, [0] * 5, [1, 1, 0, 0, 0], [0, 0, 1, 0, 0]]
    for broken in ("cat", "['cat' 'dog']", "[['cat']]"):
        with pytest.raises(DataError, match=r"t\.csv:3: .* is no list of names"):
            tagged(tmp_path, "['cat']", broken, delimiter="list")


@pytest.mark.parametrize(
    ("cells", "delimiter", "shown"),
    [
        (("cat,dog", "cat", "owl"), ";", "','"),
        (("cat;dog", "dog;owl"), ",", "';'"),
        (("cat | dog", "owl"), ";", None),  # one name with a bar, or two names: nothing speaks for two
        (("cat|dog",), ";", r"'\|'"),
        (("cat;dog", "cat,dog", "owl"), ";", "','"),
        (("cat dog", "cat", "dog owl", "owl"), ";", "' '"),
        (("fire truck", "red car", "owl"), ";", None),
        (("Smith, John", "owl"), ";", None),
        (("cat;dog", "Smith, John"), ";", None),
    ],
)
def test_another_delimiter_in_the_labels_has_two_readings(tmp_path, cells, delimiter, shown):
    if shown is None:
        assert len(tagged(tmp_path, *cells, delimiter=delimiter)[0]) >= 2
        return
    with pytest.raises(DataError, match=rf"column 'tags': one label would be called .*: say --label-delimiter {shown}"):
        tagged(tmp_path, *cells, delimiter=delimiter)
    assert tagged(tmp_path, *cells, delimiter="none")[0] == tuple(sorted(cells))


def test_zeros_and_ones_are_no_names(tmp_path):
    with pytest.raises(DataError, match="every cell lists 3 values of 0 and 1: this looks like a 0/1 vector"):
        tagged(tmp_path, "1 0 1", "0 0 1", delimiter=" ")
    with pytest.raises(DataError, match="0/1 vector"):
        tagged(tmp_path, "[1, 0]", "[0, 1]", delimiter="list")
    with pytest.raises(DataError, match="holds only 0 and 1: if the column is a label of its own, name it"):
        tagged(tmp_path, "1", "0", "1")
    assert tagged(tmp_path, "1", "0", delimiter="none")[0] == ("0", "1")
    assert tagged(tmp_path, "1 0", "0", delimiter=" ")[0] == ("0", "1")  # of different lengths: class numbers
    assert tagged(tmp_path, "1 0", "0 1", delimiter=" ", labels=["0", "1"])[1] == [[1, 1], [1, 1]]


@pytest.mark.parametrize("labels", [[""], ["y", ""], ["y", " "]])
@pytest.mark.parametrize("missing", ["error", "absent", "unknown"])
def test_labels_without_a_name_are_refused(tmp_path, labels, missing):
    (tmp_path / "t.csv").write_text("x,y\n1,0\n2,1\n")
    with pytest.raises(DataError, match="a label name is empty, expected names in labels, got"):
        prepare(tmp_path / "t.csv", tmp_path / "out", labels=labels, missing_labels=missing)


def test_a_column_is_a_label_or_left_out(tmp_path):
    (tmp_path / "t.csv").write_text("x,y,z,tags\n1,0,1,y\n2,1,0,z\n")
    with pytest.raises(DataError, match="labels and exclude both name 'y': a column is a label, or it is left out"):
        prepare(tmp_path / "t.csv", tmp_path / "out", labels=["y", "z"], exclude=["tags", "y"])
    options = {"labels": ["y", "z"], "label_column": "tags"}  # here the columns y and z are no labels
    assert prepare(tmp_path / "t.csv", tmp_path / "out", exclude=["y", "z"], **options).feature_names == ("x",)
