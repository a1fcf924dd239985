"""The form of the files is that of docs.cvat.ai (XML annotation format 1.1), for images."""

import pytest
from image_files import jpeg, write

from d2ace.pipeline.common.errors import DataError

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <name>street</name>
      <labels>
        <label><name>person</name><attributes><attribute><name>age</name></attribute></attributes></label>
        <label><name>car</name><type>any</type></label>
        <label><name>limb</name><type>points</type><parent>person</parent></label>
        <label><name>night &amp; rain</name></label>
      </labels>
    </task>
  </meta>
"""
IMAGES = """  <image id="0" name="b.jpg" width="24" height="16">
    <tag label="night &amp; rain" source="manual"></tag>
    <box label="car" occluded="0" xtl="1" ytl="1" xbr="5" ybr="5"><attribute name="age">7</attribute></box>
    <box label="car" xtl="2" ytl="2" xbr="5" ybr="5"/>
    <skeleton label="person"><points label="limb" points="1,1"/></skeleton>
  </image>
  <image id="1" name="deep/a.jpg" width="24" height="16"/>
"""
TAIL = "</annotations>\n"


@pytest.fixture
def folder(tmp_path):
    """A task's export with its images."""
    source = tmp_path / "in"
    write(source, "annotations.xml", HEAD + IMAGES + TAIL)
    write(source, "images/b.jpg", jpeg(1))
    write(source, "images/deep/a.jpg", jpeg(2))
    return source


def test_tags_and_shapes_are_labels_in_the_order_of_the_list(folder, prepared):
    manifest, rows = prepared(folder, format="cvat")
    assert manifest.labels == ("person", "car", "night & rain")
    assert [row[:3] for row in rows] == [
        ("images/b.jpg", ["person", "car", "night & rain"], ""),
        ("images/deep/a.jpg", [], ""),
    ]
    assert all(content == (folder / name).read_bytes() for name, _, _, content in rows)


def test_subsets_of_a_project_are_splits_and_folders(tmp_path, prepared):
    images = [f'<image id="{n}" name="x.jpg" subset="{s}"><tag label="car"/></image>' for n, s in enumerate("TV")]
    text = HEAD + "".join(images).replace('"T"', '"Train"').replace('"V"', '"validation"') + TAIL
    write(tmp_path, "in/annotations.xml", text)
    for number, subset in enumerate(("Train", "validation")):
        write(tmp_path, f"in/images/{subset}/x.jpg", jpeg(number))
    _, rows = prepared(tmp_path / "in", format="cvat")
    assert [row[:3] for row in rows] == [
        ("images/Train/x.jpg", ["car"], "train"),
        ("images/validation/x.jpg", ["car"], "validation"),
    ]
    _, rows = prepared(tmp_path / "in", format="cvat", files={"test": "annotations.xml"}, overwrite=True)
    assert [row[2] for row in rows] == ["test", "test"]  # what the user says comes first


def test_labels_can_be_given(folder, prepared):
    manifest, rows = prepared(folder, format="cvat", labels=["car", "night & rain", "person"])
    assert rows[0][1] == list(manifest.labels) == ["car", "night & rain", "person"]
    with pytest.raises(DataError, match=r"annotations.xml:17: unknown label 'car'; did you mean 'cart'"):
        prepared(folder, format="cvat", labels=["cart", "night & rain", "person"], overwrite=True)


def test_a_name_of_many_lines_is_read_in_one_piece(folder, prepared):
    """It comes in half a million pieces; joined one by one they took minutes."""
    name = "\n".join("ab" * 250_000)
    write(folder, "annotations.xml", HEAD.replace("<name>night &amp; rain<", f"<name>{name}<") + TAIL)
    with pytest.raises(DataError, match="lists no image"):
        prepared(folder, format="cvat")


def test_tasks_with_other_labels_are_refused(folder, prepared):
    write(folder, "more/annotations.xml", HEAD.replace("<name>car<", "<name>bus<") + TAIL)
    with pytest.raises(DataError, match=r"more/annotations.xml: its labels differ from those of .*\['bus', 'car'\]"):
        prepared(folder, format="cvat", files={"train": "annotations.xml", "test": "more/annotations.xml"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (HEAD + IMAGES, "<root>", r"annotations.xml:1: its outermost element is <root>: expected .*for images 1.1"),
        ("</image>", "</imag>", r"annotations.xml:20: not valid XML: mismatched tag"),
        (IMAGES, '<track id="0" label="car"/>', r"annotations.xml:15: <track>: the export is of a video"),
        (' name="b.jpg"', "", r"annotations.xml:15: an <image> needs a name"),
        ('box label="car" occ', "box occ", r"annotations.xml:17: a <box> of image 'b.jpg' has no label"),
        ("<name>car<", "<name>person<", r"annotations.xml:9: lists the label 'person' twice"),
        ("deep/a", "deep/z", r"annotations.xml:21: image 'deep/z.jpg' is not in .*images"),
        ("deep/a", "b", r"annotations.xml:21: image 'images/b.jpg' is listed twice"),
    ],
)
def test_faults_are_told_with_their_line(folder, prepared, old, new, message):
    text = (folder / "annotations.xml").read_text()
    assert old in text
    write(folder, "annotations.xml", text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        prepared(folder, format="cvat")


def test_a_file_that_lists_no_labels_has_those_that_occur(folder, prepared):
    start, end = HEAD.index("<labels>"), HEAD.index("</labels>")
    write(folder, "annotations.xml", HEAD[:start] + HEAD[end + len("</labels>") :] + IMAGES + TAIL)
    manifest, _ = prepared(folder, format="cvat")
    assert manifest.labels == ("car", "night & rain", "person")
