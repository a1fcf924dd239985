"""D2ACE without one of its parts: label weights, correlations, a branch, the mixture's schedule."""

import numpy as np
import pytest

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.d2ace import D2ACE

LABELS = (np.random.default_rng(0).random((40, 5)) < 0.4).astype(np.uint8)
NEAR = np.random.default_rng(1).integers(0, 40, (40, 4))


def trained(**settings):
    settings = {"neighbour_ids": NEAR, **settings}
    selector = D2ACE(LABELS, batch_size=8, epochs=20, warmup=1, **settings)
    for epoch in range(3):
        for number, ids in enumerate(selector.plan(0).batches):
            rng = np.random.default_rng((epoch, number))
            shape = (len(ids), 5)
            selector.observe(ids, rng.uniform(0.1, 0.9, shape), rng.exponential(1.0, shape))
        selector.end_epoch(epoch)
    return selector


def test_without_label_weights_every_label_counts_one():
    found, full = trained(label_weights=False).diagnostics(), trained().diagnostics()
    for branch in ("uncertainty", "hardness"):
        np.testing.assert_array_equal(found[f"label_weight_{branch}"], np.ones(5))
        assert (full[f"label_weight_{branch}"] > 1).all()
    support = found["local_context"] @ found["correlation_uncertainty"].T
    want = (found["uncertainty"] * (1 + LABELS * support)).sum(axis=1)
    np.testing.assert_allclose(found["score_uncertainty"], want, rtol=1e-5)


def test_without_correlation_scores_are_weighted_sums_and_need_no_neighbours():
    found = trained(correlation=False, neighbour_ids=None).diagnostics()
    for branch in ("uncertainty", "hardness"):
        want = found[branch] @ found[f"label_weight_{branch}"]
        np.testing.assert_allclose(found[f"score_{branch}"], want, rtol=1e-5)


@pytest.mark.parametrize(("mixture", "beta"), [("uncertainty", 1.0), ("hardness", 0.0), (0.25, 0.25), (1, 1.0)])
def test_a_fixed_mixture_stays(mixture, beta):
    selector = trained(mixture=mixture)
    law = selector.diagnostics()
    np.testing.assert_allclose(law["p"], beta * law["p_uncertainty"] + (1 - beta) * law["p_hardness"])
    for epoch in (3, 10, 19):
        selector.end_epoch(epoch)
        assert selector.summary()["beta"] == beta
    if beta in (0.0, 1.0):
        assert set(trained(mixture=mixture).plan(3).branches.tolist()) == {int(1 - beta)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mixture": "hardnes"}, "did you mean 'hardness'"),
        ({"mixture": 1.5}, "mixture must be a number from 0 to 1"),
        ({"mixture": True}, "mixture must be a number"),
        ({"label_weights": "no"}, "label_weights must be True or False"),
        ({"correlation": 0}, "correlation must be True or False"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(SelectionError, match=message):
        trained(**settings)
