import json

import pytest
from image_files import jpeg, write

from d2ace.pipeline.common.errors import DataError

CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}, {"id": 90, "name": "person"}]


def instances(images, annotations, categories=CATEGORIES):
    return {
        "images": [{"id": key, "file_name": name, "width": 24, "height": 16} for key, name in images],
        "categories": categories,
        "annotations": [
            {"id": number, "image_id": image, "category_id": category, "bbox": [0, 0, 1, 1], "iscrowd": 0}
            for number, (image, category) in enumerate(annotations)
        ],
    }


@pytest.fixture
def coco(tmp_path):
    """The usual layout: two splits, and an image without annotations."""
    folder = tmp_path / "coco"
    train = instances([(5, "b.jpg"), (2, "a.jpg"), (9, "c.jpg")], [(2, 7), (2, 7), (2, 3), (9, 90)])
    for name, content in (("train2017", train), ("val2017", instances([(5, "b.jpg")], [(5, 90)]))):
        write(folder, f"annotations/instances_{name}.json", json.dumps(content))
        for number, image in enumerate(content["images"]):
            write(folder, f"{name}/{image['file_name']}", jpeg(number + len(name)))
    return folder


def change(folder, edit, name="train2017"):
    path = folder / f"annotations/instances_{name}.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_images_in_the_order_of_the_file_with_their_categories(coco, prepared):
    manifest, rows = prepared(coco, format="coco")
    assert manifest.labels == ("cat", "dog", "person")  # by id
    assert [row[:3] for row in rows] == [
        ("train2017/b.jpg", [], "train"),
        ("train2017/a.jpg", ["cat", "dog"], "train"),
        ("train2017/c.jpg", ["person"], "train"),
        ("val2017/b.jpg", ["person"], "validation"),
    ]
    assert all(content == (coco / name).read_bytes() for name, _, _, content in rows)
    assert manifest.label_counts == (1, 1, 2)
    assert manifest.splits == {"": 0, "train": 3, "validation": 1, "test": 0}
    assert (manifest.image.mode, manifest.image.height, manifest.image.width) == ("RGB", 16, 24)
    assert manifest.source == "annotations/instances_train2017.json + annotations/instances_val2017.json"


def test_files_and_folders_can_be_named(coco, prepared):
    (coco / "train2017").rename(coco / "pictures")
    options = {"files": {"test": "annotations/instances_train2017.json"}, "images": "pictures"}
    manifest, rows = prepared(coco, format="coco", **options)
    assert manifest.splits["test"] == manifest.rows == 3
    assert rows[0][0] == "pictures/b.jpg"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["annotations"].append({"id": 44, "image_id": 2, "category_id": 8}), "annotation 44: unknown cat"),
        (lambda c: c["annotations"].append({"id": 44, "image_id": 1, "category_id": 7}), "no image with id 1"),
        (lambda c: c["annotations"].append({"id": 44}), "annotation 4 of the list needs 'image_id'"),
        (lambda c: c["images"].append({"id": 2, "file_name": "d.jpg"}), "two images have the id 2"),
        (lambda c: c["images"].append({"id": 1, "file_name": "a.jpg"}), "'train2017/a.jpg' is listed twice"),
        (lambda c: c["images"].append({"id": 1, "file_name": "no.jpg"}), "image 'no.jpg' is not in"),
        (lambda c: c["images"].append({"id": 1}), "image 3 of the list needs 'id' and 'file_name'"),
        (lambda c: c.update(categories=[]), "the list of categories is empty"),
        (lambda c: c["categories"].append({"id": 3, "name": "cow"}), "two categories have the same id"),
        (lambda c: c["categories"].append({"id": 4, "name": "cat"}), "duplicate label names: ['cat']"),
        (lambda c: c["categories"].append({"name": "cow"}), "every category needs"),
        (lambda c: c["categories"].append({"id": 4, "name": "cow"}), "its categories differ from those of"),
        (lambda c: c.pop("annotations"), "has no list 'annotations'"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(coco, prepared, edit, message):
    change(coco, edit)
    if "duplicate" in message or "empty" in message or "same id" in message:
        (coco / "annotations/instances_val2017.json").unlink()
    with pytest.raises(DataError) as caught:
        prepared(coco, format="coco")
    assert message in str(caught.value)
    assert "instances_" in str(caught.value)


def test_json_that_is_none(coco, prepared):
    write(coco, "annotations/instances_val2017.json", '{"images": [],\n oops')
    with pytest.raises(DataError, match=r"instances_val2017.json:2: not valid JSON"):
        prepared(coco, format="coco")
