"""Chances of suspects to be wrong: against scores whose truth is known, and against the majorant worked out by hand."""

from itertools import pairwise

import numpy as np
import pytest

from d2ace.selectors.entries.chances import BelievedRanks
from d2ace.selectors.entries.shares import LEAST_BELIEVED, estimate


def suspects(rng, right, wrong, apart):
    """Scores of suspects, most suspicious first, and which of them are wrong."""
    scores = np.concatenate([rng.normal(size=right), rng.normal(apart, 1, wrong)])
    order = np.argsort(-scores)
    return scores[order], (np.arange(right + wrong) >= right)[order]


def told(rng, sizes, believed, apart, positives):
    """Chances of all suspects of some labels, and which are wrong; ``sizes`` are pairs of right and wrong ones."""
    found = [suspects(rng, *size, apart) for size in sizes]
    marks = [rng.normal(apart, 1, count) for count in believed]
    result = estimate([scores for scores, _ in found], marks, np.array([sum(size) for size in sizes]), positives)
    ranks = BelievedRanks.of(result.ranks)
    chances = [ranks.chances(j, sum(size), float(result.wrong[j]), positives) for j, size in enumerate(sizes)]
    return chances, [truth for _, truth in found], result.wrong


def assert_calibrated(chances, truth, edges, tolerance):
    """Among the suspects of about one chance, about that share is wrong."""
    chances, truth = np.concatenate(chances), np.concatenate(truth)
    for low, high in pairwise(edges):
        here = (chances >= low) & (chances < high)
        assert here.sum() >= 20, (low, high)
        assert chances[here].mean() == pytest.approx(truth[here].mean(), abs=tolerance), (low, high)


@pytest.mark.parametrize("seed", range(4))
def test_chances_are_calibrated_where_the_truth_is_known(seed):
    rng = np.random.default_rng(seed)
    chances, truth, wrong = told(rng, [(20_000, 2000), (8000, 3000)], (800, 800), 2.5, np.array([4000, 4000]))
    assert_calibrated(chances, truth, [0, 0.05, 0.3, 0.7, 0.95, 1.01], 0.12)
    for mine, share in zip(chances, wrong, strict=True):
        assert mine.min() >= 0 and mine.max() <= 1 and (np.diff(mine) <= 0).all()
        assert mine.sum() == pytest.approx(share)


def test_labels_of_few_believed_entries_share_their_ranks_and_are_calibrated_together():
    rng, labels = np.random.default_rng(9), 60
    sizes, positives = [(2000, 30)] * labels, np.full(labels, 60)
    chances, truth, _ = told(rng, sizes, [LEAST_BELIEVED - 15] * labels, 3.0, positives)
    assert_calibrated(chances, truth, [0, 0.1, 0.5, 1.01], 0.15)
    np.testing.assert_allclose(chances[0], chances[1])
    assert np.mean(truth[0]) < 0.02 and chances[0][0] > 0.8


def test_the_curve_is_the_least_concave_one_above_the_shares_of_believed_entries():
    ranks, size, wrong = np.sort(np.random.default_rng(4).integers(0, 60, LEAST_BELIEVED + 5)), 80, 10.0
    chances = BelievedRanks.of([ranks]).chances(0, size, wrong, np.ones(1))
    share = np.array([(ranks <= k).mean() if k else 0.0 for k in range(size + 1)])
    least = [
        max(
            share[a] + (share[b] - share[a]) * (k - a) / max(b - a, 1) for a in range(k + 1) for b in range(k, size + 1)
        )
        for k in range(size + 1)
    ]
    np.testing.assert_allclose(np.cumsum(chances), np.minimum(np.arange(1, size + 1), wrong * np.array(least[1:])))


def test_no_more_than_all_of_the_first_are_wrong():
    """All believed entries stood before all suspects: the first ones are wrong for certain, the others are not."""
    chances = BelievedRanks.of([np.zeros(30, int)]).chances(0, 50, 7.5, np.ones(1))
    np.testing.assert_allclose(chances, [1.0] * 7 + [0.5] + [0.0] * 42)


def test_without_believed_entries_nothing_is_known():
    nothing = BelievedRanks.of([np.zeros(0, int)] * 3)
    assert len(nothing) == 0 and np.isnan(nothing.chances(1, 4, 2.0, np.ones(3))).all()
    assert BelievedRanks.of([np.ones(30, int)]).chances(0, 0, 0.0, np.ones(1)).shape == (0,)
