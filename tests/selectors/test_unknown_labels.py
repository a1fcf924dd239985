"""What single methods make of unknown entries of the labels; what all must do with them is in the contract."""

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.contract.inputs import N_ROWS, partial_labels, train
from d2ace.selectors.hard_imbalance import imbalance_weights
from d2ace.selectors.hard_imbalance_correlation import label_correlation


def test_d2ace_has_no_hardness_where_nothing_is_known_but_uncertainty_and_weights_of_the_known_rows():
    labels = partial_labels()
    selector = make("d2ace", labels, variant="released")  # whose hardness is above 0 even without a loss
    train(selector, 4)
    found, unknown = selector.diagnostics(), np.isnan(labels)
    assert (found["hardness"][unknown] == 0).all() and (found["hardness"][~unknown] > 0).all()
    assert (found["uncertainty"][unknown] > 0).all()
    hard = np.where(unknown, np.nan, found["hardness"])
    want = np.exp(0.5 * np.nanmean(hard, axis=0) + 0.5 * np.nanstd(hard, axis=0))
    np.testing.assert_allclose(found["label_weight_hardness"], want, rtol=1e-5)
    assert (selector.explain(5)["hardness"] == 0).all()


def test_a_row_of_which_nothing_is_known_is_never_the_hardest():
    selector = make("loss-rank", partial_labels())
    train(selector, 4)
    assert selector.diagnostics()["p"][5] == selector.diagnostics()["p"].min()


def test_imbalance_and_correlation_count_where_a_label_is_known():
    labels = partial_labels()
    matrix, known, positive = LabelMatrix.of(labels), ~np.isnan(labels), labels == 1
    correlation = label_correlation(matrix).toarray()
    near = np.random.default_rng(8).integers(0, N_ROWS, (N_ROWS, 6))
    rates = [positive[:, j].sum() / max(known[:, j].sum(), 1) for j in range(5)]
    ratios = [max(rates) / rate if rate else 0 for rate in rates]
    minority = [ratio > np.mean([r for r in ratios if r]) for ratio in ratios]
    shares = np.zeros(labels.shape)
    for j in range(5):
        for k in range(5):
            both = (positive[:, j] & positive[:, k]).sum()
            seen = [(positive[:, a] & known[:, b]).sum() for a, b in ((k, j), (j, k))]
            want = sum(both / n for n in seen) / 2 if j != k and both else 0.0
            assert correlation[j, k] == pytest.approx(want)
        for i in np.flatnonzero(positive[:, j]):
            informed = [n for n in near[i] if n != i and known[n, j]]
            lacking = sum(labels[n, j] == 0 for n in informed)
            shares[i, j] = lacking / len(informed) if minority[j] and 0 < lacking < len(informed) else 0
    totals = shares.sum(axis=0)
    want = 1 + (shares / np.where(totals > 0, totals, 1)).sum(axis=1)
    assert want.max() > 1
    np.testing.assert_allclose(imbalance_weights(matrix, near), want)
