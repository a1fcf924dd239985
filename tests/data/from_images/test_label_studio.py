"""The form of the files is that of labelstud.io/guide/export and .../task_format (export format JSON)."""

import json

import numpy as np
import pytest
from image_files import jpeg, write

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_images import prepare_images
from d2ace.pipeline.data.shards import read_labels


def choices(*names, control="what"):
    return {"from_name": control, "to_name": "image", "type": "choices", "value": {"choices": list(names)}}


def box(*names):
    value = {"x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0, "rotation": 0, "rectanglelabels": list(names)}
    return {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value}


def annotation(*results, **fields):
    return {"id": 1, "completed_by": 1, "result": list(results), "was_cancelled": False, "ground_truth": False} | fields


def task(key, image, *annotations, **data):
    return {"id": key, "data": {"image": image} | data, "annotations": list(annotations), "predictions": [{"x": 1}]}


TASKS = [
    task(11, "/data/upload/3/0a1b2c3d-b.jpg", annotation(choices("dog", "cat"))),
    task(12, "/data/local-files/?d=set/images/my%20a.jpg", annotation(choices()), caption="x.jpg"),
    task(13, "s3://bucket/set/c.jpg", annotation(box("cat"), box("cat")), meta={"n": 1}),
]


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "in"
    for number, name in enumerate(("b.jpg", "my a.jpg", "c.jpg")):
        write(source, f"images/{name}", jpeg(number))
    return source


def export(folder, tasks, name="export.json"):
    write(folder, name, json.dumps(tasks))
    return folder


def test_choices_and_regions_are_labels(folder, prepared):
    manifest, rows = prepared(export(folder, TASKS), format="label-studio")
    assert manifest.labels == ("cat", "dog")
    assert [row[:2] for row in rows] == [
        ("images/b.jpg", ["cat", "dog"]),
        ("images/my a.jpg", []),
        ("images/c.jpg", ["cat"]),
    ]
    assert read_labels(manifest).is_complete


def test_an_uploaded_file_may_have_kept_the_name_it_was_given(folder, prepared):
    (folder / "images/b.jpg").rename(folder / "images/0a1b2c3d-b.jpg")
    assert prepared(export(folder, TASKS), format="label-studio")[1][0][0] == "images/0a1b2c3d-b.jpg"


def test_an_image_that_nobody_annotated_has_unknown_labels(folder, prepared):
    skipped = [TASKS[0], task(12, "my a.jpg"), task(13, "c.jpg", annotation(choices("cat"), was_cancelled=True))]
    manifest, _ = prepared(export(folder, skipped), format="label-studio")
    dense = read_labels(manifest).dense()
    assert dense[0].tolist() == [1, 1] and np.isnan(dense[1:]).all()
    assert manifest.known_counts == (1, 1)


def test_annotators_who_disagree_give_soft_labels_or_are_refused(folder, prepared):
    tasks = [task(7, "b.jpg", annotation(choices("cat", "dog")), annotation(choices("cat")))]
    with pytest.raises(DataError, match=r"export.json: task 7: its 2 annotations differ on \['dog'\]: mark one"):
        prepared(export(folder, tasks), format="label-studio")
    manifest, _ = prepared(folder, format="label-studio", soft_labels=True)
    assert manifest.soft and read_labels(manifest).dense().tolist() == [[1.0, 0.5]]
    tasks[0]["annotations"][1]["ground_truth"] = True
    manifest, _ = prepared(export(folder, tasks), format="label-studio", overwrite=True)
    assert manifest.labels == ("cat",) and read_labels(manifest).dense().tolist() == [[1.0]]


def test_a_control_and_the_key_of_the_image_can_be_chosen(folder, prepared):
    both = annotation(choices("cat"), choices("good", control="quality"), {"type": "textarea", "from_name": "t"})
    tasks = [{**task(1, "b.jpg", both), "data": {"one": "b.jpg", "two": "c.jpg"}}]
    with pytest.raises(DataError, match=r"task 1: which of \['one', 'two'\] is its image\? Say --path-column"):
        prepared(export(folder, tasks), format="label-studio")
    manifest, rows = prepared(folder, format="label-studio", path_column="two", label_column="quality")
    assert manifest.labels == ("good",) and rows[0][0] == "images/c.jpg"
    with pytest.raises(DataError, match=r"no result is of the control 'qualify'; did you mean 'quality'"):
        prepared(folder, format="label-studio", path_column="two", label_column="qualify", overwrite=True)


def test_how_the_file_was_understood_is_said(folder, tmp_path, capsys):
    both = annotation(choices("cat"), choices("good", control="quality"), {"type": "textarea", "from_name": "t"})
    export(folder, [task(1, "b.jpg", both), task(2, "c.jpg")])
    prepare_images(folder, tmp_path / "out", format="label-studio")
    said = " ".join(capsys.readouterr().out.split())
    assert "labels are those of the controls quality, what; --label-column chooses one" in said
    assert "results of the types textarea say no labels and are left out" in said
    assert "1 images have no annotation: none of their labels is known" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n{"id": 1,}]', r"export.json:2: not valid JSON"),
        ("{}", r"export.json: is no list of tasks: expected an export in Label Studio's format JSON"),
        ('[{"id": 4, "image": "b.jpg", "what": "cat"}]', r"task 4: needs 'data' .* JSON, not JSON-MIN or CSV"),
        ("[3]", r"entry 0 of the list: needs 'data'"),
        (json.dumps([task(5, "b.jpg", {"id": 1})]), r"task 5: an annotation needs a list 'result'"),
        (json.dumps([task(5, "b.jpg", 1)]), r"task 5: an annotation is 1, expected an object"),
        (json.dumps([task(5, "b.jpg", annotation({"type": "choices", "value": {"choices": "cat"}}))]), "list of names"),
        (json.dumps([task(5, "z.jpg", annotation(choices("cat")))]), r"task 5: image 'z.jpg' is not in .*images"),
        (json.dumps([task(5, "https://x.org/z.jpg", annotation(choices("cat")))]), r"task 5: image .*z.jpg' is not in"),
        (json.dumps([task(5, "", annotation(choices("cat")))]), r"task 5: its data has no text 'image'"),
    ],
)
def test_faults_are_told_with_their_task(folder, prepared, content, message):
    write(folder, "export.json", content)
    with pytest.raises(DataError, match=message):
        prepared(folder, format="label-studio")


def test_labels_can_be_given(folder, prepared):
    manifest, _ = prepared(export(folder, TASKS), format="label-studio", labels=["dog", "cat", "cow"])
    assert manifest.labels == ("dog", "cat", "cow") and manifest.label_counts == (1, 2, 0)
    with pytest.raises(DataError, match=r"task 11: unknown label 'dog'; did you mean 'dogs'"):
        prepared(folder, format="label-studio", labels=["dogs", "cat"], overwrite=True)
