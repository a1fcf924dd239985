import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from image_files import encode, jpeg, picture

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_images.parquet_footer import check_footer

IMAGE = {"_type": "Image"}
CLASSES = {"names": ["cat", "dog", "cow"], "_type": "ClassLabel"}


def write_rows(path, columns, features=None, row_group_size=3):
    table = pa.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_size)


def images(n, first=0):
    return [{"bytes": jpeg(first + row), "path": f"{row}.jpg"} for row in range(n)]


LABELS = [[0], [2, 0], [], [1], [1, 1], [0, 1, 2], [2]]


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": CLASSES, "length": -1, "_type": "Sequence"},
        {"feature": CLASSES, "_type": "List"},
        [CLASSES],
    ],
)
def test_class_labels_of_the_metadata(tmp_path, prepared, feature):
    source = tmp_path / "in"
    features = {"image": IMAGE, "tags": feature}
    write_rows(source / "data/train-00000-of-00002.parquet", {"image": images(7), "tags": LABELS}, features)
    write_rows(source / "data/test-00000-of-00001.parquet", {"image": images(1, 50), "tags": [[1]]}, features)
    manifest, rows = prepared(source, format="huggingface")
    assert manifest.labels == ("cat", "dog", "cow")
    expected = [sorted({CLASSES["names"][label] for label in row}, key=CLASSES["names"].index) for row in LABELS]
    assert [row[1] for row in rows] == [*expected, ["dog"]]
    assert [row[2] for row in rows] == ["train"] * 7 + ["test"]
    assert [row[3] for row in rows] == [jpeg(seed) for seed in (*range(7), 50)]
    assert rows[6][0] == "data/train-00000-of-00002.parquet#6"


def test_pieces_cut_row_groups_anywhere(tmp_path, prepared, monkeypatch):
    from d2ace.pipeline.data.from_images import prepare as module
    from d2ace.pipeline.data.from_images import running

    monkeypatch.setattr(module, "run_pieces", lambda pieces, job, tell: list(running._run_here(pieces, job)))
    write_rows(tmp_path / "a.parquet", {"image": images(7), "labels": [["a"]] * 7})
    one = len(jpeg(0))
    manifest, rows = prepared(tmp_path / "a.parquet", format="huggingface", shard_mb=2.5 * one / 1e6)
    assert len(manifest.shards) > 2
    assert [row[3] for row in rows] == [jpeg(seed) for seed in range(7)]


def test_names_without_metadata_and_a_plain_binary_column(tmp_path, prepared):
    columns = {"image": [jpeg(1), jpeg(2)], "label": ["b", "a"]}
    write_rows(tmp_path / "in/x.parquet", columns)
    manifest, rows = prepared(tmp_path / "in", format="huggingface")
    assert manifest.labels == ("a", "b")
    assert [row[1:] for row in rows] == [(["b"], "", jpeg(1)), (["a"], "", jpeg(2))]


@pytest.mark.parametrize("nested", ["struct of lists", "list of structs"])
def test_labels_of_objects(tmp_path, prepared, nested):
    category = {"category": CLASSES, "area": {"dtype": "int64", "_type": "Value"}}
    if nested == "list of structs":
        cells = [[{"category": 2, "area": 5}, {"category": 0, "area": 1}], []]
        feature = {"feature": category, "_type": "List"}
    else:
        cells = [{"category": [2, 0], "area": [5, 1]}, {"category": [], "area": []}]
        feature = {"feature": category, "length": -1, "_type": "Sequence"}
    write_rows(tmp_path / "in/x.parquet", {"image": images(2), "objects": cells}, {"image": IMAGE, "objects": feature})
    manifest, rows = prepared(tmp_path / "in", format="huggingface", label_column="objects.category")
    assert manifest.labels == ("cat", "dog", "cow")
    assert [row[1] for row in rows] == [["cat", "cow"], []]


@pytest.mark.parametrize(
    "kind",
    [int, bool, float],
)
def test_marks_and_class_numbers_are_told_apart(tmp_path, prepared, kind):
    rows = [[kind(mark) for mark in row] for row in ([1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 0])]
    write_rows(tmp_path / "in/x.parquet", {"image": images(3), "labels": rows})
    if kind is int:
        with pytest.raises(DataError, match=r"every list of labels has 4 numbers.*say --label-lists multi-hot or"):
            prepared(tmp_path / "in", format="huggingface")
        manifest, stored = prepared(tmp_path / "in", format="huggingface", label_lists="indices")
        assert [row[1] for row in stored] == [["0", "1"]] * 3
    manifest, stored = prepared(
        tmp_path / "in", format="huggingface", label_lists="multi-hot" if kind is int else None, overwrite=True
    )
    assert (manifest.labels, manifest.label_counts) == (("0", "1", "2", "3"), (2, 2, 1, 1))
    assert [row[1] for row in stored] == [["0", "3"], ["1"], ["0", "1", "2"]]


@pytest.mark.parametrize(
    ("rows", "options", "refused"),
    [
        ([[0, 1], [1, 0]], {"labels": ["a", "b"]}, True),
        ([[0, 1], [1, 0]], {"labels": ["a", "b", "c"]}, False),
        ([[0, 1], [1]], {}, False),
        ([[0, 1], []], {}, False),
        ([[0, 1], [1, 2]], {}, False),
        ([[0], [1]], {}, False),
        ([0, 1], {}, False),
        ([None, [0, 1]], {}, True),
    ],
)
def test_lists_with_one_reading_need_no_word(tmp_path, prepared, rows, options, refused):
    write_rows(tmp_path / "in/x.parquet", {"image": images(2), "labels": rows})
    if refused:
        with pytest.raises(DataError, match="--label-lists multi-hot or --label-lists indices"):
            prepared(tmp_path / "in", format="huggingface", **options)
    else:
        assert prepared(tmp_path / "in", format="huggingface", **options)[0].rows == 2


def test_marks_of_another_length(tmp_path, prepared):
    write_rows(tmp_path / "in/x.parquet", {"image": images(2), "labels": [[0, 1, 1], [0, 1]]})
    with pytest.raises(DataError, match="row 1: its labels are 2 marks, expected 3"):
        prepared(tmp_path / "in", format="huggingface", label_lists="multi-hot")
    with pytest.raises(DataError, match="row 0: its labels are 3 marks, expected 4"):
        prepared(tmp_path / "in", format="huggingface", label_lists="multi-hot", labels=list("abcd"))
    with pytest.raises(DataError, match="label_lists: 'multihot'; did you mean 'multi-hot'"):
        prepared(tmp_path / "in", format="huggingface", label_lists="multihot")


def test_rows_that_hold_a_path_and_no_bytes(tmp_path, prepared):
    cells = [{"bytes": jpeg(row), "path": None} for row in range(4)]
    cells[1], cells[2] = {"bytes": None, "path": "pictures/a.jpg"}, {"bytes": None, "path": f"{tmp_path}/in/b.jpg"}
    write_rows(tmp_path / "in/data/x.parquet", {"image": cells, "label": list("abab")})
    (tmp_path / "in/pictures").mkdir()
    (tmp_path / "in/pictures/a.jpg").write_bytes(jpeg(50))
    (tmp_path / "in/b.jpg").write_bytes(jpeg(51))
    _, rows = prepared(tmp_path / "in", format="huggingface")
    assert [row[0] for row in rows] == [f"data/x.parquet#{row}" for row in range(4)]
    assert [row[3] for row in rows] == [jpeg(seed) for seed in (0, 50, 51, 3)]


@pytest.mark.parametrize("path", ["../secret.jpg", "{parent}/secret.jpg", "http://127.0.0.1:9/a.jpg", "none.jpg"])
def test_images_that_are_only_paths_are_bad(tmp_path, prepared, path):
    cells = [{"bytes": jpeg(), "path": None}, {"bytes": None, "path": path.format(parent=tmp_path)}, None]
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    write_rows(tmp_path / "in/x.parquet", {"image": cells, "label": ["a", "b", "a"]})
    with pytest.raises(DataError, match=r"x.parquet: row 1: its bytes are null, and its path '.*' is not in"):
        prepared(tmp_path / "in", format="huggingface")
    manifest, _ = prepared(tmp_path / "in", format="huggingface", on_error="reject")
    assert (manifest.rows, manifest.filters["rejected"]) == (1, 2)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"image": images(1), "tags": [[1]]}, {}, "holds the labels: say --label-column, one of"),
        ({"image": images(1), "tags": [[1]]}, {"label_column": "tag"}, "'tag' is no column; did you mean 'tags'?"),
        ({"x": [1], "label": [1]}, {}, "has 0 image columns"),
        ({"image": ["a.jpg"], "label": [1]}, {}, "column 'image' has type string, expected a struct with bytes"),
        ({"image": images(2), "label": [1, -1]}, {}, "row 1: class number -1, expected 0 or more"),
        ({"image": images(2), "label": [1, 3]}, {"labels": list("abc")}, "row 1: class number 3, expected 0 .. 2"),
        ({"image": images(1), "label": [10**9]}, {}, "row 0: class number 1000000000 would make 1000000001 labels"),
        ({"image": images(1), "label": [1.5]}, {}, "row 0: its labels are 1.5, expected names or class numbers"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path, prepared, columns, options, message):
    write_rows(tmp_path / "in/x.parquet", columns)
    with pytest.raises(DataError) as caught:
        prepared(tmp_path / "in", format="huggingface", **options)
    assert message in str(caught.value)
    assert "x.parquet" in str(caught.value)


def test_files_of_other_classes_or_none(tmp_path, prepared):
    features = {"image": IMAGE, "label": CLASSES}
    write_rows(tmp_path / "in/a.parquet", {"image": images(1), "label": [1]}, features)
    write_rows(
        tmp_path / "in/b.parquet",
        {"image": images(1), "label": [1]},
        {**features, "label": {**CLASSES, "names": ["dog", "cat"]}},
    )
    with pytest.raises(DataError, match=r"b.parquet: its class names \['dog', 'cat'\] differ"):
        prepared(tmp_path / "in", format="huggingface")
    (tmp_path / "in/b.parquet").write_bytes((tmp_path / "in/a.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"b.parquet: cannot be read"):
        prepared(tmp_path / "in", format="huggingface")


def test_grey_pictures_keep_their_mode(tmp_path, prepared):
    content = encode(picture(mode="L"))
    write_rows(tmp_path / "in/x.parquet", {"image": [{"bytes": content, "path": None}], "label": ["a"]})
    manifest, rows = prepared(tmp_path / "in", format="huggingface")
    assert (manifest.image.mode, rows[0][3]) == ("L", content)
    assert np.sum(manifest.label_counts) == 1


@pytest.mark.parametrize("said", ["histogram size mismatch", "the schema says BYTE_ARRAY"])
def test_a_footer_of_which_pyarrow_aborts_is_refused(tmp_path, prepared, said):
    """A list of size statistics that is longer than it says, or a column of another kind, ends a process that asks."""
    path = tmp_path / "in/x.parquet"
    write_rows(path, {"image": images(2), "labels": [["a"], ["b"]]})
    content = path.read_bytes()
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(begin, len(content) - 8):
        damaged = content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
        try:
            with pq.ParquetFile(io.BytesIO(damaged)) as file:
                check_footer(file)
        except (OSError, ValueError) as error:
            if said in str(error):
                break
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=rf"x\.parquet: .*{said}"):
        prepared(path, format="huggingface")
