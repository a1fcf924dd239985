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


def half_labelled():
    """Labels of which every other row has none that is known, and losses of these that would be tempting."""
    labels = np.ones((60, 5), np.float32)
    labels[::2] = np.nan
    losses = np.random.default_rng(3).exponential(0.4, labels.shape)
    return labels, np.where(np.isnan(labels), 0.0, losses)


def test_learnability_draws_rows_without_a_known_label_last():
    labels, losses = half_labelled()
    selector = make("learnability", labels, reference=np.full(labels.shape, 5.0), super_batch=2, batch_size=10)
    selector.observe(np.arange(60), np.full(labels.shape, 0.5), losses)
    selector.end_epoch(0)
    score = selector.diagnostics()["score"]
    assert (score[::2] == score[1::2].min()).all() and (score < 0).all()
    assert selector.summary()["mean_learnability"] == pytest.approx(score[1::2].mean())
    best = set(np.argsort(-score)[:10].tolist())
    whole = make("learnability", labels, reference=np.full(labels.shape, 5.0), super_batch=6, batch_size=10)
    whole.load_state_dict(selector.state_dict())
    assert {row for batch in whole.plan(1).batches for row in batch.tolist()} == best
    assert not any(row % 2 == 0 for row in best)


@pytest.mark.parametrize("window", [0, 2])
def test_infobatch_takes_rows_without_a_known_label_neither_for_easy_nor_into_the_mean(window):
    labels, losses = half_labelled()
    selector = make("infobatch", labels, batch_size=60, epochs=50, window=window)
    selector.observe(np.arange(60), np.full(labels.shape, 0.5), losses)
    selector.end_epoch(0)
    rows = losses.mean(axis=1)[1::2]
    assert selector.summary()["mean_loss"] == pytest.approx(rows.mean(), rel=1e-6)
    assert not selector.diagnostics()["easy"][::2].any()
    np.testing.assert_array_equal(selector.diagnostics()["easy"][1::2], rows < rows.mean())


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
