"""The real data sets beside the project: counts as published, values as another reader sees them."""

import numpy as np
import pytest

from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.shards import read_features, read_labels, read_splits
from d2ace.pipeline.data.verification import verify

# name: rows, attributes that are features, columns after one-hot, labels, cardinality, (train, test) or None, kind
SETS = {
    "emotions": (593, 72, 6, 1.869, (391, 202), "dense"),
    "birds": (645, 271, 19, 1.014, (322, 323), "dense"),  # 260 attributes, one of them with 12 values
    "cal500": (502, 68, 174, 26.044, None, "dense"),
    "scene": (2407, 294, 6, 1.074, (1211, 1196), "dense"),
    "yeast": (2417, 103, 14, 4.237, (1500, 917), "dense"),
    "enron": (1702, 1001, 53, 3.378, (1123, 579), "sparse"),
    "Corel5k": (5000, 499, 374, 3.522, (4500, 500), "sparse"),
    "bibtex": (7395, 1836, 159, 2.402, (4880, 2515), "sparse"),
    "tmc2007-500": (28596, 500, 22, 2.158, (21519, 7077), "sparse"),
}


@pytest.mark.parametrize("name", SETS)
def test_counts(shared, tmp_path, name):
    rows, features, labels, cardinality, split, kind = SETS[name]
    manifest = prepare(shared / "data" / "mulan" / name, tmp_path / name)
    verify(manifest)
    assert (manifest.rows, manifest.n_features, manifest.n_labels) == (rows, features, labels)
    assert manifest.kind == kind
    assert manifest.cardinality == pytest.approx(cardinality, abs=6e-4)
    expected = {"": rows} if split is None else {"train": split[0], "test": split[1]}
    assert {key: n for key, n in manifest.splits.items() if n} == expected
    if name == "birds":
        assert (read_labels(manifest).values.sum(axis=1) == 0).sum() == 294


@pytest.mark.slow("the largest table that lies beside the project")
def test_imdb(shared, tmp_path):
    manifest = prepare(shared / "data" / "meka" / "Imdb.arff.bz2", tmp_path / "imdb")
    verify(manifest)
    assert (manifest.rows, manifest.n_features, manifest.n_labels) == (120919, 1001, 28)
    assert manifest.cardinality == pytest.approx(2.0, abs=6e-4)
    assert manifest.labels[:2] == ("Sci-Fi", "Crime")
    assert manifest.kind == "sparse"


def naive(text):
    """Read an ARFF file of numbers and {0,1} in the most obvious way: names and one list of floats a row."""
    head, _, body = text.partition("@data")
    names = [line.split()[1] for line in head.splitlines() if line.startswith("@attribute")]
    rows = []
    for line in filter(None, body.splitlines()):
        row = [0.0] * len(names)
        if line.startswith("{"):
            for pair in line[1:-1].split(","):
                row[int(pair.split()[0])] = float(pair.split()[1])
        else:
            row = [float(field) for field in line.split(",")]
        rows.append(row)
    return names, np.array(rows)


@pytest.mark.parametrize("name", ["emotions", "Corel5k"])
def test_values_equal_those_of_a_naive_reader(shared, tmp_path, name):
    folder = shared / "data" / "mulan"
    manifest = prepare(folder / name, tmp_path / name)
    names, train = naive((folder / f"{name}-train.arff").read_text())
    _, test = naive((folder / f"{name}-test.arff").read_text())
    table = np.concatenate([train, test])
    labels = [names.index(label) for label in manifest.labels]
    others = [index for index in range(len(names)) if index not in set(labels)]
    np.testing.assert_array_equal(read_labels(manifest).dense(), table[:, labels])
    features = read_features(manifest, np.arange(manifest.rows))
    np.testing.assert_array_equal(features, table[:, others].astype(np.float32))
    assert read_splits(manifest).tolist() == [1] * len(train) + [3] * len(test)
    assert manifest.feature_names == tuple(names[index] for index in others)
