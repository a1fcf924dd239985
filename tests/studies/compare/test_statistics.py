"""Tests, intervals and effect sizes against scipy called differently, enumeration, and published examples."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from d2ace.pipeline.studies.compare.statistics import (
    bootstrap_interval,
    cohens_dz,
    hierarchical_interval,
    holm,
    signed_rank_test,
)
from d2ace.selectors.common.randomness import generator

# Demsar 2006, table 2: AUC of C4.5 and of C4.5+m on 14 data sets.
C45 = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957]
C45_M = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978]

few = settings(max_examples=60, deadline=None, derandomize=True)
coarse = st.lists(st.integers(-4, 4), min_size=1, max_size=9).map(lambda whole: np.array(whole) / 4)


def by_enumeration(differences):
    """Two-sided p of Pratt's test: every sign of every nonzero rank is equally likely."""
    ranks = stats.rankdata(np.abs(differences))
    plus = ranks[differences > 0].sum()
    sums = [
        sum(rank for rank, sign in zip(ranks[differences != 0], signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=int((differences != 0).sum()))
    ]
    below, above = np.mean(np.array(sums) <= plus + 1e-9), np.mean(np.array(sums) >= plus - 1e-9)
    return min(1.0, 2 * min(below, above))


@pytest.mark.parametrize("size", [1, 2, 5, 12, 30, 50])
def test_without_ties_it_is_scipys_exact_test(size):
    differences = np.random.default_rng(size).normal(0.3, 1, size)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank_test(differences).p == pytest.approx(expected, rel=1e-9)


@few
@given(coarse)
def test_with_ties_and_zeros_it_counts_all_signs(differences):
    assert signed_rank_test(differences).p == pytest.approx(by_enumeration(differences), rel=1e-9)


@few
@given(coarse)
def test_exchanging_the_methods_turns_the_effect_around(differences):
    there, back = signed_rank_test(differences), signed_rank_test(-differences)
    assert there.p == pytest.approx(back.p) and there.rank_biserial == pytest.approx(-back.rank_biserial)


@pytest.mark.parametrize(
    "differences",
    [
        np.round(np.random.default_rng(0).normal(0.25, 1, 60), 1),
        np.concatenate([np.zeros(40), -np.linspace(0.1, 0.2, 8), np.linspace(0.3, 0.9, 16)]),
    ],
    ids=["few zeros", "many zeros"],
)
def test_many_differences_agree_with_random_signs(differences):
    rng = np.random.default_rng(0)
    ranks = stats.rankdata(np.abs(differences)) * (differences != 0)
    observed = abs(np.sum(ranks * np.sign(differences)))
    signs = rng.choice([-1, 1], size=(40_000, len(differences)))
    expected = np.mean(np.abs(signs @ ranks) >= observed - 1e-9)
    assert 0.01 < expected < 0.2
    assert signed_rank_test(differences).p == pytest.approx(expected, rel=0.1)


def test_the_published_signed_ranks():
    """Demsar 2006, section 3.1.3: R+ = 93 and R- = 12, zeros split evenly; significant at 0.05."""
    found = signed_rank_test(np.round(np.subtract(C45_M, C45), 12))
    assert found.rank_biserial == pytest.approx((93 - 12) / (14 * 15 / 2))
    assert found.p < 0.05


def test_ties_alone_show_nothing():
    assert signed_rank_test(np.zeros(7)) == (1.0, 0.0)


def test_one_win_among_ties_is_a_small_effect():
    assert signed_rank_test(np.array([0.0] * 9 + [0.1])).rank_biserial == pytest.approx(10 / 55)
    assert signed_rank_test(np.array([0.1, 0.2, 0.3])).rank_biserial == 1.0


def test_no_difference_is_refused():
    with pytest.raises(ValueError, match="got none"):
        signed_rank_test(np.array([]))


def test_holm_on_the_published_example():
    """Demsar 2006, section 3.2.2: 0.016 < 0.05 / 3 and 0.019 < 0.05 / 2 are rejected, 0.607 is not."""
    assert holm([0.607, 0.016, 0.019]) == pytest.approx([0.607, 0.048, 0.048])


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@few
@given(p_values, st.floats(0.001, 0.5))
def test_holm_rejects_what_stepping_down_rejects(p, alpha):
    rejected, left = set(), len(p)
    for i in sorted(range(len(p)), key=p.__getitem__):
        if p[i] * left > alpha:
            break
        rejected.add(i)
        left -= 1
    assert {i for i, adjusted in enumerate(holm(p)) if adjusted <= alpha} == rejected


@few
@given(p_values)
def test_holm_lies_between_no_correction_and_bonferroni(p):
    adjusted = holm(p)
    assert np.all(adjusted >= p) and np.all(adjusted <= np.minimum(1.0, len(p) * np.array(p)))
    assert np.all(np.diff(adjusted[np.argsort(p)]) >= 0)


def test_cohens_dz_is_the_paired_t_over_the_root_of_n():
    rng = np.random.default_rng(1)
    x, y = rng.normal(0.5, 1, 11), rng.normal(size=11)
    assert cohens_dz(x - y) == pytest.approx(stats.ttest_rel(x, y).statistic / math.sqrt(11))


def test_cohens_dz_at_its_edges():
    assert math.isnan(cohens_dz(np.array([0.1])))
    assert cohens_dz(np.array([-0.1, -0.1])) == -math.inf
    assert cohens_dz(np.zeros(3)) == 0.0


def test_the_interval_is_scipys_of_the_pairs():
    rng = np.random.default_rng(2)
    x, y = rng.normal(0.2, 1, 12), rng.normal(size=12)
    expected = stats.bootstrap(
        (x, y),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        paired=True,
        vectorized=True,
        random_state=generator(0, "bootstrap"),
    ).confidence_interval
    assert bootstrap_interval(x - y) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_of_many_pairs_is_students():
    differences = np.random.default_rng(3).normal(0.1, 1, 400)
    error = stats.sem(differences)
    expected = stats.t.interval(0.9, 399, differences.mean(), error)
    assert bootstrap_interval(differences, level=0.9) == pytest.approx(expected, abs=0.1 * error)


@pytest.mark.filterwarnings("error")
@few
@given(st.lists(st.integers(-30, 30), min_size=2, max_size=6))
def test_few_pairs_still_give_an_interval(whole):
    differences = np.array(whole) / 10
    low, high = bootstrap_interval(differences, resamples=999)
    assert differences.min() - 1e-12 <= low <= high <= differences.max() + 1e-12


def test_one_pair_gives_no_interval():
    assert all(map(math.isnan, bootstrap_interval(np.array([0.3]))))


def test_intervals_repeat_themselves():
    clusters = [[cell] for cell in np.random.default_rng(8).normal(size=(6, 5))]
    assert hierarchical_interval(clusters) == hierarchical_interval(clusters)
    assert hierarchical_interval(clusters) != hierarchical_interval(clusters, seed=1)


def test_hierarchical_resampling_against_plain_loops():
    rng = np.random.default_rng(4)
    clusters = [[rng.normal(c, 1, n) for n in sizes] for c, sizes in enumerate([(3, 1), (6,), (2, 5, 4), (3,)])]
    means = []
    for _ in range(10_000):
        drawn = [clusters[i] for i in rng.integers(4, size=4)]
        means.append(np.mean([rng.choice(cell, len(cell)).mean() for cluster in drawn for cell in cluster]))
    expected = np.quantile(means, [0.05, 0.95])
    assert hierarchical_interval(clusters, level=0.9, resamples=20_000) == pytest.approx(expected, abs=0.05)


def test_cells_of_one_pair_are_an_ordinary_bootstrap():
    differences = np.random.default_rng(5).normal(size=15)
    expected = stats.bootstrap((differences,), np.mean, method="percentile", random_state=1).confidence_interval
    found = hierarchical_interval([[np.array([d])] for d in differences])
    assert found == pytest.approx((expected.low, expected.high), abs=0.03)


def test_networks_that_agree_on_a_data_set_are_not_more_evidence():
    of_data = np.random.default_rng(6).normal(size=8)
    cells = [[np.full(4, d)] for d in of_data for _ in range(5)]
    together = [[np.full(4, d)] * 5 for d in of_data]
    narrow, wide = hierarchical_interval(cells), hierarchical_interval(together)
    assert wide.high - wide.low == pytest.approx(math.sqrt(5) * (narrow.high - narrow.low), rel=0.1)


def test_the_hierarchical_interval_covers_the_truth_as_often_as_it_says():
    rng, covered = np.random.default_rng(7), 0
    for _ in range(300):
        cells = [[rng.normal(rng.normal(0.5, 1), 0.5, 4)] for _ in range(20)]
        low, high = hierarchical_interval(cells, resamples=400)
        covered += low <= 0.5 <= high
    assert 0.91 <= covered / 300 <= 0.99
