import gzip
from unicodedata import normalize

import numpy as np
import pandas as pd
import pytest
from image_files import encode, jpeg, picture, write

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("a.jpg", "sub/b.jpg", "c.png")):
        content = jpeg(number) if name.endswith("jpg") else encode(picture(number, mode="L"), "PNG")
        write(tmp_path / "in", f"images/{name}", content)
    return tmp_path / "in"


def table(folder, name="labels.csv", **columns):
    frame = pd.DataFrame({"file": ["c.png", "a.jpg", "sub/b.jpg"], **columns})
    frame.to_csv(folder / name, index=False, sep="\t" if name.endswith("tsv") else ",")


def test_all_other_columns_are_labels(folder, prepared):
    table(folder, red=[1, 0, 1], blue=[0, 0, 1])
    manifest, rows = prepared(folder, format="image-csv")
    assert manifest.labels == ("red", "blue")
    assert [row[:3] for row in rows] == [
        ("images/c.png", ["red"], ""),
        ("images/a.jpg", [], ""),
        ("images/sub/b.jpg", ["red", "blue"], ""),
    ]
    assert all(content == (folder / name).read_bytes() for name, _, _, content in rows)


def test_delimited_labels_splits_and_a_path_column(folder, prepared):
    table(folder, "t.tsv", n=[1, 2, 3], tags=["red|blue", "", "blue"], part=["test", "val", "train"])
    options = {"label_column": "tags", "label_delimiter": "|", "split_column": "part", "path_column": "file"}
    manifest, rows = prepared(folder, format="image-csv", files="t.tsv", **options)
    assert manifest.labels == ("blue", "red")
    assert [row[1:3] for row in rows] == [(["blue", "red"], "test"), ([], "validation"), (["blue"], "train")]


def test_a_table_with_another_delimiter_is_read_as_its_message_says(folder, prepared, capsys):
    write(folder, "labels.csv", "file;red;blue\nc.png;1;0\na.jpg;0;1\n")
    arguments = ["prepare", str(folder), str(folder.parent / "out"), "--format", "image-csv"]
    assert main(arguments) == 2
    assert "say --delimiter ';'" in capsys.readouterr().err
    assert main([*arguments, "--delimiter", ";"]) == 0
    assert Manifest.load(folder.parent / "out").label_counts == (1, 1)
    with pytest.raises(DataError, match="delimiter must be one character, got ';;'"):
        prepared(folder, format="image-csv", delimiter=";;", overwrite=True)
    with pytest.raises(DataError, match="delimiter does not apply to coco"):
        prepared(folder, format="coco", delimiter=";", overwrite=True)


def test_prefix_names_and_excluded_columns(folder, prepared):
    table(folder, y_red=[1, 0, 1], y_blue=[0, 0, 1], x=[5, 6, 7])
    assert prepared(folder, format="image-csv", label_prefix="y_")[0].labels == ("y_red", "y_blue")
    assert prepared(folder, format="image-csv", exclude=["x"], overwrite=True)[0].labels == ("y_red", "y_blue")
    assert prepared(folder, format="image-csv", labels=["y_blue"], overwrite=True)[0].label_counts == (1,)


def test_one_table_a_split_also_compressed(folder, prepared):
    (folder / "train.csv.gz").write_bytes(gzip.compress(b"file,red\nc.png,1\n"))
    write(folder, "val.csv", "file,red\na.jpg,0\n")
    manifest, _ = prepared(folder, format="image-csv", files={"train": "train.csv.gz", "val": "val.csv"})
    assert manifest.splits == {"": 0, "train": 1, "validation": 1, "test": 0}


def test_a_csv_file_as_the_source(folder, prepared):
    table(folder, red=[1, 0, 1])
    assert prepared(folder / "labels.csv", format="image-csv")[0].rows == 3


@pytest.mark.parametrize(
    ("spelled", "file"),
    [
        ("images/a.jpg", "a.jpg"),
        ("./images/sub/b.jpg", "sub/b.jpg"),
        ("../images/a.jpg", "a.jpg"),
        ("{folder}/images/a.jpg", "a.jpg"),
        ("sub\\b.jpg", "sub/b.jpg"),
        ("images\\sub\\b.jpg", "sub/b.jpg"),
        ("a", "a.jpg"),
        ("sub/b", "sub/b.jpg"),
        ("A.JPG", "a.jpg"),
        ("C", "c.png"),
    ],
)
def test_a_path_spelled_otherwise(folder, prepared, spelled, file):
    write(folder, "tables/labels.csv", f"file,red\n{spelled.format(folder=folder)},1\n")
    _, rows = prepared(folder, format="image-csv", files="tables/labels.csv")
    assert [row[0] for row in rows] == [f"images/{file}"]


@pytest.mark.parametrize(("stored", "listed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_unicode_forms(folder, prepared, stored, listed):
    name = "café é.jpg"
    write(folder, f"images/{normalize(stored, name)}", jpeg(7))
    write(folder, "labels.csv", f"file,red\n{normalize(listed, name)},1\n")
    assert prepared(folder, format="image-csv")[1][0][3] == jpeg(7)


def test_hidden_files_are_no_tables(folder, prepared):
    write(folder, "t.csv", "file,red\na.jpg,1\n")
    write(folder, "._t.csv", b"\x00\x05\x16\xff")
    assert prepared(folder, format="image-csv")[0].rows == 1


@pytest.mark.parametrize(
    ("spelled", "message"),
    [
        ("a", "image 'a' may mean 'a.jpg' or 'a.png': write the name in full"),
        ("d.JPG", "image 'd.JPG' may mean 'D.jpg' or 'd.jpg'"),
        ("b.jpg", "image 'b.jpg' is not in {folder}/images, which holds 6 files; did you mean 'sub/b.jpg'?"),
        ("/elsewhere/images/c.png", "and nothing outside is read; did you mean 'c.png'?"),
        ("../../secret.jpg", "and nothing outside is read"),
        ("http://127.0.0.1:9/c.png", "and nothing outside is read; did you mean 'c.png'?"),
        ("c.jpg", "did you mean 'c.png'?"),
        ("aa.jpg", "did you mean 'a.jpg'?"),
    ],
)
def test_what_could_be_another_image_is_named_only(folder, prepared, spelled, message):
    for name in ("images/a.png", "images/D.jpg", "images/d.jpg"):
        write(folder, name, jpeg())
    write(folder.parent, "secret.jpg", jpeg())
    write(folder, "labels.csv", f"file,red\n{spelled},1\n")
    with pytest.raises(DataError) as caught:
        prepared(folder, format="image-csv")
    assert "labels.csv:2: " in str(caught.value)
    assert message.format(folder=folder) in str(caught.value)


def test_a_path_with_two_homes(folder, prepared):
    """Relative to the table it is one image, relative to the source another."""
    for number, name in enumerate(("x.jpg", "train/x.jpg", "train/y.jpg")):
        write(folder, name, jpeg(number))
    write(folder, "train/labels.csv", "file,red\nx.jpg,1\n")
    options = {"files": "train/labels.csv", "images": "."}
    with pytest.raises(DataError, match=r"image 'x.jpg' may mean 'x.jpg' or 'train/x.jpg'"):
        prepared(folder, format="image-csv", **options)
    write(folder, "train/labels.csv", "file,red\ny.jpg,1\n")
    assert prepared(folder, format="image-csv", **options)[1][0][0] == "train/y.jpg"


def test_a_column_that_may_be_the_split_is_no_label(folder, prepared):
    write(folder, "labels.csv", "file,red,Fold\na.jpg,1,0\nc.png,0,1\n")
    with pytest.raises(DataError, match=r"labels.csv:1: column 'Fold' may say the split or be a label"):
        prepared(folder, format="image-csv")
    assert prepared(folder, format="image-csv", exclude=["Fold"])[0].labels == ("red",)
    assert prepared(folder, format="image-csv", labels=["red", "Fold"], overwrite=True)[0].labels == ("red", "Fold")


def test_images_without_a_column_for_any_label_are_packed_to_be_predicted(folder, prepared):
    write(folder, "labels.csv", "file\nc.png\na.jpg\n")
    manifest, rows = prepared(folder, format="image-csv")
    assert (manifest.labels, manifest.is_labelled, len(rows)) == ((), False, 2)
    manifest, _ = prepared(folder, format="image-csv", labels=["red", "blue"], overwrite=True)
    assert (manifest.labels, manifest.known_counts, manifest.is_labelled) == (("red", "blue"), (0, 0), False)
    assert np.isnan(read_labels(manifest).dense()).all()
    with pytest.raises(
        DataError, match=r"label 'filee' is no column; did you mean 'file'\?; .*--missing-labels unknown"
    ):
        prepared(folder, format="image-csv", labels=["filee"], overwrite=True)


def test_labels_that_an_image_table_lacks_are_absent_or_unknown_on_demand(folder, prepared):
    write(folder, "labels.csv", "file,blue\nc.png,1\na.jpg,0\n")
    options = {"labels": ["red", "blue"], "overwrite": True}
    with pytest.raises(DataError, match="label 'red' is no column"):
        prepared(folder, format="image-csv", **options)
    absent, _ = prepared(folder, format="image-csv", missing_labels="absent", **options)
    assert (absent.label_counts, absent.known_counts) == ((0, 1), None)
    unknown, _ = prepared(folder, format="image-csv", missing_labels="unknown", **options)
    assert (unknown.label_counts, unknown.known_counts) == ((0, 1), (0, 2))
    with pytest.raises(DataError, match="missing_labels: 'absnt'; did you mean 'absent'"):
        prepared(folder, format="image-csv", missing_labels="absnt")


def test_two_saved_indices_are_left_out_and_another_nameless_column_is_refused(folder, prepared):
    write(folder, "labels.csv", "Unnamed: 0.1,Unnamed: 0,file,red\n0,0,c.png,1\n1,1,a.jpg,0\n")
    assert prepared(folder, format="image-csv", path_column="file")[0].labels == ("red",)
    write(folder, "labels.csv", "file,red,Unnamed: 2\nc.png,1,0\na.jpg,0,1\n")
    with pytest.raises(DataError, match=r"labels.csv:1: column 3 of 3 has no name \('Unnamed: 2'\): .*--exclude"):
        prepared(folder, format="image-csv", overwrite=True)
    excluded = prepared(folder, format="image-csv", exclude=["Unnamed: 2"], overwrite=True)
    assert excluded[0].labels == ("red",)


def test_an_index_without_a_name_is_neither_path_nor_label(folder, prepared):
    """Files called 0 and 1 are there: the index would find them."""
    for number in (0, 1):
        write(folder, f"images/{number}.jpg", jpeg(number))
    write(folder, "labels.csv", ",file,red\n0,a.jpg,1\n1,c.png,0\n")
    with pytest.raises(DataError, match=r"labels.csv:1: the first column .* has no name: .*--path-column"):
        prepared(folder, format="image-csv")
    manifest, rows = prepared(folder, format="image-csv", path_column="file")
    assert (manifest.labels, [row[0] for row in rows]) == (("red",), ["images/a.jpg", "images/c.png"])


def test_keys_in_a_table_are_kept_nowhere(folder, prepared):
    write(folder, "labels.csv", "file,red\na.jpg,1\ns3://KEY:SECRET@bucket/x.jpg,1\n")
    manifest, _ = prepared(folder, format="image-csv", on_error="reject")
    rejected = pd.read_parquet(manifest.folder / "rejected.parquet")
    assert "s3://***@bucket/x.jpg" in rejected.to_csv()
    assert "SECRET" not in rejected.to_csv()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,red\na.jpg,1\nd.jpg,0\n", "labels.csv:3: image 'd.jpg' is not in"),
        ("file,red\na.jpg,1\nsub/../a.jpg,0\n", "labels.csv:3: image 'images/a.jpg' is listed twice"),
        ("file,red\na.jpg,2\n", "labels.csv:2: label 'red' is 2, expected 0 or 1"),
        ("file,red\na.jpg,maybe\n", "labels.csv:2: label 'red' is 'maybe', expected 0 or 1"),
        ("file,red\na.jpg\n", "labels.csv:2: 1 fields, expected 2"),
        ("file,red\n ,1\n", "labels.csv:2: the image's path is empty"),
        ("file,red\n", "labels.csv: lists no image"),
        ("", "labels.csv: is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder, prepared, text, message):
    write(folder, "labels.csv", text)
    with pytest.raises(DataError) as caught:
        prepared(folder, format="image-csv")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path_column": "fil"}, "path column 'fil' is no column; did you mean 'file'?"),
        ({"labels": ["rad"]}, "label 'rad' is no column; did you mean 'red'?"),
        ({"labels": "red"}, "labels must be a list of names"),
        ({"label_column": "file", "labels": ["b.jpg"]}, "unknown label"),
        ({"files": "nothing.csv"}, "nothing.csv: there is no such file"),
        ({"files": {"tarin": "labels.csv"}}, "split 'tarin'; did you mean 'train'?"),
        ({"files": {"val": "labels.csv", "validation": "labels.csv"}}, "a split is named twice"),
        ({"files": {"val": "labels.csv", "train": "labels.csv"}}, "is named for two splits"),
        ({"images": "pictures"}, "there is no such folder of images"),
        ({"difficult": "drop"}, "difficult does not apply to image-csv"),
        ({"format": "image_csv"}, "unknown format 'image_csv'; did you mean 'image-csv'?"),
        ({"on_error": "skip"}, "on_error: 'skip'"),
        ({"short_side": 0}, "short_side must be at least 1"),
        ({"quality": 101}, "quality must be in 1 .. 100"),
        ({"shard_mb": 0}, "shard_mb must be above 0"),
    ],
)
def test_options_that_do_not_fit(folder, prepared, options, message):
    table(folder, red=[1, 0, 1])
    with pytest.raises(DataError) as caught:
        prepared(folder, **{"format": "image-csv", **options})
    assert message in str(caught.value)


def test_filters_count_training_rows(folder, prepared):
    table(folder, red=[1, 0, 0], blue=[0, 0, 1], part=["train", "train", "test"])
    options = {"split_column": "part", "min_positives": 0, "drop_unlabelled": True}
    manifest, rows = prepared(folder, format="image-csv", **options)
    assert manifest.labels == ("red",)
    assert [row[0] for row in rows] == ["images/c.png"]
    assert manifest.filters == {
        "min_positives": 0,
        "labels_dropped": ["blue"],
        "drop_unlabelled": True,
        "rows_dropped": {"train": 1, "test": 1},
    }
    with pytest.raises(DataError, match="drops every label; the largest has 1"):
        prepared(folder, format="image-csv", split_column="part", min_positives=1, overwrite=True)


def test_the_photographs_of_ccp(shared, prepared):
    source = shared / "data" / "ccp"
    manifest, rows = prepared(source, format="image-csv")
    frame = pd.read_csv(source / "labels.csv").set_index("photo")
    assert (manifest.rows, manifest.n_labels) == (2098, 58)
    assert manifest.cardinality == pytest.approx(7.519, abs=5e-4)
    assert [row[0] for row in rows] == [f"images/{name}" for name in frame.index]
    assert all(row[3] == (source / row[0]).read_bytes() for row in rows)
    held = np.array([[name in row[1] for name in frame.columns] for row in rows])
    np.testing.assert_array_equal(held, frame.to_numpy(bool))


def test_cells_that_nobody_knows_and_soft_ones(folder, prepared):
    table(folder, red=[1, -1, 0.25], blue=[0, 1, -1])
    with pytest.raises(DataError, match=r"labels\.csv:3: label 'red' is -1, expected 0 or 1; .*say --unknown=-1 "):
        prepared(folder, format="image-csv", soft_labels=False, unknown=[], exclude=["blue"])
    manifest, _ = prepared(folder, format="image-csv", unknown=["-1"], soft_labels=True)
    np.testing.assert_array_equal(read_labels(manifest).dense(), np.float32([[1, 0], [np.nan, 1], [0.25, np.nan]]))
    assert (manifest.known_counts, manifest.soft, manifest.label_counts) == ((2, 2), True, (1, 1))
    options = {"unknown": ["-1"], "soft_labels": True, "overwrite": True}
    kept, _ = prepared(folder, format="image-csv", drop_unlabelled=True, **options)  # 0.25 is no positive
    np.testing.assert_array_equal(read_labels(kept).dense(), np.float32([[1, 0], [np.nan, 1]]))
    filled, _ = prepared(folder, format="image-csv", assume_negative=True, **options)
    assert filled.known_counts is None
    np.testing.assert_array_equal(read_labels(filled).dense(), np.float32([[1, 0], [0, 1], [0.25, 0]]))
