import numpy as np
import pytest
from image_files import jpeg, write

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.shards import read_labels

HEAD = "ImageID,Source,LabelName,Confidence\n"
DESCRIPTIONS = "LabelName,DisplayName\n/m/9,Zebra\n/m/1,Dog\n/m/2,Bat\n/m/3,Bat\n/m/4,Never\n"


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "in"
    write(source, "oidv7-class-descriptions.csv", DESCRIPTIONS)
    lines = ["b1,verification,/m/1,1", "a0,verification,/m/2,0", "b1,machine,/m/3,0.7", "b1,machine,/m/9,0.4"]
    write(source, "train-annotations-human-imagelabels.csv", HEAD + "\n".join(lines) + "\n")
    write(source, "validation-annotations-human-imagelabels.csv", HEAD + "c2,verification,/m/2,1\n")
    for number, name in enumerate(("train/b1", "train/a0", "validation/c2")):
        write(source, f"{name}.jpg", jpeg(number))
    return source


def test_confident_labels_count(folder, prepared):
    manifest, rows = prepared(folder, format="open-images")
    assert manifest.labels == ("Zebra", "Dog", "Bat (/m/2)", "Bat (/m/3)")  # as described; those that are named
    assert [row[:3] for row in rows] == [
        ("train/b1.jpg", ["Dog", "Bat (/m/3)"], "train"),
        ("train/a0.jpg", [], "train"),
        ("validation/c2.jpg", ["Bat (/m/2)"], "validation"),
    ]
    assert [row[3] for row in rows] == [jpeg(0), jpeg(1), jpeg(2)]


def test_the_threshold(folder, prepared):
    assert prepared(folder, format="open-images", confidence=0.4)[1][0][1] == ["Zebra", "Dog", "Bat (/m/3)"]
    assert prepared(folder, format="open-images", confidence=1, overwrite=True)[1][0][1] == ["Dog"]
    with pytest.raises(DataError, match="confidence must be in"):
        prepared(folder, format="open-images", confidence=1.5, overwrite=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train-annotations-human-imagelabels.csv", HEAD + "b1,x,/m/7,1\n", ":2: label '/m/7' is not described in"),
        ("train-annotations-human-imagelabels.csv", HEAD + "q,x,/m/1,1\n", ":2: image 'q' is not in"),
        ("train-annotations-human-imagelabels.csv", HEAD + "b1,x,/m/1,high\n", ":2: column 'Confidence' is 'high'"),
        ("train-annotations-human-imagelabels.csv", "ImageID,Label\n", "column 'LabelName' is no column"),
        ("oidv7-class-descriptions.csv", "LabelName,DisplayName\n", "describes no label: the class list is empty"),
        ("oidv7-class-descriptions.csv", "/m/1,Dog\n/m/1,Cat\n", ":2: label '/m/1' is described twice"),
        ("oidv7-class-descriptions.csv", "/m/1\n", ":1: expected a label and its name"),
        ("oidv7-class-descriptions.csv", "/m/1," + "x" * 200_000, ":1: cannot be read as CSV: field larger than"),
        ("other-class-descriptions.csv", "/m/1,Dog\n", "found 2 of them: say --label-file FILE"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder, prepared, name, text, message):
    write(folder, name, text)
    with pytest.raises(DataError) as caught:
        prepared(folder, format="open-images")
    assert message in str(caught.value)


def test_verified_negatives_are_listed_and_all_else_is_unknown_where_the_user_says_so(folder, prepared):
    """Confident labels are 1, those that a person found absent 0; a machine's faint guess tells nothing."""
    manifest, _ = prepared(folder, format="open-images", unlisted="unknown")
    nan = np.nan
    expected = [[nan, 1, nan, 1], [nan, nan, 0, nan], [nan, nan, 1, nan]]  # Zebra, Dog, Bat (/m/2), Bat (/m/3)
    np.testing.assert_array_equal(read_labels(manifest).dense(), np.float32(expected))
    assert (manifest.unlisted, manifest.known_counts) == ("unknown", (0, 1, 2, 1))
    filled, _ = prepared(folder, format="open-images", unlisted="unknown", assume_negative=True, overwrite=True)
    usual, _ = prepared(folder, format="open-images", overwrite=True)
    assert (filled.fingerprint(), filled.known_counts) == (usual.fingerprint(), None)
