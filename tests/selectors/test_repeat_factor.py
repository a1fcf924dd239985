"""Repeat factors: the square root of how rare the rarest label of a row is, and draws in just that proportion."""

import math
from functools import partial

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import make_labels, partial_labels, require_plan

repeating = partial(make, "repeat-factor", warmup=0)


def slow_factors(labels, threshold, power):
    """Row by row and label by label, as the text has it; NaN is unknown."""
    factors = []
    for row in labels:
        best = 1.0
        for label, value in enumerate(row):
            known = [other[label] for other in labels if not math.isnan(other[label])]
            if value == 1:
                best = max(best, (threshold / (sum(known) / len(known))) ** power)
        factors.append(best)
    return factors


@pytest.mark.parametrize("labels", [make_labels().astype(float), partial_labels().astype(float)], ids=["all", "some"])
@pytest.mark.parametrize(("threshold", "power"), [(0.3, 0.5), (0.001, 0.5), (0.5, 1.0), (0.5, 0.0)])
def test_factors_are_those_of_the_text(labels, threshold, power):
    selector = repeating(labels, threshold=threshold, power=power)
    wanted = np.array(slow_factors(labels.tolist(), threshold, power))
    found = selector.diagnostics()
    np.testing.assert_allclose(found["repeat_factor"], wanted, rtol=1e-12)
    np.testing.assert_allclose(found["p"], wanted / wanted.sum(), rtol=1e-12)
    assert (wanted.max() > 1) == (threshold > 0.1 and power > 0)


def test_the_threshold_is_a_quantile_of_the_labels_that_have_rows():
    labels = make_labels()  # of five labels one has no row
    shares = sorted(share for share in labels.mean(axis=0).tolist() if share)
    for quantile, wanted in ((0.0, shares[0]), (1 / 3, shares[1]), (1.0, shares[3])):
        selector = repeating(labels, quantile=quantile)
        assert selector.summary()["threshold"] == pytest.approx(wanted)
    rare = repeating(labels, quantile=1.0).diagnostics()["repeat_factor"]
    assert (rare[labels[:, 4] == 1] == rare.max()).all() and rare.max() == pytest.approx(
        math.sqrt(shares[3] / shares[0])
    )
    assert (repeating(labels, quantile=0.0).diagnostics()["repeat_factor"] == 1).all()


def test_rows_come_as_often_as_their_factor_says():
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 5)) < [0.6, 0.4, 0.2, 0.05, 0.02]).astype(np.uint8)
    selector = repeating(labels, quantile=0.8, epochs=60)
    counts = np.zeros(400)
    for epoch in range(60):
        plan = selector.plan(epoch)
        require_plan(plan, selector)
        assert len(plan.ids) == 400
        once = np.bincount(plan.ids, minlength=400)
        wanted = 400 * plan.probabilities
        assert (once >= np.floor(wanted)).all() and (once <= np.ceil(wanted)).all()
        counts += once
    np.testing.assert_allclose(counts[labels[:, 4] == 1].mean(), 60 * 400 * plan.probabilities.max(), rtol=0.05)


@pytest.mark.parametrize(("until", "first"), [(None, 12), (3, 3), (0.5, 6), (0, 0)])
def test_batches_are_uniform_from_an_epoch_on(until, first):
    selector = repeating(quantile=1.0, until=until)
    permuted = [sorted(selector.plan(epoch).ids) == list(range(61)) for epoch in range(12)]
    assert permuted == [False] * first + [True] * (12 - first)
    assert selector.selection_start == (0 if first else None)
    sizes = []
    for epoch in range(12):
        sizes.append(selector.summary()["effective_sample_size"] < 1)
        selector.end_epoch(epoch)
    assert sizes == [not uniform for uniform in permuted]


def test_batches_are_uniform_in_a_warm_up():
    selector = repeating(quantile=1.0, warmup=3, until=5)
    permuted = [sorted(selector.plan(epoch).ids) == list(range(61)) for epoch in range(12)]
    assert permuted == [True] * 3 + [False] * 2 + [True] * 7
    assert selector.selection_start == 3
    assert repeating(warmup=6, until=6).selection_start is None


@pytest.mark.parametrize(
    "wrong", [{"quantile": 1.5}, {"threshold": -0.1}, {"power": 2.0}, {"until": 1.0}, {"until": -1}], ids=str
)
def test_settings_are_checked(wrong):
    with pytest.raises(SelectionError, match=next(iter(wrong))):
        repeating(**wrong)
