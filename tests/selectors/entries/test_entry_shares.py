"""How many suspects are wrong, told by planted entries: on scores whose truth is known."""

import numpy as np
import pytest

from d2ace.selectors.entries.shares import LEAST_PLANTED, bound, estimate


def scores(rng, right, wrong, apart=3.0):
    """Suspects of which ``wrong`` look like the planted ones, ``apart`` standard deviations above the others."""
    return rng.permutation(np.concatenate([rng.normal(size=right), rng.normal(apart, 1, wrong)]))


@pytest.mark.parametrize("wrong", [0, 100, 400])
def test_the_bound_is_close_where_wrong_entries_look_different(wrong):
    rng = np.random.default_rng(wrong)
    found = bound(np.sort(scores(rng, 2000, wrong)), rng.normal(3.0, 1, 500)) * (2000 + wrong)
    assert wrong * 0.85 - 5 <= found <= wrong * 1.3 + 15


def test_the_bound_is_the_least_quotient_over_all_levels():
    rng = np.random.default_rng(5)
    suspects, planted = scores(rng, 50, 10), rng.normal(3.0, 1, 40)
    quotients = [
        (suspects >= level).mean() / (planted >= level).mean()
        for level in np.quantile(planted, 1 - np.linspace(0.2, 0.95, 15))
    ]
    assert bound(np.sort(suspects), planted) == pytest.approx(min(1, min(quotients)))
    assert bound(np.zeros(0), planted) == 0.0


def test_rare_labels_share_the_ratio_of_all_and_frequent_ones_have_their_own():
    rng = np.random.default_rng(6)
    positives = np.array([1000, 40, 50])
    wrong = np.array([100, 20, 25])  # half as many as positives where they are rare, a tenth where not
    suspects = [scores(rng, 3000, int(n), 6.0) for n in wrong]
    planted = [rng.normal(6.0, 1, n) for n in (200, LEAST_PLANTED - 1, LEAST_PLANTED - 1)]
    told = estimate(suspects, planted, positives)
    assert told.wrong[0] == pytest.approx(100, rel=0.15)
    assert told.wrong[1] / 40 == pytest.approx(told.wrong[2] / 50)
    assert told.recall > 0.8 and told.skill > 0.8
    assert told.chance == pytest.approx(told.wrong.sum() / sum(map(len, suspects)))


def test_nothing_is_told_without_planted_entries_or_without_a_difference():
    rng = np.random.default_rng(7)
    nothing = estimate([rng.random(50)] * 2, [np.zeros(0)] * 2, np.array([5, 5]))
    assert nothing.wrong.tolist() == [0, 0] and nothing.skill == 0
    alike = estimate([rng.random(500)] * 2, [rng.random(100)] * 2, np.array([50, 50]))
    assert alike.skill < 0.2
