"""Unknown entries of the labels in every method: what training says of their losses has no effect, bit for bit."""

import numpy as np
import pytest
from contract_inputs import N_ROWS, assert_same, make, make_labels, seen_of
from scipy import sparse

from d2ace.selectors import api
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.hard_imbalance import imbalance_weights
from d2ace.selectors.hard_imbalance_correlation import label_correlation


def partial_labels():
    """Labels of which a third is unknown; row 5 is all unknown."""
    labels = make_labels().astype(np.float32)
    labels[np.random.default_rng(3).random(labels.shape) < 1 / 3] = np.nan
    labels[5] = np.nan
    return labels


def trained(selector, change=lambda ids, probabilities, losses: (probabilities, losses), epochs=4):
    """Train some epochs with what ``change`` makes of the observations; return all plans' rows."""
    plans = []
    for epoch in range(epochs):
        plans.append(selector.plan(epoch))
        for number, ids in enumerate(plans[-1].batches):
            selector.observe(ids, *change(ids, *seen_of(selector, ids, (0, epoch, number))))
        selector.end_epoch(epoch)
    return np.concatenate([plan.ids for plan in plans])


@pytest.mark.parametrize("name", api.names())
@pytest.mark.parametrize("planted", [1e6, np.nan, -1.0])
def test_a_loss_planted_at_an_unknown_entry_changes_nothing(name, planted):
    labels = partial_labels()
    plain, spoilt = make(name, labels), make(name, labels)
    plans = trained(plain)
    unknown = np.isnan(labels)
    other = trained(spoilt, lambda ids, p, losses: (p, np.where(unknown[ids], np.float32(planted), losses)))
    np.testing.assert_array_equal(plans, other)
    assert_same(plain.state_dict(), spoilt.state_dict())
    diagnostics = plain.diagnostics()
    if "unusable_losses" in diagnostics:
        assert diagnostics["unusable_losses"] == spoilt.diagnostics()["unusable_losses"] == 0


@pytest.mark.parametrize("name", api.names())
def test_it_does_not_matter_how_the_unknown_entries_are_listed(name):
    labels = partial_labels()
    listed = LabelMatrix(LabelMatrix.of(labels).values, sparse.csr_array(labels == 0), "unknown")
    one, other = make(name, labels), make(name, listed)
    np.testing.assert_array_equal(trained(one), trained(other))
    assert_same(one.state_dict(), other.state_dict())


@pytest.mark.parametrize("name", api.names())
def test_soft_values_count_as_what_they_are_nearest_to(name):
    labels = make_labels()
    soft = np.where(labels == 1, np.float32(0.75), np.float32(0.125))
    np.testing.assert_array_equal(trained(make(name, labels)), trained(make(name, soft)))


def test_d2ace_has_no_hardness_where_nothing_is_known_but_uncertainty_and_weights_of_the_known_rows():
    labels = partial_labels()
    selector = make("d2ace", labels, variant="released")  # whose hardness is above 0 even without a loss
    trained(selector)
    found, unknown = selector.diagnostics(), np.isnan(labels)
    assert (found["hardness"][unknown] == 0).all() and (found["hardness"][~unknown] > 0).all()
    assert (found["uncertainty"][unknown] > 0).all()
    hard = np.where(unknown, np.nan, found["hardness"])
    want = np.exp(0.5 * np.nanmean(hard, axis=0) + 0.5 * np.nanstd(hard, axis=0))
    np.testing.assert_allclose(found["label_weight_hardness"], want, rtol=1e-5)
    assert (selector.explain(5)["hardness"] == 0).all()


def test_a_row_of_which_nothing_is_known_is_never_the_hardest():
    selector = make("loss-rank", partial_labels())
    trained(selector)
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
