"""ADA against plain loops: imbalance weights, levels, and the sequences of its label-correlation variant."""

import math

import numpy as np
import pytest
from contract_inputs import make
from scipy.stats import chi2

from d2ace.selectors import hard_imbalance_correlation
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import make_labels, train
from d2ace.selectors.hard_imbalance import HardImbalance
from d2ace.selectors.hard_imbalance_correlation import HardImbalanceCorrelation


def slow_imbalance(labels, near):
    n_rows, n_labels = labels.shape
    positives = [sum(labels[i][j] for i in range(n_rows)) for j in range(n_labels)]
    ratios = {j: max(positives) / c for j, c in enumerate(positives) if c}
    weights = [1.0] * n_rows
    for j, ratio in ratios.items():
        if not ratio > sum(ratios.values()) / len(ratios):
            continue
        shares = {}
        for i in range(n_rows):
            others = [k for k in near[i] if k != i]
            if labels[i][j] and others:
                share = sum(labels[k][j] == 0 for k in others) / len(others)
                if 0 < share < 1:
                    shares[i] = share
        for i, share in shares.items():
            weights[i] += share / sum(shares.values())
    return weights


@pytest.mark.parametrize("where", ["first", "last", "absent"])
def test_imbalance_weights_match_the_loops(where):
    labels = (np.random.default_rng(4).random((80, 6)) < [0.9, 0.9, 0.9, 0.55, 0.3, 0.0]).astype(np.uint8)
    near = np.random.default_rng(3).integers(0, 80, (80, 5))
    own = np.arange(80)[:, None]
    near = {"first": np.hstack([own, near]), "last": np.hstack([near, own]), "absent": near}[where]
    found = HardImbalance(labels, batch_size=8, epochs=9, neighbour_ids=near).diagnostics()["imbalance"]
    want = slow_imbalance(labels, near)
    np.testing.assert_allclose(found, want)
    assert max(want) > 1
    assert sum(weight == 1 for weight in want) > 10


def test_neighbours_come_from_features_without_the_row_itself():
    labels = np.zeros((8, 2), np.uint8)
    labels[:, 0] = 1  # so that label 1 is the rare one
    labels[[0, 1, 4], 1] = 1
    features = np.array([0.0, 1, 2, 3, 100, 101, 102, 103])[:, None]
    selector = HardImbalance(labels, batch_size=4, epochs=9, features=features, neighbours=2)
    # row 0: neighbours 1, 2, one lacks it; row 1: 0 and 2, one lacks it; row 4: both lack it, an outlier
    np.testing.assert_allclose(selector.imbalance, [1.5, 1.5, 1, 1, 1, 1, 1, 1])
    with pytest.raises(SelectionError, match="hard-imbalance needs features"):
        HardImbalance(labels, batch_size=4, epochs=9)
    alone = HardImbalance(labels, batch_size=4, epochs=9, neighbours=0)
    np.testing.assert_array_equal(alone.imbalance, 1)


@pytest.mark.parametrize("pressure", [2.0, 64.0])
def test_law_matches_the_loops_and_its_pressure_never_falls(pressure):
    selector = make("hard-imbalance", pressure=pressure, epochs=6)
    losses = np.random.default_rng(0).exponential(1.0, (61, 5)).astype(np.float32)
    selector.observe(np.arange(61), np.full((61, 5), 0.5), losses)
    for epoch in (0, 5):
        selector.end_epoch(epoch)
        found = selector.diagnostics()
        hardness = [w * sum(map(float, row)) / 5 for w, row in zip(found["imbalance"], losses, strict=True)]
        levels = [min(math.ceil(value / (max(hardness) / 61)), 61) for value in hardness]
        weights = np.array([pressure ** (level / 61) for level in levels])
        np.testing.assert_allclose(found["score"], hardness)
        np.testing.assert_allclose(found["p"], weights / weights.sum(), rtol=1e-9)


def test_no_loss_at_all_means_the_uniform_law():
    selector = make("hard-imbalance")
    selector.observe(np.arange(61), np.full((61, 5), 0.5), np.zeros((61, 5)))
    selector.end_epoch(1)
    np.testing.assert_allclose(selector.diagnostics()["p"], 1 / 61)


def test_label_correlation_is_the_mean_of_both_conditionals():
    labels = make_labels(50, 4)
    found = hard_imbalance_correlation.label_correlation(make("hard-imbalance", labels).label_matrix)
    for j in range(4):
        for k in range(4):
            both, one, other = (
                sum(map(int, column)) for column in (labels[:, j] * labels[:, k], labels[:, j], labels[:, k])
            )
            want = 0.5 * (both / other + both / one) if j != k and both else 0.0
            assert found[j, k] == pytest.approx(want)


TYPES = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0]], np.uint8)


def pairs_of_types(selector, each, epochs):
    """Return how often a batch of two rows has types (a, b), and the exact chances of that."""
    kinds = len(TYPES)
    counts = np.zeros((kinds, kinds))
    for epoch in range(1, epochs + 1):
        pairs = selector.plan(epoch).ids.reshape(-1, 2) // each
        np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    found = selector.diagnostics()
    p, correlation = found["p"][::each], found["label_correlation"]
    chances = np.zeros((kinds, kinds))
    for a in range(kinds):
        factors = [1 + TYPES[a] @ correlation @ y / max(1, TYPES[a].sum() * y.sum()) for y in TYPES]
        mass = [p[b] * factors[b] * (each - (a == b)) for b in range(kinds)]
        for b in range(kinds):
            chances[a, b] = each * p[a] * mass[b] / sum(mass)
    return counts, chances


@pytest.mark.parametrize(("each", "epochs", "rounds"), [(2000, 12, 24), (20, 400, 0), (4, 1500, 1)])
def test_sequences_follow_the_law_of_the_variant(each, epochs, rounds, monkeypatch):
    """By proposals, by scoring all rows, and by a mixture of both."""
    monkeypatch.setattr(hard_imbalance_correlation, "_ROUNDS", rounds)
    labels = np.repeat(TYPES, each, axis=0)
    selector = HardImbalanceCorrelation(labels, batch_size=2, epochs=2000, warmup=1, neighbours=0, pressure=20.0)
    losses = np.repeat([1.0, 0.2, 0.5, 0.8, 0.1], each)[:, None] * np.ones(4)
    selector.observe(np.arange(len(labels)), np.full(losses.shape, 0.5), losses)
    selector.end_epoch(0)
    counts, chances = pairs_of_types(selector, each, epochs)
    expected = chances * counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert chi2.sf(statistic, counts.size - 1) > 1e-4


def test_variant_differs_from_its_base_after_the_first_row_only():
    plain, variant = make("hard-imbalance"), make("hard-imbalance-correlation")
    for selector in (plain, variant):
        train(selector, 1)
    np.testing.assert_array_equal(plain.diagnostics()["p"], variant.diagnostics()["p"])
    assert (plain.plan(1).ids != variant.plan(1).ids).any()


def test_batches_as_large_as_the_data_and_extreme_pressures_end():
    selector = make("hard-imbalance-correlation", batch_size=60, pressure=1e12)
    for plan in train(selector, 3):
        assert [len(set(batch.tolist())) for batch in plan.batches] == [60, 1]
