import zipfile

import numpy as np
import pytest
from scipy.sparse import csr_array

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_tables import npz
from d2ace.pipeline.data.from_tables.npz import npz_source
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.rows import concatenate
from d2ace.pipeline.data.shards import read_features

X = np.arange(12, dtype=np.float64).reshape(4, 3) % 5
Y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.int64)


def parts(name, matrix):
    matrix = csr_array(matrix)
    values = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": matrix.shape}
    return {f"{name}_{key}": value for key, value in values.items()}


def save(folder, **arrays):
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def read(path, **options):
    source = npz_source(path, **options)
    return source, concatenate(list(source.chunks()))


@pytest.mark.parametrize("x", [{"X": X}, parts("X", X)], ids=["dense", "csr"])
@pytest.mark.parametrize("y", [{"Y": Y}, {"Y": Y.astype(bool)}, parts("Y", Y)], ids=["dense", "bool", "csr"])
def test_every_form_of_x_and_y(tmp_path, x, y, monkeypatch):
    monkeypatch.setattr(npz, "CHUNK_VALUES", 6)
    source, rows = read(save(tmp_path, **x, **y), split=3)
    assert source.kind == ("dense" if "X" in x else "sparse")
    assert source.labels == ("label0", "label1")
    assert source.feature_names is None
    assert len(list(source.chunks())) == 2
    features = rows.features if "X" in x else rows.features.toarray()
    np.testing.assert_array_equal(features, X)
    np.testing.assert_array_equal(rows.labels.dense(), Y)
    assert rows.labels.values.nnz == 4
    assert rows.split.tolist() == [3, 3, 3, 3]


def test_names_and_splits(tmp_path):
    split = np.array(["train", "", "test", "validation"])
    source, rows = read(save(tmp_path, X=X, Y=Y, label_names=["a", "b"], feature_names=list("xyz"), split=split))
    assert source.labels == ("a", "b")
    assert source.feature_names == ("x", "y", "z")
    assert rows.split.tolist() == [1, 0, 3, 2]


BAD_X = X.copy()
BAD_X[2, 1] = np.nan
FALLING = {"Y_indptr": np.array([0, -(2**31), 2, 0])}  # with nothing stored
BAD_Y = Y.copy()
BAD_Y[1, 0] = 2
BROKEN = parts("X", X) | {"X_indices": np.full(9, 7)}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": BAD_X, "Y": Y}, "row 2: a feature is nan"),
        (parts("X", BAD_X) | {"Y": Y}, "row 2: a feature is nan"),
        ({"X": X, "Y": BAD_Y}, "row 1: a label is 2, expected 0 or 1"),
        ({"X": X} | parts("Y", BAD_Y), "row 1: a label is 2"),
        (
            {"X": X, "y": Y},
            r"needs Y, or Y_data, Y_indices, Y_indptr, Y_shape for CSR; missing .*; it has \['X', 'y'\]",
        ),
        ({"X": X, "Y": Y[:3]}, "X has 4 rows, Y has 3"),
        ({"X": X[:0], "Y": Y[:0]}, r"X is \(0, 3\), Y is \(0, 2\): no size may be 0"),
        ({"X": X.ravel(), "Y": Y}, "X must be a matrix of numbers"),
        ({"X": X} | parts("Y", Y) | {"Y_shape": (4, 10**9)}, "Y has 1,000,000,000 columns, at most 10,000,000"),
        ({"X": X} | parts("Y", Y) | {"Y_shape": (4, np.inf)}, "Y_. are no CSR matrix"),
        ({"X": X.astype(str), "Y": Y}, "X must be a matrix of numbers"),
        (BROKEN | {"Y": Y}, "X_. are no CSR matrix"),
        ({"X": X} | parts("Y", np.zeros((3, 2))) | FALLING, "Y_. are no CSR matrix .*row pointers fall"),
        ({"X": X, "Y": Y, "label_names": ["a"]}, "label_names has 1 names, expected 2"),
        ({"X": X, "Y": Y, "label_names": ["a", "a"]}, r"duplicate names \['a'\] in label_names"),
        ({"X": X, "Y": Y, "split": ["train", "test"]}, r"split must have shape \(4,\)"),
        ({"X": X, "Y": Y, "split": ["train", "tets", "", ""]}, "row 1: split 'tets'; did you mean 'test'"),
        ({"X": np.array([[{}]]), "Y": Y}, r"not a readable .npz archive"),
        ({"X": X, "Y": Y, "label_names": 7}, r"label_names must be a list of texts, got an array of shape \(\)"),
        ({"X": X, "Y": Y, "split": np.array([b"\xff"] * 4)}, "split holds what is no text"),
        ({"X": X, "Y": Y, "label_names": ["a", "\ud800"]}, "label_names holds what is no text"),
    ],
)
def test_bad_archives(tmp_path, arrays, message):
    with pytest.raises(DataError, match=rf"a\.npz: {message}"):
        read(save(tmp_path, **arrays))


def test_a_member_that_is_no_array_is_refused(tmp_path):
    """NumPy gives its bytes instead of an error."""
    path = save(tmp_path, X=X, Y=Y)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("label_names.npy", "red")
    with pytest.raises(DataError, match=r"a\.npz: label_names is no array, but 3 bytes of another kind"):
        read(path)


@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_an_archive_without_labels_holds_rows_to_predict(tmp_path, names):
    source, rows = read(save(tmp_path, X=X, **({"label_names": names} if names else {})))
    assert (source.labels, rows.labels.shape) == (tuple(names), (4, len(names)))
    assert np.isnan(rows.labels.dense()).all()
    assert source.notices == ("a.npz: has no Y: nobody knows the labels of its rows",)


def test_files_that_are_no_archives(tmp_path):
    path = save(tmp_path, X=X, Y=Y)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"a\.npz: not a readable .npz"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.npz: not a readable .npz"):
        read(path)
    with pytest.raises(DataError, match=r"b\.npz: cannot be read"):
        read(tmp_path / "b.npz")


@pytest.mark.parametrize("form", ["dense", "csr"])
@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8])
def test_features_of_any_number_type_become_float32(tmp_path, dtype, form):
    """Half precision is what pooled features of images are kept in; scipy, which counts columns, does not know it."""
    both = {"X": X.astype(dtype), "Y": Y.astype(dtype)}
    if form == "csr":
        both = parts("X", X) | parts("Y", Y)
        both |= {"X_data": both["X_data"].astype(dtype), "Y_data": both["Y_data"].astype(dtype)}
    _, rows = read(save(tmp_path, **both))
    assert rows.features.dtype == np.float32
    out = tmp_path / "prepared"
    prepare(tmp_path / "a.npz", out, min_positives=1)
    np.testing.assert_array_equal(read_features(Manifest.load(out), np.arange(4)), X)


def test_rows_with_labels_and_rows_without_become_one_set(tmp_path):
    np.savez(tmp_path / "train.npz", X=X, Y=Y, label_names=["a", "b"])
    np.savez(tmp_path / "test.npz", X=X[:2], label_names=["b", "a"])
    manifest = prepare(tmp_path / "train.npz", tmp_path / "out", test=tmp_path / "test.npz")
    assert manifest.rows == 6 and manifest.known_counts == (4, 4) and manifest.label_counts == (2, 2)
