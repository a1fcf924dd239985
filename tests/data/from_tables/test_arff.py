import bz2
import gzip
import lzma

import numpy as np
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_tables import arff_rows
from d2ace.pipeline.data.from_tables.arff import arff_source
from d2ace.pipeline.data.from_tables.mulan_xml import read_label_list
from d2ace.pipeline.data.rows import concatenate

HEADER = """% a comment
@relation 'two: -C 2'

@ATTRIBUTE y1 {0,1}
@attribute 'the \\'second\\'' {0, 1}
@attribute a numeric
@attribute "colour of it" {red,'light blue',green}
@attribute flag {no,yes}
@attribute bit {1,0}
@attribute\tb\tREAL
@data
"""
DENSE = """1,0,2.5,'light blue',no,1,-1e3
% in between

0, 1, -1 ,red, yes,0,+4
"""
SPARSE = """{0 1,2 2.5,3 'light blue',6 -1e3}
{}
{ 6 4 , 1 1, 2 -1, 4 yes, 5 0 }
"""
NAMES = ("a", "colour of it=red", "colour of it=light blue", "colour of it=green", "flag=yes", "bit", "b")
LABEL_LIST = '<?xml version="1.0"?>\n<labels xmlns="http://mulan.sourceforge.net/labels">\n{}</labels>\n'


def write(folder, text, name="x.arff"):
    path = folder / name
    path.write_text(text)
    return path


def write_labels(folder, *lines, name="x.xml"):
    return write(folder, LABEL_LIST.format("".join(f"{line}\n" for line in lines)), name)


def read(path, **options):
    source = arff_source(path, **options)
    rows = concatenate(list(source.chunks()))
    features = rows.features if isinstance(rows.features, np.ndarray) else rows.features.toarray()
    return source, features, rows.labels.dense()


def test_dense_rows_with_every_kind_of_attribute(tmp_path):
    source, features, labels = read(write(tmp_path, HEADER + DENSE))
    assert source.kind == "dense"
    assert source.labels == ("y1", "the 'second'")
    assert source.feature_names == NAMES
    assert source.n_features == 7
    assert features.dtype == np.float32
    np.testing.assert_array_equal(labels, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(features, [[2.5, 0, 1, 0, 0, 1, -1000], [-1, 1, 0, 0, 1, 0, 4]])


def test_sparse_rows_leave_out_zeros_and_first_values(tmp_path):
    source, features, labels = read(write(tmp_path, HEADER + SPARSE))
    assert source.kind == "sparse"
    np.testing.assert_array_equal(labels, [[1, 0], [0, 0], [0, 1]])
    expected = [[2.5, 0, 1, 0, 0, 1, -1000], [0, 1, 0, 0, 0, 1, 0], [-1, 1, 0, 0, 1, 0, 4]]
    np.testing.assert_array_equal(features, expected)


def test_sparse_rows_are_known_behind_a_comment_that_begins_with_a_blank(tmp_path):
    assert read(write(tmp_path, f"{HEADER} \t% a comment\n{SPARSE}"))[0].kind == "sparse"


@pytest.mark.parametrize("rows", [DENSE, SPARSE])
def test_chunks_of_any_size_give_the_same_rows(tmp_path, rows, monkeypatch):
    path = write(tmp_path, HEADER + rows * 5)
    _, features, labels = read(path)
    monkeypatch.setattr(arff_rows, "CHUNK_VALUES", 8)
    assert len(list(arff_source(path).chunks())) > 3
    _, again, labels_again = read(path)
    np.testing.assert_array_equal(again, features)
    np.testing.assert_array_equal(labels_again, labels)


def test_a_pass_can_be_repeated_and_carries_the_split(tmp_path):
    source = arff_source(write(tmp_path, HEADER + DENSE), split=3)
    for _ in range(2):
        assert [chunk.split.tolist() for chunk in source.chunks()] == [[3, 3]]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_compressed_files(tmp_path, suffix, pack):
    path = tmp_path / f"x.arff{suffix}"
    path.write_bytes(pack.compress((HEADER + DENSE).encode()))
    assert read(path)[1].shape == (2, 7)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
@pytest.mark.parametrize(("damage", "message"), [("cut", "truncated or damaged archive"), ("flipped", "")])
def test_damaged_archives(tmp_path, suffix, pack, damage, message):
    random = np.random.default_rng(0)
    rows = "".join(f"1,0,{value},red,no,0,1\n" for value in random.random(5000))
    packed = bytearray(pack.compress((HEADER + rows).encode()))
    if damage == "cut":
        del packed[len(packed) * 2 // 3 :]
    else:
        packed[len(packed) // 2] ^= 255
    path = tmp_path / f"x.arff{suffix}"
    path.write_bytes(packed)
    with pytest.raises(DataError, match=rf"x\.arff\.\w+:\d+: {message}"):
        read(path)


def test_meka_counts_from_the_end_when_negative(tmp_path):
    text = HEADER.replace("-C 2", "-C -1").replace("@attribute\tb\tREAL", "@attribute b {0,1}")
    source, features, labels = read(write(tmp_path, text + "1,0,2.5,red,no,1,1\n"))
    assert source.labels == ("b",)
    assert source.feature_names[:2] == ("y1", "the 'second'")
    np.testing.assert_array_equal(labels, [[1]])
    assert features.shape == (1, 8)


def test_a_label_list_beside_the_file_gives_the_labels(tmp_path):
    write_labels(tmp_path, '<label name="bit"></label>', '<label name="y1"><label name="the \'second\'"/></label>')
    for name in ("x.arff", "x-train.arff", "x-test.arff"):
        source, _, labels = read(write(tmp_path, HEADER.replace(": -C 2", "") + DENSE, name))
        assert source.labels == ("bit", "y1", "the 'second'")
        np.testing.assert_array_equal(labels, [[1, 1, 0], [0, 0, 1]])


def test_a_label_list_and_meka_must_agree_or_one_be_chosen(tmp_path):
    path = write(tmp_path, HEADER + DENSE)
    beside = write_labels(tmp_path, '<label name="bit"/>')
    with pytest.raises(DataError, match=r"two lists of labels: the relation's -C says y1, .* say --label-file x\.xml"):
        read(path)
    assert read(path, label_file=beside)[0].labels == ("bit",)
    assert read(path, labels=["y1"])[0].labels == ("y1",)
    write_labels(tmp_path, "<label name=\"the 'second'\"/>", '<label name="y1"/>')
    assert read(path)[0].labels == ("the 'second'", "y1")  # the same labels: the list's order


def test_a_label_that_sparse_rows_have_unless_they_say_otherwise_is_told(tmp_path):
    source, _, labels = read(write(tmp_path, HEADER + SPARSE), labels=["bit", "y1"])
    assert labels[:, 0].tolist() == [1, 1, 0]
    (notice,) = source.notices
    assert notice.startswith("x.arff: label 'bit' is declared with 1 first, so sparse rows without it have it")


def test_labels_can_be_given(tmp_path):
    path = write(tmp_path, HEADER + DENSE)
    assert read(path, labels=["bit"])[0].labels == ("bit",)
    other = write_labels(tmp_path, '<label name="y1"/>', name="other.xml")
    assert read(path, label_file=other)[0].labels == ("y1",)


def test_labels_may_be_declared_numeric(tmp_path):
    source, _, labels = read(
        write(tmp_path, "@relation x\n@attribute y real\n@attribute a real\n@data\n1,3\n0,4\n"), labels=["y"]
    )
    assert source.labels == ("y",)
    np.testing.assert_array_equal(labels, [[1], [0]])


@pytest.mark.parametrize("values", ["{FALSE,TRUE}", "{TRUE,FALSE}", "{no, yes}", "{'f','t'}", "{1.0,0}"])
@pytest.mark.parametrize("sparse", [False, True])
def test_labels_may_be_spelled_as_words(tmp_path, values, sparse):
    yes = next(word.strip(" '") for word in values.strip("{}").split(",") if word.strip(" '")[0] in "TytT1")
    no = next(word.strip(" '") for word in values.strip("{}").split(",") if word.strip(" '") != yes)
    rows = f"{{0 3,1 {yes}}}\n{{0 4,1 {no}}}\n" if sparse else f"3,{yes}\n4,{no}\n"
    head = f"@relation x\n@attribute f real\n@attribute a {values} % the label\n@data\n"
    _, features, labels = read(write(tmp_path, head + rows), labels=["a"])
    assert labels.ravel().tolist() == [1, 0]
    assert features.ravel().tolist() == [3, 4]


def test_a_comment_after_a_declaration_is_no_part_of_it(tmp_path):
    text = """@relation 'x: -C 1' % -C 2 in an older version
@attribute y {0,1} % the 'first' {label}
@attribute 'a % b' numeric % of what
@attribute share {5%,'10 % of it', all} % quoted or not
@attribute rest { low %, high }
@data
1,2,5%,high
0,3,'10 % of it',high
"""
    source, features, labels = read(write(tmp_path, text))
    assert source.labels == ("y",)
    assert source.feature_names == ("a % b", "share=5%", "share=10 % of it", "share=all", "rest=high")
    assert labels.ravel().tolist() == [1, 0]
    assert features.tolist() == [[2, 1, 0, 0, 1], [3, 0, 1, 0, 1]]


GOOD = "1,0,2.5,red,no,1,4\n"
FIRST = HEADER.count("\n") + 1


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        (GOOD + "1,0,2.5,red,no,1\n", 1, "6 fields, expected 7"),
        (GOOD + "\n% c\n" + GOOD.strip() + ",5\n", 3, "8 fields, expected 7"),
        (GOOD + "1,0,2.5,red,no,1,4,{5}\n", 1, r"8 fields, expected 7 \(instance weights are not supported\)"),
        ("1,0,2.5,gren,no,1,4\n", 0, "'colour of it' has no value 'gren'; did you mean 'green'"),
        ("1,0,2.5,'light_blue',no,1,4\n", 0, "has no value 'light_blue'; did you mean 'light blue'"),
        ("2,0,2.5,red,no,1,4\n", 0, "'y1' has no value '2'"),
        ("1,0,much,red,no,1,4\n", 0, "'a' is 'much', expected a number"),
        ("1,0,1_0,red,no,1,4\n", 0, "'a' is '1_0', expected a number"),
        (GOOD + "1,0,nan,red,no,1,4\n", 1, "'a' is nan, expected a finite"),
        (GOOD + "1,0,2,red,no,1,-inf\n", 1, "'b' is -inf, expected a finite"),
        ("1,0,1e39,red,no,1,4\n", 0, "'a' is 1e.39, expected a finite float32"),
        (GOOD + "1,0,?,red,no,1,4\n", 1, r"'a' is missing \('\?'\): fill missing values or remove"),
        ("1,0,1,?,no,1,4\n", 0, "'colour of it' is missing"),
        ("?,0,1,red,no,1,4\n", 0, "'y1' is missing"),
        ("1,0,1,'red,no,1,4\n", 0, "broken quotes"),
        (GOOD + "{0 1}\n", 1, "a sparse row after dense ones"),
        ("{0 1}\n" + GOOD, 1, "a dense row after sparse ones"),
        ("{0 1}\n{0 1,2 4", 1, "must end with its '}'"),
        ("{0 1}\n{0 1},{5}\n", 1, r"weights are not supported"),
        ("{0 1,7 4}\n", 0, r"attribute index 7, expected 0 .. 6"),
        ("{0 1}\n{-1 4}\n", 1, "attribute index -1, expected 0 or more"),
        ("{2 1,1000000000 1}\n", 0, "attribute index 1000000000, expected 0 .. 6|expected 'INDEX VALUE' pairs"),
        ("{2 1," + "9" * 5000 + " 1}\n", 0, "expected 'INDEX VALUE' pairs"),
        ("{}\n{2 1,0 1,2 3}\n", 1, "attribute index 2 occurs twice"),
        ("{2 1 3}\n", 0, "'a' is '1 3', expected a number"),
        ("{2}\n", 0, "expected 'INDEX VALUE' pairs, got '2'"),
        ("{2 1,,3 red}\n", 0, "expected 'INDEX VALUE' pairs"),
        ("{}\n{2 nan}\n", 1, "'a' is nan, expected a finite"),
        ("{2 ?}\n", 0, "'a' is missing"),
        ("{3 blue}\n", 0, "has no value 'blue'; did you mean 'light blue'|has no value 'blue'; known"),
        ("{1 2}\n", 0, "has no value '2'"),
    ],
)
def test_a_bad_row_gives_one_error_with_its_line(tmp_path, rows, line, message):
    path = write(tmp_path, HEADER + rows)
    with pytest.raises(DataError, match=rf"x\.arff:{FIRST + line}: .*({message})"):
        read(path)


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("@relation x\nhello\n", 2, "expected @relation, @attribute or @data, got 'hello'"),
        ("@relation x\n@attribute a real\n", 2, "the file ends before @data"),
        ("@relation x\n@data\n", 2, "@data before any @attribute"),
        (
            "@relation x\n@attribute a real\n@attribute b real\n@attribute a real\n",
            4,
            "duplicate attribute 'a', first at line 2",
        ),
        ("@attribute a string\n", 1, "'a' has type 'string': expected numeric"),
        ("@attribute a date 'yyyy'\n", 1, "expected numeric"),
        ("@attribute a {0,1\n", 1, "expected values in braces"),
        ("@attribute a {}\n", 1, "expected values in braces"),
        ("@attribute a {x,,y}\n", 1, "expected values in braces"),
        ("@attribute a {x,y,x}\n", 1, "declares a value twice"),
        ("@attribute a\n", 1, "expected '@attribute NAME TYPE'"),
        ("@attribute a {0,1}\n@attribute b real\n@data\n% nothing\n", 3, "no rows after @data"),
        (
            "@attribute a {yes,maybe}\n@attribute b real\n@data\nyes,1\n",
            1,
            r"label 'a' has values \{yes,maybe\}, expected \{0,1\}",
        ),
        (
            "@attribute a {1,TRUE}\n@attribute b real\n@data\n1,1\n",
            1,
            r"label 'a' has values \{1,TRUE\}, expected \{0,1\}",
        ),
        ("@attribute a % numeric\n", 1, "'a' has type ''"),
    ],
)
def test_a_bad_header_gives_one_error_with_its_line(tmp_path, header, line, message):
    with pytest.raises(DataError, match=rf"x\.arff:{line}: .*{message}"):
        read(write(tmp_path, header), labels=["a"])


def test_numeric_labels_must_be_0_or_1(tmp_path):
    path = write(tmp_path, "@relation x\n@attribute y real\n@attribute a real\n@data\n1,3\n0.5,4\n")
    with pytest.raises(DataError, match=r"x\.arff:6: label 'y' is 0.5, expected 0 or 1"):
        read(path, labels=["y"])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"x\.arff: is empty"):
        read(write(tmp_path, ""))
    with pytest.raises(DataError, match=r"y\.arff: cannot be read: No such file"):
        read(tmp_path / "y.arff")
    path = tmp_path / "latin.arff"
    path.write_bytes((HEADER.replace("flag", "fläg") + DENSE).encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.arff:\d+: not utf-8.* --encoding latin-1"):
        read(path)
    assert read(path, encoding="latin-1")[0].feature_names[4] == "fläg=yes"
    with pytest.raises(DataError, match="unknown encoding 'klingon'"):
        read(path, encoding="klingon")


def test_labels_that_do_not_fit(tmp_path):
    path = write(tmp_path, HEADER + DENSE)
    with pytest.raises(DataError, match=r"label 'bitt' is no attribute of x\.arff; did you mean 'bit'"):
        read(path, labels=["bitt"])
    with pytest.raises(DataError, match=r"duplicate label names \['y1'\]"):
        read(path, labels=["y1", "bit", "y1"])
    with pytest.raises(DataError, match="the relation says -C 9, but there are 7 attributes"):
        read(write(tmp_path, HEADER.replace("-C 2", "-C 9") + DENSE))
    with pytest.raises(DataError, match="nothing says which attributes are labels: give labels"):
        read(write(tmp_path, HEADER.replace("-C 2", "") + DENSE))
    with pytest.raises(DataError, match="nothing says which attributes are labels"):
        read(write(tmp_path, HEADER.replace("-C 2", f"-C {'9' * 5000}") + DENSE))
    with pytest.raises(DataError, match="every attribute is a label"):
        read(write(tmp_path, "@relation 'x: -C 1'\n@attribute y {0,1}\n@data\n1\n"))


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (['<label name="y1"/>', '<label name="nope"/>'], 4, r"label 'nope' is no attribute of x\.arff"),
        (
            ['<label name="y1"/>', '<label name="bit"/>', '<label name="y1"/>'],
            5,
            "duplicate label name 'y1', first at line 3",
        ),
        (["<label/>"], 3, '<label> has no name="..."'),
        (['<label name="y1">'], 4, "not valid XML: mismatched tag"),
        (["<label name=y1/>"], 3, "not valid XML"),
    ],
)
def test_a_bad_label_list_gives_one_error_with_its_line(tmp_path, lines, line, message):
    path = write(tmp_path, HEADER.replace(": -C 2", "") + DENSE)
    write_labels(tmp_path, *lines)
    with pytest.raises(DataError, match=rf"x\.xml:{line}: {message}"):
        read(path)


def test_label_lists_that_hold_nothing(tmp_path):
    with pytest.raises(DataError, match=r"x\.xml: names no label"):
        read_label_list(write_labels(tmp_path))
    with pytest.raises(DataError, match=r"x\.xml:1: not valid XML: no element found"):
        read_label_list(write(tmp_path, "", "x.xml"))
    with pytest.raises(DataError, match=r"z\.xml: cannot be read"):
        read_label_list(tmp_path / "z.xml")
