import json

import numpy as np
import pytest
from image_files import jpeg, write

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_images import prepare_images
from d2ace.pipeline.data.shards import read_labels

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


def test_classes_are_the_same_where_their_names_are(coco, prepared):
    """The validation file numbers the classes anew, in another order."""
    renumbered = [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "cat"}]
    content = instances([(5, "b.jpg"), (6, "c.jpg")], [(5, 1), (6, 3)], renumbered)
    write(coco, "annotations/instances_val2017.json", json.dumps(content))
    write(coco, "val2017/c.jpg", jpeg())
    manifest, rows = prepared(coco, format="coco")
    assert manifest.labels == ("cat", "dog", "person")
    assert [row[1] for row in rows[3:]] == [["person"], ["cat"]]


def test_differing_categories_are_named(coco, prepared):
    change(coco, lambda c: c["categories"].__setitem__(1, {"id": 3, "name": "cow"}), "val2017")
    with pytest.raises(
        DataError, match=r"val2017.json: its .*train2017.json; only here: \['cow'\], only there: \['cat'\]"
    ):
        prepared(coco, format="coco")


@pytest.fixture
def roboflow(tmp_path):
    """A folder a split with the annotations beside the images; the first category only groups."""
    names = ((0, "fish", "none"), (1, "fish", "fish"), (2, "crab", "fish"))
    categories = [{"id": key, "name": name, "supercategory": group} for key, name, group in names]
    for split, wanted in (("train", 1), ("valid", 2)):
        content = instances([(1, "a.jpg")], [(1, wanted)], categories)
        write(tmp_path / "rf", f"{split}/_annotations.coco.json", json.dumps(content))
        write(tmp_path / "rf", f"{split}/a.jpg", jpeg(wanted))
    return tmp_path / "rf"


def test_a_folder_a_split_and_a_category_that_groups(roboflow, prepared, capsys):
    manifest, rows = prepared(roboflow, format="coco")
    assert manifest.labels == ("fish", "crab")
    assert [row[:3] for row in rows] == [
        ("train/a.jpg", ["fish"], "train"),
        ("valid/a.jpg", ["crab"], "validation"),
    ]
    assert prepared(roboflow / "train/_annotations.coco.json", format="coco", overwrite=True)[0].rows == 1
    prepare_images(roboflow, roboflow / "out", format="coco")
    assert "categories that only group others and have no annotation are no labels: fish" in capsys.readouterr().out


def test_a_category_with_annotations_groups_nothing(roboflow, prepared):
    """One annotation of the group makes two classes called fish, which nobody can tell apart."""
    path = roboflow / "valid/_annotations.coco.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["category_id"] = 0
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"duplicate label names: \['fish'\]; 'fish' has the ids \[0, 1\]"):
        prepared(roboflow, format="coco")


def test_an_unused_category_without_members_stays(coco, prepared):
    for name in ("train2017", "val2017"):
        change(coco, lambda c: c["categories"].append({"id": 91, "name": "cow", "supercategory": "none"}), name)
    assert prepared(coco, format="coco")[0].labels == ("cat", "dog", "person", "cow")


@pytest.mark.parametrize("name", ["../secret.jpg", "{parent}/secret.jpg", "http://127.0.0.1:9/a.jpg"])
def test_nothing_outside_is_read(coco, prepared, name):
    write(coco.parent, "secret.jpg", jpeg())
    change(coco, lambda c: c["images"][1].update(file_name=name.format(parent=coco.parent)))
    with pytest.raises(DataError, match=r"instances_train2017.json: image '.*' is not in .*nothing outside is read"):
        prepared(coco, format="coco")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["images"][0].update(id=[5]), "image 0 of the list needs 'id' and 'file_name'"),
        (lambda c: c["annotations"][0].update(category_id={}), "annotation 0 of the list needs 'image_id'"),
        (lambda c: c["categories"][0].update(id=float("inf")), "every category needs a number 'id'"),
        (lambda c: c["categories"][0].update(name=None), "every category needs a number 'id'"),
    ],
)
def test_values_of_other_kinds_are_named(coco, prepared, edit, message):
    change(coco, edit)
    with pytest.raises(DataError, match=message):
        prepared(coco, format="coco")


def test_json_that_is_nested_too_deeply(coco, prepared):
    write(coco, "annotations/instances_val2017.json", '{"images": ' + "[" * 200_000)
    with pytest.raises(DataError, match=r"instances_val2017.json: not valid JSON: its brackets are nested too deeply"):
        prepared(coco, format="coco")


def test_json_that_is_none(coco, prepared):
    write(coco, "annotations/instances_val2017.json", '{"images": [],\n oops')
    with pytest.raises(DataError, match=r"instances_val2017.json:2: not valid JSON"):
        prepared(coco, format="coco")


def test_federated_sets_list_what_is_verified_to_be_absent(coco, prepared):
    def lvis(content):
        for image, absent in zip(content["images"], ([7], [90, 3], []), strict=False):
            image["neg_category_ids"] = absent
            image["not_exhaustive_category_ids"] = []

    with pytest.raises(DataError, match="no image has 'neg_category_ids'"):
        prepared(coco, format="coco", unlisted="unknown")
    change(coco, lvis)
    change(coco, lvis, "val2017")
    manifest, _ = prepared(coco, format="coco", unlisted="unknown")
    nan = np.nan  # cat, dog, person; the second image has a cat after all: its annotation counts
    expected = [[nan, 0, nan], [1, 1, 0], [nan, nan, 1], [nan, 0, 1]]
    np.testing.assert_array_equal(read_labels(manifest).dense(), np.float32(expected))
    assert manifest.unlisted == "unknown"
    change(coco, lambda content: content["images"][0].update(neg_category_ids=[8]))
    with pytest.raises(DataError, match=r"train2017.json: image 5: 'neg_category_ids' is \[8\], expected ids"):
        prepared(coco, format="coco", unlisted="unknown", overwrite=True)
