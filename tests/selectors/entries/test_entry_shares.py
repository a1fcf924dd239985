"""How many suspects are wrong, told by believed entries of rows that are held out: on scores whose truth is known."""

import numpy as np
import pytest

from d2ace.selectors.entries.shares import LEAST_BELIEVED, bound, estimate


def scores(rng, right, wrong, apart=3.0):
    """Suspects of which ``wrong`` look like the believed ones, ``apart`` standard deviations above the others."""
    return rng.permutation(np.concatenate([rng.normal(size=right), rng.normal(apart, 1, wrong)]))


@pytest.mark.parametrize("wrong", [0, 100, 400])
def test_the_bound_is_close_where_wrong_entries_look_different(wrong):
    rng = np.random.default_rng(wrong)
    found = bound(np.sort(scores(rng, 2000, wrong)), rng.normal(3.0, 1, 500)) * (2000 + wrong)
    assert wrong * 0.85 - 5 <= found <= wrong * 1.3 + 15


def test_the_bound_is_the_least_quotient_over_all_levels():
    rng = np.random.default_rng(5)
    suspects, believed = scores(rng, 50, 10), rng.normal(3.0, 1, 40)
    quotients = [
        (suspects >= level).mean() / (believed >= level).mean()
        for level in np.quantile(believed, 1 - np.linspace(0.2, 0.95, 15))
    ]
    assert bound(np.sort(suspects), believed) == pytest.approx(min(1, min(quotients)))
    assert bound(np.zeros(0), believed) == 0.0


def test_rare_labels_share_the_ratio_of_all_and_frequent_ones_have_their_own():
    rng = np.random.default_rng(6)
    positives = np.array([1000, 40, 50])
    wrong = np.array([100, 20, 25])  # half as many as positives where they are rare, a tenth where not
    suspects = [scores(rng, 3000, int(n), 6.0) for n in wrong]
    believed = [rng.normal(6.0, 1, n) for n in (200, LEAST_BELIEVED - 1, LEAST_BELIEVED - 1)]
    told = estimate(suspects, believed, np.array([len(mine) for mine in suspects]), positives)
    assert told.wrong[0] == pytest.approx(100, rel=0.15)
    assert told.wrong[1] / 40 == pytest.approx(told.wrong[2] / 50)
    assert told.recall > 0.8 and told.skill > 0.8
    assert told.chance == pytest.approx(told.wrong.sum() / sum(map(len, suspects)))


def test_a_label_without_suspects_among_the_held_out_rows_says_nothing_of_the_others():
    rng = np.random.default_rng(9)
    suspects = [scores(rng, 3000, 20, 6.0) for _ in range(6)]
    believed, positives = [rng.normal(6.0, 1, LEAST_BELIEVED - 1) for _ in suspects], np.full(6, 40)
    sizes = np.array([len(mine) for mine in suspects])
    told = estimate(suspects, believed, sizes, positives)
    known = estimate([*suspects[:4], np.zeros(0), np.zeros(0)], believed, sizes, positives)
    np.testing.assert_allclose(told.wrong, 20, rtol=0.3)
    np.testing.assert_allclose(known.wrong, told.wrong, rtol=0.2)
    assert told.skill > 0.7 and known.skill > 0.7 and not any(map(len, known.ranks[4:]))


def test_nothing_is_told_without_believed_entries_or_without_a_difference():
    rng = np.random.default_rng(7)
    nothing = estimate([rng.random(50)] * 2, [np.zeros(0)] * 2, np.array([50, 50]), np.array([5, 5]))
    assert nothing.wrong.tolist() == [0, 0] and nothing.skill == 0
    alike = estimate([rng.random(500)] * 2, [rng.random(100)] * 2, np.array([500, 500]), np.array([50, 50]))
    assert alike.skill < 0.2


def test_shares_of_held_out_rows_are_counts_of_the_training_rows():
    """Ten times as many training rows: ten times as many wrong ones, and the same skill."""
    rng = np.random.default_rng(8)
    suspects, believed, positives = [scores(rng, 900, 100)], [rng.normal(3.0, 1, 60)], np.array([300])
    same, more = (estimate(suspects, believed, np.array([size]), positives) for size in (1000, 10_000))
    np.testing.assert_allclose(more.wrong, 10 * same.wrong)
    np.testing.assert_allclose(more.ranks[0], 10 * same.ranks[0])
    assert more.skill == pytest.approx(same.skill) and 70 < same.wrong[0] < 130
