"""Kept neighbour lists: found again by content, never trusted blindly, never half written."""

import logging

import numpy as np
import pytest
from scipy import sparse

from d2ace.selectors.neighbours import cache as neighbour_cache
from d2ace.selectors.neighbours.cache import neighbour_ids
from d2ace.selectors.neighbours.search import nearest_neighbours

FEATURES = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)


@pytest.fixture
def searches(monkeypatch):
    """How often a search was made."""
    made = []
    real = neighbour_cache.search
    monkeypatch.setattr(neighbour_cache, "search", lambda *a: made.append(1) or real(*a))
    return made


def test_the_same_content_is_searched_once(tmp_path, searches):
    want = nearest_neighbours(FEATURES, 3)
    for features in (FEATURES, FEATURES.copy(), np.asfortranarray(FEATURES)):
        found = neighbour_ids(features, 3, cache=tmp_path / "new" / "folder")
        np.testing.assert_array_equal(found, want)
        assert found.dtype == np.int64
    assert len(searches) == 1
    assert len(list(tmp_path.rglob("*"))) == 3  # two folders, one file, nothing temporary


def test_other_content_is_another_file(tmp_path, searches):
    changed = FEATURES.copy()
    changed[7, 2] = np.nextafter(changed[7, 2], np.float32(9))
    for features, k in (
        (FEATURES, 3),
        (changed, 3),
        (FEATURES, 4),
        (FEATURES.astype(np.float64), 3),
        (FEATURES[:, ::-1], 3),
    ):
        neighbour_ids(features, k, cache=tmp_path)
    assert len(searches) == len(list(tmp_path.iterdir())) == 5


def test_sparse_matrices_are_known_by_their_entries(tmp_path, searches):
    dense = np.zeros((30, 100), np.float32)
    dense[np.arange(30), np.arange(30) * 3] = 1 + np.arange(30)
    for form in (sparse.csr_array, sparse.csc_array, sparse.coo_matrix, np.asarray):
        np.testing.assert_array_equal(neighbour_ids(form(dense), 2, cache=tmp_path), nearest_neighbours(dense, 2))
    assert len(searches) == 1


@pytest.mark.parametrize("damage", ["cut", "other shape", "out of range", "no array"])
def test_a_damaged_file_is_replaced(tmp_path, searches, caplog, damage):
    want = neighbour_ids(FEATURES, 3, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:200])
    elif damage == "no array":
        file.write_bytes(b"")
    else:
        np.save(file, want[:, :2] if damage == "other shape" else want + 40)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(neighbour_ids(FEATURES, 3, cache=tmp_path), want)
    assert "computed anew" in caplog.text
    np.testing.assert_array_equal(neighbour_ids(FEATURES, 3, cache=tmp_path), want)
    assert len(searches) == 2


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(neighbour_cache.os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        neighbour_ids(FEATURES, 3, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_kept_is_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(neighbour_cache.tempfile, "mkstemp", refuse)
    with caplog.at_level(logging.WARNING):
        found = neighbour_ids(FEATURES, 3, cache=tmp_path)
    np.testing.assert_array_equal(found, nearest_neighbours(FEATURES, 3))
    assert not list(tmp_path.iterdir()) and "cannot be kept" in caplog.text and "Permission denied" in caplog.text


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(neighbour_ids(FEATURES, 3), nearest_neighbours(FEATURES, 3))
    assert not list(tmp_path.iterdir())
