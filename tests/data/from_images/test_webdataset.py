import io
import json
import tarfile

import pytest
from image_files import encode, jpeg, picture

from d2ace.pipeline.common.errors import DataError


def write_tar(folder, name, members, mode="w"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for member, content in members:
            info = tarfile.TarInfo(member)
            content = content.encode() if isinstance(content, str) else content
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def sample(number, labels, key=None):
    key = key or f"{number:04d}"
    return [(f"{key}.jpg", jpeg(number)), (f"{key}.json", json.dumps({"labels": labels, "meta": {"tags": labels}}))]


@pytest.fixture
def tars(tmp_path):
    folder = tmp_path / "in"
    write_tar(folder, "train-000.tar", [*sample(0, ["dog"]), *sample(1, []), *sample(2, ["cat", "dog"], "sub/2")])
    write_tar(folder, "train-001.tar", sample(0, ["cat"]))
    write_tar(folder, "val-000.tar", sample(0, "dog"))
    return folder


def test_json_members(tars, prepared):
    manifest, rows = prepared(tars, format="webdataset")
    assert manifest.labels == ("cat", "dog")
    assert [row[:3] for row in rows] == [
        ("train-000.tar/0000.jpg", ["dog"], "train"),
        ("train-000.tar/0001.jpg", [], "train"),
        ("train-000.tar/sub/2.jpg", ["cat", "dog"], "train"),
        ("train-001.tar/0000.jpg", ["cat"], "train"),
        ("val-000.tar/0000.jpg", ["dog"], "validation"),
    ]
    assert [row[3] for row in rows] == [jpeg(number) for number in (0, 1, 2, 0, 0)]


def test_a_key_inside_and_files_by_pattern(tars, prepared):
    manifest, _ = prepared(tars, format="webdataset", label_key="meta.tags", files={"test": "train-*.tar"})
    assert manifest.splits["test"] == manifest.rows == 4


def test_class_numbers(tars, prepared):
    write_tar(
        tars, "n.tar", [("a.png", encode(picture(1), "PNG")), ("a.cls", "2"), ("b.jpg", jpeg()), ("b.cls", "0, 1")]
    )
    manifest, rows = prepared(tars, format="webdataset", files="n.tar")
    assert manifest.labels == ("0", "1", "2")
    assert [row[1] for row in rows] == [["2"], ["0", "1"]]
    manifest, rows = prepared(tars / "n.tar", format="webdataset", labels=["x", "y", "z"], overwrite=True)
    assert [row[1] for row in rows] == [["z"], ["x", "y"]]
    with pytest.raises(DataError, match=r"n.tar: sample 'a': class number 2, expected 0 .. 1"):
        prepared(tars, format="webdataset", files="n.tar", labels=["x", "y"], overwrite=True)


def test_marks_in_members(tars, prepared):
    for suffix, texts in (("json", ('{"labels": [1, 0, 1]}', '{"labels": [0, 1, 0]}')), ("cls", ("1 0 1", "0,1,0"))):
        members = [(f"{n}.{end}", c) for n, text in enumerate(texts) for end, c in (("jpg", jpeg(n)), (suffix, text))]
        write_tar(tars, "m.tar", members)
        with pytest.raises(DataError, match=r"m.tar: every list of labels has 3 numbers"):
            prepared(tars, format="webdataset", files="m.tar", overwrite=True)
        options = {"label_lists": "multi-hot", "labels": ["x", "y", "z"], "overwrite": True}
        _, rows = prepared(tars, format="webdataset", files="m.tar", **options)
        assert [row[1] for row in rows] == [["x", "z"], ["y"]]


def test_names_with_dots(tars, prepared):
    members = [
        (f"img.v{n}.{end}", c) for n in (1, 2) for end, c in (("jpg", jpeg(n)), ("json", f'{{"labels": [{n}]}}'))
    ]
    write_tar(tars, "d.tar", members)
    _, rows = prepared(tars, format="webdataset", files="d.tar")
    assert [row[:2] for row in rows] == [("d.tar/img.v1.jpg", ["1"]), ("d.tar/img.v2.jpg", ["2"])]
    assert [row[3] for row in rows] == [jpeg(1), jpeg(2)]
    write_tar(tars, "d.tar", [*members[:3], ("img.v2.tags.json", "{}")])
    with pytest.raises(DataError, match=r"d.tar: sample 'img': has several images \(v1.jpg, v2.jpg\)"):
        prepared(tars, format="webdataset", files="d.tar", overwrite=True)


def test_hidden_members_are_no_data(tars, prepared):
    write_tar(tars, "h.tar", [("._a.jpg", b"x"), *sample(0, ["dog"], "./a"), ("__MACOSX/._a.json", b"x")])
    _, rows = prepared(tars, format="webdataset", files="h.tar")
    assert [row[:2] for row in rows] == [("h.tar/./a.jpg", ["dog"])]


def test_two_members_that_may_hold_the_labels(tars, prepared):
    write_tar(tars, "two.tar", [*sample(0, ["dog"], "a"), ("a.txt", "a caption")])
    with pytest.raises(DataError, match=r"two.tar: sample 'a': its labels may be in json or txt: say --label-column"):
        prepared(tars, format="webdataset", files="two.tar")
    assert prepared(tars, format="webdataset", files="two.tar", label_column="json")[1][0][1] == ["dog"]


def test_text_members_and_several_images(tars, prepared):
    members = [("a.jpg", jpeg()), ("a.seg.png", encode(picture(), "PNG")), ("a.tags.txt", "big dog; cat\ncow\n")]
    write_tar(tars, "t.tar", members)
    with pytest.raises(DataError, match=r"t.tar: sample 'a': has several images \(jpg, seg.png\)"):
        prepared(tars, format="webdataset", files="t.tar")
    options = {"image_column": "seg.png", "label_column": "tags.txt"}
    _, rows = prepared(tars, format="webdataset", files="t.tar", **options)
    assert rows[0][:2] == ("t.tar/a.seg.png", ["big dog", "cat", "cow"])
    assert rows[0][3] == members[1][1]


@pytest.mark.parametrize(
    ("delimiter", "text", "expected"),
    [
        (", ", "traffic light, cat,dog\nbus\n", ["traffic light", "cat,dog", "bus"]),
        ("::", "a:b::c", ["a:b", "c"]),
        ("none", "one; not, none\n", ["one; not, none"]),
        ("list", "['traffic light',\n 'it, too']\n", ["traffic light", "it, too"]),
        ("list", "\n", []),
    ],
)
def test_a_delimiter_is_a_whole_and_words_for_one_are_those_of_tables(tars, prepared, delimiter, text, expected):
    write_tar(tars, "t.tar", [("a.jpg", jpeg()), ("a.txt", text)])
    options = {"labels": expected or ["cat"], "label_delimiter": delimiter}
    _, rows = prepared(tars, format="webdataset", files="t.tar", **options)
    assert rows[0][1] == expected


def test_class_numbers_stand_between_any_delimiter_and_blanks_and_commas(tars, prepared):
    for delimiter, text in ((";", "0; 2"), ("list", "[0, 2]"), ("none", "0\n2"), ("|", "0,2")):
        write_tar(tars, "c.tar", [("a.jpg", jpeg()), ("a.cls", text)])
        options = {"files": "c.tar", "label_delimiter": delimiter, "labels": ["x", "y", "z"], "overwrite": True}
        assert prepared(tars, format="webdataset", **options)[1][0][1] == ["x", "z"]


def test_names_that_look_like_lists_are_names_where_they_are_given(tars, prepared):
    write_tar(tars, "l.tar", [("a.jpg", jpeg()), ("a.txt", "[x]; y")])
    _, rows = prepared(tars, format="webdataset", files="l.tar", labels=["[x]", "y"])
    assert rows[0][1] == ["[x]", "y"]
    write_tar(tars, "l.tar", [("a.jpg", jpeg()), ("a.txt", "[x, y]")])
    _, rows = prepared(tars, format="webdataset", files="l.tar", labels=["[x, y]"], overwrite=True)
    assert rows[0][1] == ["[x, y]"]


def test_texts_of_lists_and_what_is_none_are_told(tars, prepared):
    write_tar(tars, "l.tar", [("a.jpg", jpeg()), ("a.txt", "['cat', 'dog']")])
    with pytest.raises(DataError, match=r"sample 'a': member txt: .* text of a list: say --label-delimiter list"):
        prepared(tars, format="webdataset", files="l.tar")
    write_tar(tars, "l.tar", [("a.jpg", jpeg()), ("a.txt", "cat; dog")])
    with pytest.raises(DataError, match=r"l.tar: sample 'a': member txt: 'cat; dog' is no list of names"):
        prepared(tars, format="webdataset", files="l.tar", label_delimiter="list")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.jpg", b"x"), ("a.json", "{")], "sample 'a': member json: not valid JSON"),
        ([("a.jpg", b"x"), ("a.json", '{"label": [1]}')], "has no key 'labels'; did you mean 'label'?"),
        ([("a.jpg", b"x"), ("a.json", '{"labels": ' + "[" * 100_000)], "its brackets are nested too deeply"),
        ([("a.jpg", b"x"), ("a.json", '{"labels": [1.5]}')], "expected names or class numbers"),
        ([("a.jpg", b"x"), ("a.cls", "dog")], "member cls: 'dog', expected class numbers"),
        ([("a.jpg", b"x"), ("a.txt", b"\xff\xfe")], "member txt: not utf-8 text"),
        ([("a.jpg", b"x")], "has no label member json or cls or txt; its members are jpg"),
        ([("a.json", '{"labels": []}')], "has no image; its members are json"),
    ],
)
def test_a_bad_sample_stops_or_is_left_out(tars, prepared, members, message):
    write_tar(tars, "train-000.tar", [*sample(7, ["dog"], "good"), *members])
    with pytest.raises(DataError) as caught:
        prepared(tars, format="webdataset")
    assert message in str(caught.value)
    assert "train-000.tar" in str(caught.value)
    manifest, _ = prepared(tars, format="webdataset", on_error="reject")
    assert (manifest.filters["rejected"], manifest.rows) == (1, 3)


def test_names_and_numbers_do_not_mix(tars, prepared):
    write_tar(tars, "train-001.tar", sample(0, [3]))
    with pytest.raises(DataError, match=r"train-001.tar: sample '0000': label 3 is a class number, others are names"):
        prepared(tars, format="webdataset")


def test_repeated_samples(tars, prepared):
    write_tar(tars, "train-001.tar", [*sample(0, []), *sample(1, []), *sample(0, [])])
    with pytest.raises(DataError, match=r"sample '0000': image 'train-001.tar/0000.jpg' is listed twice"):
        prepared(tars, format="webdataset")


def test_damaged_tar_files(tars, prepared):
    path = tars / "train-001.tar"
    whole = path.read_bytes()
    for content in (whole[:700], b"no tar at all" * 100, b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"train-001.tar: cannot be read as tar"):
            prepared(tars, format="webdataset", overwrite=True)


def test_a_folder_a_split(tmp_path, prepared):
    for split in ("train", "valid"):
        write_tar(tmp_path / "in", f"{split}/000.tar", sample(0, ["dog"]))
    manifest, rows = prepared(tmp_path / "in", format="webdataset")
    assert [row[0::2][:2] for row in rows] == [
        ("train/000.tar/0000.jpg", "train"),
        ("valid/000.tar/0000.jpg", "validation"),
    ]
    assert manifest.source == "train/000.tar + 1 more"
