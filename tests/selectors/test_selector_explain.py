"""What a selector says about one row agrees with the law it draws from."""

import numpy as np
import pytest

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.loss_rank import LossRank
from d2ace.selectors.uncertainty import Uncertainty
from d2ace.selectors.uniform import Uniform

N, L = 40, 5


def trained(factory, **options):
    rng = np.random.default_rng(2)
    labels = (rng.random((N, L)) < 0.4).astype(np.int8)
    labels[3] = 0  # a row without labels
    selector = factory(labels=labels, batch_size=8, epochs=6, seed=3, features=rng.normal(size=(N, 2)), **options)
    for epoch in range(3):
        for ids in selector.plan(epoch).batches:
            p = rng.uniform(0.02, 0.98, size=(len(ids), L))
            selector.observe(ids, p, -np.log(np.where(labels[ids], p, 1 - p)))
        selector.end_epoch(epoch)
    return selector


@pytest.mark.parametrize(
    "options", [{}, {"variant": "released"}, {"correlation": False}, {"label_weights": False}, {"mixture": 1.0}]
)
def test_d2ace_parts_add_up_to_the_score_and_the_probability(options):
    selector = trained(D2ACE, warmup=1, pressure=30, neighbours=2, **options)
    known = selector.diagnostics()
    for row in range(N):
        found = selector.explain(row)
        for branch in selector.branch_names:
            parts = found[f"label_weight_{branch}"] * found[branch] + found[f"bonus_{branch}"]
            assert parts.sum() == pytest.approx(known[f"score_{branch}"][row], rel=1e-6)
            assert found[f"score_{branch}"] == known[f"score_{branch}"][row]
            assert found[f"p_{branch}"] == known[f"p_{branch}"][row]
        assert found["p"] == known["p"][row]
        assert found["p"] == pytest.approx(
            found["beta"] * found["p_uncertainty"] + (1 - found["beta"]) * found["p_hardness"]
        )
        assert found["visits"] == known["visits"][row]
    assert not selector.explain(3)["bonus_hardness"].any()
    assert selector.explain(0)["bonus_hardness"].any() == options.get("correlation", True)


def test_other_methods_give_their_diagnostics_of_the_row():
    selector = trained(LossRank, warmup=1)
    found, known = selector.explain(7), selector.diagnostics()
    assert found["p"] == known["p"][7] and found["visits"] == known["visits"][7]
    assert found["pressure"] == known["pressure"]
    assert trained(Uniform).explain(0) == {"p": 1 / N, "effective_sample_size": 1.0}


@pytest.mark.parametrize("row", [-1, N, 1.5])
def test_a_row_that_is_not_there_is_refused(row):
    for factory in (D2ACE, Uniform):
        with pytest.raises(SelectionError, match=r"row must be a position 0\.\.39"):
            trained(factory, **({"warmup": 1} if factory is D2ACE else {})).explain(row)


def test_matrices_of_labels_are_left_out():
    uncertainty = trained(Uncertainty, warmup=1)
    assert "correlation" in uncertainty.diagnostics()
    found = uncertainty.explain(0)
    assert "correlation" not in found and found["uncertainty"].shape == (L,)
