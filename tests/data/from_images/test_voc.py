import pytest
from image_files import jpeg, write

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_images import prepare_images

SETS = "ImageSets/Main"


def annotation(*objects):
    parts = [f"<object><name>{name}</name>{rest}</object>" for name, rest in objects]
    return f"<annotation><filename>x.jpg</filename>{''.join(parts)}</annotation>"


@pytest.fixture
def voc(tmp_path):
    folder = tmp_path / "voc"
    hard = "<difficult>1</difficult>"
    for number, (name, objects) in enumerate(
        {
            "000001": [("dog", ""), ("cat", "<difficult>0</difficult>"), ("dog", hard)],
            "000002": [("person", hard)],
            "000003": [("cat", "<bndbox><xmin>1</xmin></bndbox>")],
        }.items()
    ):
        write(folder, f"Annotations/{name}.xml", annotation(*objects))
        write(folder, f"JPEGImages/{name}.jpg", jpeg(number))
    write(folder, f"{SETS}/train.txt", "000002\n000001\n\n")
    write(folder, f"{SETS}/val.txt", "000003 1\n")
    write(folder, f"{SETS}/trainval.txt", "000001\n000002\n000003\n")
    return folder


def test_sets_are_splits_and_objects_are_labels(voc, prepared):
    manifest, rows = prepared(voc, format="voc")
    assert manifest.labels == ("cat", "dog", "person")
    assert [row[:3] for row in rows] == [
        ("JPEGImages/000002.jpg", ["person"], "train"),
        ("JPEGImages/000001.jpg", ["cat", "dog"], "train"),
        ("JPEGImages/000003.jpg", ["cat"], "validation"),
    ]
    assert all(content == (voc / name).read_bytes() for name, _, _, content in rows)


@pytest.mark.parametrize(
    ("missing", "splits"),
    [
        ((), ["train", "train", "validation", "test"]),
        (("train.txt",), ["", "", "", "test"]),
        (("val.txt",), ["", "", "", "test"]),
        (("train.txt", "trainval.txt"), ["validation", "test"]),
        (("train.txt", "val.txt", "trainval.txt"), ["test"]),
    ],
)
def test_trainval_stands_in_where_one_of_its_parts_is_missing(voc, prepared, missing, splits):
    write(voc, "Annotations/000004.xml", annotation(("dog", "")))
    write(voc, "JPEGImages/000004.jpg", jpeg(4))
    write(voc, f"{SETS}/test.txt", "000004\n")
    for name in missing:
        (voc / SETS / name).unlink()
    _, rows = prepared(voc, format="voc")
    assert [row[2] for row in rows] == splits


def test_difficult_objects_can_be_dropped(voc, prepared):
    manifest, rows = prepared(voc, format="voc", difficult="drop")
    assert [row[1] for row in rows] == [[], ["cat", "dog"], ["cat"]]
    assert manifest.labels == ("cat", "dog")


def test_labels_can_be_given(voc, prepared):
    manifest, rows = prepared(voc, format="voc", labels=["person", "cow", "dog", "cat"])
    assert manifest.labels == ("person", "cow", "dog", "cat")
    assert rows[1][1] == ["dog", "cat"]
    write(voc, "names.txt", "person\ndog\ncats\n")
    with pytest.raises(DataError, match=r"000001.xml: unknown label 'cat'; did you mean 'cats'\?"):
        prepared(voc, format="voc", label_file="names.txt", overwrite=True)


def test_a_set_can_be_chosen(voc, prepared):
    manifest, _ = prepared(voc, format="voc", files={"train": f"{SETS}/trainval.txt"})
    assert manifest.splits["train"] == 3
    with pytest.raises(DataError, match=r"train.txt:1: image 'JPEGImages/000002.jpg' is listed twice"):
        prepared(voc, format="voc", files={"": f"{SETS}/trainval.txt", "train": f"{SETS}/train.txt"}, overwrite=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("Annotations/000001.xml", "<annotation>\n<object></annotation>", "000001.xml:2: not valid XML"),
        ("Annotations/000001.xml", annotation(("", "")), "000001.xml: an object needs a <name>"),
        ("Annotations/000001.xml", annotation(("a", "<difficult>yes</difficult>")), "<difficult> 0 or 1"),
        (f"{SETS}/train.txt", "000007\n", "train.txt:1: annotation '000007' is not in"),
    ],
)
def test_a_bad_annotation_stops_or_is_left_out(voc, prepared, name, content, message):
    write(voc, name, content)
    with pytest.raises(DataError) as caught:
        prepared(voc, format="voc")
    assert message in str(caught.value)
    manifest, _ = prepared(voc, format="voc", on_error="reject")
    assert manifest.filters["rejected"] == 1


def test_a_name_with_spaces_is_no_mark(voc, prepared):
    for name, label in (("photo", "cat"), ("photo (1)", "dog"), ("photo 1", "cow")):
        write(voc, f"Annotations/{name}.xml", annotation((label, "")))
        write(voc, f"JPEGImages/{name}.jpg", jpeg())
    write(voc, "set.txt", "photo (1)\nphoto (1)  -1\n")
    with pytest.raises(DataError, match=r"set.txt:2: image 'JPEGImages/photo \(1\).jpg' is listed twice"):
        prepared(voc, format="voc", files="set.txt")
    write(voc, "set.txt", "photo (1)\n")
    assert prepared(voc, format="voc", files="set.txt", overwrite=True)[1][0][:2] == (
        "JPEGImages/photo (1).jpg",
        ["dog"],
    )
    write(voc, "set.txt", "photo 1\n")
    with pytest.raises(DataError, match=r"'photo 1' may mean photo 1.xml or photo.xml"):
        prepared(voc, format="voc", files="set.txt", overwrite=True)


@pytest.mark.parametrize("line", ["000001.jpg", "000001.JPG -1", "000001  1"])
def test_what_follows_a_name_in_a_set(voc, prepared, line):
    write(voc, "set.txt", line + "\n")
    assert prepared(voc, format="voc", files="set.txt")[1][0][:2] == ("JPEGImages/000001.jpg", ["cat", "dog"])


def test_labels_that_look_alike_are_told(voc, capsys):
    write(voc, "Annotations/000003.xml", annotation(("Cat", "")))
    manifest = prepare_images(voc, voc.parent / "set", format="voc")
    assert manifest.labels == ("Cat", "cat", "dog", "person")
    assert "labels that differ in case or spelling only: 'Cat', 'cat'" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["../secret", "{parent}/secret", "http://127.0.0.1:9/secret", "s3://no-bucket/secret"])
def test_a_set_names_nothing_outside(voc, prepared, line):
    write(voc.parent, "secret.xml", annotation(("secret", "")))
    write(voc, f"{SETS}/train.txt", line.format(parent=voc.parent) + "\n")
    with pytest.raises(DataError, match=r"train.txt:1: annotation '.*' is not in .*, and nothing outside is read"):
        prepared(voc, format="voc")


def test_an_annotation_without_its_image(voc, prepared):
    (voc / "JPEGImages/000001.jpg").unlink()
    with pytest.raises(DataError, match=r"train.txt:2: image '000001' is not in .*JPEGImages"):
        prepared(voc, format="voc")


def test_a_folder_that_is_no_voc(tmp_path, prepared):
    with pytest.raises(DataError, match=r"holds no ImageSets/Main/trainval.txt"):
        prepared(tmp_path, format="voc")
