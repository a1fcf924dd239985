"""Exact neighbours against a brute-force oracle, and the local context."""

import numpy as np
import pytest
from scipy import sparse

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.neighbours import search as neighbours
from d2ace.selectors.neighbours.given import as_neighbour_ids
from d2ace.selectors.neighbours.points import SparsePoints, as_matrix, as_points
from d2ace.selectors.neighbours.search import nearest_neighbours
from d2ace.selectors.scores.context import local_context


def brute_force(features, k):
    features = np.asarray(features, np.float64)
    found = []
    for row, point in enumerate(features):
        distance = ((features - point) ** 2).sum(axis=1)
        distance[row] = -1
        found.append(np.argsort(distance, kind="stable")[: k + 1])
    return np.array(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tile", [4, 64, 1024])
def test_matches_brute_force(monkeypatch, dtype, tile):
    monkeypatch.setattr(neighbours, "_TILE", tile)
    features = np.random.default_rng(0).normal(size=(150, 8)).astype(dtype) + 1000
    np.testing.assert_array_equal(nearest_neighbours(features, 6), brute_force(features, 6))


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.coo_array, np.asarray])
def test_sparse_features_match_brute_force(device, whole, form):
    rng = np.random.default_rng(2)
    dense = rng.integers(1, 4, (130, 70)) * (rng.random((130, 70)) < 0.04)
    dense[5:40] = dense[5]  # duplicates, and more ties than candidates
    dense = dense.astype(np.float32) * (1 if whole else np.float32(0.37))
    points = as_points(as_matrix(form(dense)))
    assert (type(points), points.is_exact) == (SparsePoints, whole)
    np.testing.assert_array_equal(nearest_neighbours(form(dense), 5, device=device), brute_force(dense, 5))


@pytest.mark.parametrize("features", ["normal", "ties", "far away"])
def test_a_torch_device_gives_the_same(features):
    rng = np.random.default_rng(3)
    values = {
        "normal": rng.normal(size=(300, 6)),
        "ties": rng.integers(0, 2, (300, 5)).astype(float),
        "far away": rng.random((300, 2)) * 1e-3 + 1000.0 * (np.arange(300) % 2)[:, None],
    }[features]
    np.testing.assert_array_equal(nearest_neighbours(values, 6, device="cpu"), brute_force(values, 6))


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(SelectionError, match="'nonsense'"):
        nearest_neighbours(np.eye(9), 2, device="nonsense")


@pytest.mark.parametrize("tile", [16, 50])
def test_equal_distances_go_to_the_smaller_row_number(monkeypatch, tile):
    monkeypatch.setattr(neighbours, "_TILE", tile)
    features = np.random.default_rng(0).integers(0, 2, (200, 5)).astype(float)  # 32 points, each many times
    np.testing.assert_array_equal(nearest_neighbours(features, 7), brute_force(features, 7))


def test_differences_below_the_rounding_of_float32_are_seen():
    features = np.zeros((60, 2))
    features[:, 0] = 1000.0 * (np.arange(60) // 30)
    features[:, 1] = np.random.default_rng(0).random(60) * 1e-3
    np.testing.assert_array_equal(nearest_neighbours(features, 4), brute_force(features, 4))


def test_the_row_itself_is_always_first_among_its_duplicates():
    features = np.zeros((20, 3))
    found = nearest_neighbours(features, 4)
    np.testing.assert_array_equal(found[:, 0], np.arange(20))
    assert all(len(set(line.tolist())) == 5 for line in found)


@pytest.mark.parametrize("k", [0, 3, 4, 5, 50])
def test_more_neighbours_than_rows_lists_all_rows(k):
    found = nearest_neighbours(np.arange(5.0)[:, None], k)
    assert found.shape == (5, min(k, 4) + 1)
    if k >= 4:
        assert all(sorted(line) == [0, 1, 2, 3, 4] for line in found)


def test_one_row_alone():
    assert nearest_neighbours(np.ones((1, 2)), 3).tolist() == [[0]]


@pytest.mark.parametrize("features", [np.array([[1.0], [np.nan]]), np.array([[1.0], [np.inf]]), np.ones(4)])
def test_unusable_features_are_refused(features):
    with pytest.raises(SelectionError, match="finite matrix"):
        nearest_neighbours(features, 1)


@pytest.mark.parametrize("ids", [np.zeros((3, 2)), np.zeros((2, 2), int), np.zeros(3, int), np.full((3, 1), -1)])
def test_unusable_neighbour_ids_are_refused(ids):
    with pytest.raises(SelectionError, match="neighbour_ids"):
        as_neighbour_ids(ids, 3)


def test_local_context_joins_the_labels_around_a_row():
    labels = LabelMatrix.of(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0]])).positives
    found = local_context(labels, np.array([[1], [3], [2], [0]]))  # the row itself counts though not listed
    np.testing.assert_array_equal(found.toarray(), [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]])
    assert found.has_sorted_indices


def test_sparse_features_reach_a_selector():
    rng = np.random.default_rng(5)
    labels, features = rng.integers(0, 2, (50, 4)), sparse.random(50, 90, 0.05, format="csr", random_state=0)
    made = [D2ACE(labels, features=f, batch_size=8, epochs=20, neighbours=3) for f in (features, features.toarray())]
    contexts = [one.diagnostics()["local_context"] for one in made]
    np.testing.assert_array_equal(*contexts)
