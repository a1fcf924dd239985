"""Correlations and context support from relevant entries, against the dense formulas."""

import numpy as np
import pytest

from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.scores import context as context_module
from d2ace.selectors.scores import correlation as correlation_module
from d2ace.selectors.scores.context import ContextSupport, local_context
from d2ace.selectors.scores.correlation import PairProducts, RelevantEntries, correlations, label_peaks
from d2ace.selectors.scores.label_pairs import LabelPairs


@pytest.fixture(params=[9, 40], ids=["few", "many"])
def case(request):
    """Of 40 labels rows have more than eight, and their rectangles are wider than they."""
    rng, n_labels = np.random.default_rng(4), request.param
    labels = (rng.random((80, n_labels)) < 0.25).astype(np.uint8)
    labels[:, 4] = 0
    labels[:3] = 0
    values = rng.random(labels.shape) * 10.0 ** rng.integers(-6, 1, n_labels)  # columns of very different size
    return labels, values * labels, rng


def packed(entries, *branches):
    """Both branches at the relevant entries, float32 (E, 2)."""
    return np.stack([branch.reshape(-1)[entries.positions] for branch in branches], axis=1).astype(np.float32)


def sparse_gram(labels, masked, peaks, n_rows):
    entries = RelevantEntries.of(LabelMatrix.of(labels).positives)
    products = PairProducts(entries, LabelPairs(labels.shape[1]))
    return products(packed(entries, masked, masked[:, ::-1] * labels), peaks, n_rows)


def peaks_of(labels, masked):
    entries = RelevantEntries.of(LabelMatrix.of(labels).positives)
    return label_peaks(packed(entries, masked, masked[:, ::-1] * labels), entries)


def test_cosines_match_the_dense_formula(case):
    labels, masked, _ = case
    branches = masked, masked[:, ::-1] * labels
    peaks = peaks_of(labels, masked)
    np.testing.assert_allclose(peaks, [branch.max(axis=0) for branch in branches], rtol=1e-7)
    for found, branch in zip(sparse_gram(labels, masked, peaks, 80), branches, strict=True):
        found = correlations(found, LabelPairs(branch.shape[1])).reshape(2 * branch.shape[1:])
        norm = np.linalg.norm(branch, axis=0)
        norm[norm == 0] = 1  # of a label that nobody has
        cosine = (branch / norm).T @ (branch / norm)
        want = cosine / np.maximum(cosine.sum(axis=1, keepdims=True), 1e-8)
        np.testing.assert_allclose(found, want, atol=1e-7)
        assert not found[4].any()
        assert not found[:, 4].any()


def test_parts_of_the_rows_add_up_exactly(case):
    labels, masked, _ = case
    peaks = peaks_of(labels, masked)
    whole = sparse_gram(labels, masked, peaks, 80)
    parts = [sparse_gram(labels[rows], masked[rows], peaks, 80) for rows in (slice(0, 31), slice(31, 80))]
    np.testing.assert_array_equal(parts[0] + parts[1], whole)


def drawn(rng, labels):
    """Values of entries, weights of labels and correlations of both branches."""
    n_rows, n_labels = labels.shape
    return rng.random((2, n_rows, n_labels)), rng.random((2, n_labels)), rng.random((2, n_labels, n_labels))


def supported(labels, context, values, weights, matrices):
    """What correlations add to the scores of rows, float64 (2, N)."""
    entries, scores = RelevantEntries.of(labels), np.zeros((2, labels.shape[0]))
    support = ContextSupport(entries, context, LabelPairs(labels.shape[1]))
    support.add_to(scores, packed(entries, *values), weights, matrices.reshape(2, -1))
    return scores


@pytest.mark.parametrize("pairs_at_once", [1, 50, 1 << 19])
def test_support_is_the_dense_product_at_relevant_entries(case, monkeypatch, pairs_at_once):
    labels, masked, rng = case
    for module in (correlation_module, context_module):
        monkeypatch.setattr(module, "_PAIRS_AT_ONCE", pairs_at_once)
    matrix = LabelMatrix.of(labels).positives
    context = local_context(matrix, rng.integers(0, 80, (80, 3)))
    values, weights, matrices = drawn(rng, labels)
    dense = context.toarray().astype(float)
    want = [(labels * w * v * (dense @ c.T)).sum(axis=1) for w, v, c in zip(weights, values, matrices, strict=True)]
    in_blocks = supported(matrix, context, values, weights, matrices)
    np.testing.assert_allclose(in_blocks, want, rtol=1e-6)
    found = sparse_gram(labels, masked, peaks_of(labels, masked), 80)
    monkeypatch.undo()
    np.testing.assert_array_equal(in_blocks, supported(matrix, context, values, weights, matrices))
    np.testing.assert_array_equal(found, sparse_gram(labels, masked, peaks_of(labels, masked), 80))


def test_support_holds_where_label_weights_differ_widely(case):
    labels, _, rng = case
    matrix = LabelMatrix.of(labels).positives
    context = local_context(matrix, rng.integers(0, 80, (80, 3)))
    values, matrices = drawn(rng, labels)[::2]
    weights = 10.0 ** rng.uniform(-4, 4, (2, labels.shape[1]))
    dense = context.toarray().astype(float)
    want = [(labels * w * v * (dense @ c.T)).sum(axis=1) for w, v, c in zip(weights, values, matrices, strict=True)]
    found = supported(matrix, context, values, weights, matrices)
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-8 * np.max(want))


def test_many_pairs_are_listed_anew_with_the_same_result(case, monkeypatch):
    labels, masked, rng = case
    matrix = LabelMatrix.of(labels).positives
    context = local_context(matrix, rng.integers(0, 80, (80, 3)))
    values, weights, matrices = drawn(rng, labels)
    results = []
    for keep in (True, False):
        for module in (correlation_module, context_module):
            monkeypatch.setattr(module, "worth_keeping", lambda *_, keep=keep: keep)
        gram = sparse_gram(labels, masked, peaks_of(labels, masked), 80)
        results.append([gram, supported(matrix, context, values, weights, matrices)])
    for kept, anew in zip(*results, strict=True):
        np.testing.assert_array_equal(kept, anew)


def test_no_relevant_entry_at_all():
    matrix = LabelMatrix.of(np.zeros((4, 3))).positives
    entries, none = RelevantEntries.of(matrix), np.empty((0, 2), np.float32)
    peaks = label_peaks(none, entries)
    assert not peaks.any()
    pairs = LabelPairs(3)
    assert not correlations(PairProducts(entries, pairs)(none, peaks, 4)[0], pairs).any()
    assert not supported(matrix, matrix, np.ones((2, 4, 3)), np.ones((2, 3)), np.ones((2, 3, 3))).any()
