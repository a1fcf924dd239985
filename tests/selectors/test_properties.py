"""Properties of the law and the draws that hold for any scores, pressures and sizes."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2

from d2ace.selectors.common.randomness import generator
from d2ace.selectors.plans import law
from d2ace.selectors.plans.draw import weighted_plan
from d2ace.selectors.plans.plan import effective_sample_size
from d2ace.selectors.plans.schedules import PressureSchedule

few = settings(max_examples=60, deadline=None, derandomize=True)
fewer = settings(max_examples=12, deadline=None, derandomize=True)
scores = arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e6, 1e6))
pressures = st.floats(1.0, 1e6)
sizes = st.integers(1, 300)


def law_of(score, pressure):
    level = law.levels(score, score.min(), score.max(), len(score))
    return law.weights(level, pressure, len(score))


@few
@given(scores, pressures)
def test_probabilities_sum_to_one_within_the_pressure(score, pressure):
    p = law.normalised(law_of(score, pressure))
    assert abs(p.sum() - 1) < 1e-12
    assert p.min() > 0
    assert p.max() / p.min() <= pressure * (1 + 1e-6)


@few
@given(scores, pressures)
def test_a_higher_score_never_has_a_lower_chance(score, pressure):
    weight = law_of(score, pressure)
    order = np.argsort(score)
    assert (np.diff(weight[order]) >= 0).all()


@few
@given(scores, pressures, st.integers(0, 2**31))
def test_the_law_does_not_depend_on_the_order_of_rows(score, pressure, seed):
    order = np.random.default_rng(seed).permutation(len(score))
    np.testing.assert_array_equal(law_of(score, pressure)[order], law_of(score[order], pressure))


@few
@given(scores, st.floats(0, 1), pressures)
def test_mixtures_lie_between_their_branches(score, share, pressure):
    branches = [law_of(score, pressure), law_of(-score, pressure)]
    mixed = law.mixed(branches, (share, 1 - share))
    ends = np.stack([law.normalised(branch) for branch in branches])
    assert abs(mixed.sum() - 1) < 1e-12
    assert (mixed <= ends.max(axis=0) * (1 + 1e-9)).all()
    assert (mixed >= ends.min(axis=0) * (1 - 1e-9)).all()
    assert 0 < effective_sample_size(mixed) <= 1 + 1e-12


@few
@given(pressures, st.integers(0, 50), st.integers(1, 50))
def test_pressure_starts_at_its_bound_falls_and_ends_at_one(initial, start, length):
    schedule = PressureSchedule(initial, start, start + length)
    values = [schedule.at(epoch) for epoch in range(start + length + 2)]
    assert set(values[: start + 1]) == {initial}
    assert all(later <= earlier for earlier, later in pairwise(values))
    assert values[start + length :] == [1.0, 1.0]


@few
@given(sizes, st.integers(1, 80), st.floats(0, 1), pressures, st.integers(0, 2**31))
def test_no_row_comes_twice_in_a_batch(n_rows, batch_size, share, pressure, seed):
    score = np.random.default_rng(seed).exponential(size=n_rows)
    branches = [law_of(score, pressure), law_of(-score, pressure)]
    ids, offsets, chosen = weighted_plan(branches, (share, 1 - share), batch_size, generator(seed, "property"))
    assert (len(ids), len(chosen), offsets[-1]) == (n_rows, n_rows, n_rows)
    assert set(chosen.tolist()) <= {0, 1}
    for batch in np.split(ids, offsets[1:-1]):
        assert len(batch) <= batch_size
        assert len(set(batch.tolist())) == len(batch)
        assert 0 <= batch.min() <= batch.max() < n_rows


@fewer
@given(st.integers(2, 8), pressures, st.integers(0, 2**31))
def test_first_draws_follow_the_law(n_rows, pressure, seed):
    """Batches of one row are independent draws from P: 40 000 of them, by chi-square."""
    weight = law_of(np.random.default_rng(seed).normal(size=n_rows), pressure)
    padded = np.pad(weight, (0, 40_000 - n_rows))
    ids, *_ = weighted_plan([padded], (1.0,), 1, generator(seed, "property"))
    assert fits(np.bincount(ids, minlength=n_rows), law.normalised(weight) * 40_000)


@fewer
@given(st.integers(3, 6), st.floats(1.0, 200.0), st.integers(0, 2**31))
def test_inclusion_frequencies_of_pairs_follow_successive_sampling(n_rows, pressure, seed):
    """Batches of two rows: each row's chance is P_i + sum_k P_k P_i / (1 - P_k); counted on 20 000 batches."""
    weight = law_of(np.random.default_rng(seed).normal(size=n_rows), pressure)
    ids, *_ = weighted_plan([np.pad(weight, (0, 40_000 - n_rows))], (1.0,), 2, generator(seed, "property"))
    p = law.normalised(weight)
    pairs = np.outer(p / (1 - p), p)
    np.fill_diagonal(pairs, 0)
    counts = np.zeros((n_rows, n_rows))
    np.add.at(counts, tuple(ids.reshape(-1, 2).T), 1)
    assert fits(counts.ravel(), pairs.ravel() * 20_000)


def fits(counts, expected):
    """Chi-square at 1e-5, cells expected less than 8 times pooled."""
    rare = expected < 8
    counts, expected = (np.append(values[~rare], values[rare].sum()) for values in (counts, expected))
    used = expected > 0
    statistic = ((counts - expected)[used] ** 2 / expected[used]).sum()
    return chi2.sf(statistic, max(used.sum() - 1, 1)) > 1e-5
