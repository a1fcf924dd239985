"""Plans: exactness by chi-square against NumPy's own sampling, and shapes that must not break."""

import numpy as np
import pytest
from scipy.stats import chi2

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.randomness import generator
from d2ace.selectors.plans.draw import WeightTable, batch_offsets, permutation_plan, weighted_plan


def rng(*counters):
    return generator(5, "test draws", *counters)


def assert_is_plan(ids, offsets, n_rows, batch_size):
    assert ids.dtype == np.int64
    assert len(ids) == offsets[-1] == n_rows
    np.testing.assert_array_equal(offsets, [*range(0, n_rows, batch_size), n_rows])
    assert ids.min() >= 0
    assert ids.max() < n_rows
    for batch in np.split(ids, offsets[1:-1]):
        assert len(np.unique(batch)) == len(batch)


def skewed(n_rows):
    return np.array([n_rows * 10**6] + [1] * (n_rows - 1))


LAWS = {
    "flat": lambda n: np.ones(n, np.int64),
    "one row takes nearly all": skewed,
    "every row a tenth of the one before": lambda n: 10 ** np.maximum(17 - np.arange(n), 0),
    "five rows with weight": lambda n: (np.arange(n) < 5).astype(np.int64),
    "huge": lambda n: np.full(n, (2**62 - 1) // n),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n_rows", "batch_size"), [(1, 1), (5, 8), (64, 64), (65, 64), (200, 64), (300, 1)])
def test_every_batch_holds_distinct_rows(law, n_rows, batch_size):
    first = LAWS[law](n_rows)
    ids, offsets, branches = weighted_plan([first, first[::-1].copy()], (0.3, 0.7), batch_size, rng(n_rows))
    assert_is_plan(ids, offsets, n_rows, batch_size)
    assert branches.shape == ids.shape


def chi_square(counts, expected):
    """Return the p-value of counts against expected ones, pooling cells expected less than 8 times."""
    rare = expected < 8
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    used = expected > 0
    assert not counts[~used].any()
    statistic = ((counts - expected)[used] ** 2 / expected[used]).sum()
    return chi2.sf(statistic, max(used.sum() - 1, 1))


@pytest.mark.parametrize("shares", [(1.0,), (0.6, 0.4)])
@pytest.mark.parametrize("skew", [1.0, 50.0])
def test_ordered_batches_follow_successive_sampling(shares, skew):
    """All ordered triples of the only 5 rows with weight, against their exact probabilities."""
    weights = [np.rint(skew ** np.arange(5) * 1000).astype(np.int64), np.array([300, 100, 900, 500, 200])]
    weights = weights[: len(shares)]
    law = sum(share * weight / weight.sum() for share, weight in zip(shares, weights, strict=True))
    padded = [np.pad(weight, (0, 36_000 - 5)) for weight in weights]
    ids, *_ = weighted_plan(padded, shares, 3, rng())
    counts = np.zeros((5, 5, 5))
    np.add.at(counts, tuple(ids.reshape(-1, 3).T), 1)
    expected = np.zeros((5, 5, 5))
    for a in range(5):
        for b in set(range(5)) - {a}:
            for c in set(range(5)) - {a, b}:
                expected[a, b, c] = law[a] * law[b] / (1 - law[a]) * law[c] / (1 - law[a] - law[b])
    assert chi_square(counts, expected * 12_000) > 1e-3


def test_inclusion_frequencies_match_numpy_choice():
    """One large plan against the slow oracle, batch by batch with ``choice(replace=False, p=...)``."""
    n_rows, batch_size, repeats = 40, 13, 800
    weights = [np.arange(1, 41) ** 3, np.arange(40, 0, -1)]
    law = 0.5 * weights[0] / weights[0].sum() + 0.5 * weights[1] / weights[1].sum()
    fast, slow, oracle = np.zeros(n_rows), np.zeros(n_rows), np.random.default_rng(0)
    for repeat in range(repeats):
        ids, *_ = weighted_plan(weights, (0.5, 0.5), batch_size, rng(repeat))
        fast += np.bincount(ids, minlength=n_rows)
        for size in (13, 13, 13, 1):
            slow[oracle.choice(n_rows, size, replace=False, p=law)] += 1
    pooled = (fast + slow) / 2
    statistic = ((fast - pooled) ** 2 / pooled + (slow - pooled) ** 2 / pooled).sum()
    assert chi2.sf(statistic, n_rows - 1) > 1e-3


def test_branches_tell_which_law_chose():
    left, right = np.array([1] * 50 + [0] * 50), np.array([0] * 50 + [1] * 50)
    ids, _, branches = weighted_plan([left, right], (0.8, 0.2), 5, rng())
    np.testing.assert_array_equal(branches, ids >= 50)
    assert 5 < branches.sum() < 40


def test_rows_without_weight_come_last_and_uniformly():
    counts = np.zeros(20)
    for repeat in range(300):
        ids, _, branches = weighted_plan([np.array([1, 1, 1] + [0] * 17)], (1.0,), 5, rng(repeat))
        for start in range(0, 20, 5):
            assert set(ids[start : start + 3]) == {0, 1, 2}
            counts[ids[start + 3 : start + 5]] += 1
        np.testing.assert_array_equal(branches, [0, 0, 0, 1, 1] * 4)
    assert chi_square(counts[3:], np.full(17, 300 * 8 / 17)) > 1e-3


def test_plan_repeats_with_the_same_generator_only():
    weights = [np.arange(1, 1001)]
    first, again, other = (weighted_plan(weights, (1.0,), 32, rng(c))[0] for c in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_weight_at_all_is_refused():
    with pytest.raises(SelectionError, match="branch 1 gives no row any weight"):
        weighted_plan([np.ones(4, np.int64), np.zeros(4, np.int64)], (0.5, 0.5), 2, rng())


@pytest.mark.parametrize("law", LAWS)
def test_table_finds_the_owner_of_every_point(law):
    weights = LAWS[law](30)
    table = WeightTable(weights)
    edges = np.concatenate([table.ends - 1, table.ends - weights, rng().integers(0, table.total, 500)])
    points = edges[(edges >= 0) & (edges < table.total)]
    np.testing.assert_array_equal(table.find(points), np.searchsorted(np.cumsum(weights), points, side="right"))


def test_table_copes_with_thousands_of_rows_in_one_bucket():
    weights = np.concatenate([[2**60], np.ones(5000, np.int64)])
    table = WeightTable(weights)
    points = np.arange(2**60 - 2, table.total)
    np.testing.assert_array_equal(table.find(points), [0, 0, *range(1, 5001)])


@pytest.mark.parametrize(("n_rows", "batch_size"), [(10, 3), (3, 10), (8, 4), (1, 1)])
def test_permutation_plan(n_rows, batch_size):
    plan = permutation_plan(2, n_rows, batch_size, rng())
    assert sorted(plan.ids) == list(range(n_rows))
    np.testing.assert_array_equal(plan.offsets, batch_offsets(n_rows, batch_size))
    assert [len(batch) for batch in plan.batches] == np.diff(plan.offsets).tolist()
    assert len(plan) == -(-n_rows // batch_size)
    assert plan.weights is None
