"""The guard of a choice: how often it is wrong where nothing is better, and that it sees what is planted."""

import numpy as np
import pytest
from scipy import stats

from d2ace.pipeline.studies.choose.decision import Evidence, critical_value, decide, jackknife_error

CASES = 100


def normal(rng, size):
    return rng.normal(0, 1, size)


def best_of_epochs(rng, size):
    """An arm's value is its best epoch's: the maximum of correlated noise."""
    return (rng.normal(0, 0.7, size)[..., None] + rng.normal(0, 0.7, (*np.atleast_1d(size), 8))).max(axis=-1)


def case(rng, noise, effects, repeats=3, rows=0.3, persistence=1.0, shared=-np.inf):
    """Train made-up arms: candidates by rounds on early values, then the last of them against the repeats.

    Args:
        rng: of the case.
        noise: law of what training makes of an arm by chance.
        effects: true gain of each candidate.
        repeats: arms with uniform batches.
        rows: how much the gain differs with the validation rows, a standard deviation.
        persistence: share of an arm's noise that stays the same from the first round to the end.
        shared: the best of the epochs before the arms part, which all of them have at least.
    """
    lasting = noise(rng, len(effects)) + effects
    alive = list(range(len(effects)))
    while len(alive) > 1:
        early = persistence * lasting[alive] + (1 - persistence) * noise(rng, len(alive))
        order = np.argsort(-np.maximum(early, shared), kind="stable")
        alive = [alive[place] for place in order[: (len(alive) + 1) // 2]]
    finalist = max(shared, persistence * lasting[alive[0]] + (1 - persistence) * noise(rng, 1)[0])
    parted = np.atleast_1d(noise(rng, repeats))
    uniform = np.maximum(parted, shared)
    seen = rng.normal(0, rows)  # what these validation rows add to the gain
    groups = 20
    without = finalist + seen - uniform.mean() + rng.normal(0, rows / (groups - 1) ** 0.5, groups)
    return Evidence(uniform, parted, float(finalist + seen), len(effects), without), alive[0]


@pytest.mark.parametrize("persistence", [1.0, 0.5])
@pytest.mark.parametrize("effects", [(0, 0), (0, -1, -2, -3, 0, 0), (0,) * 8], ids=str)
@pytest.mark.parametrize("noise", [normal, best_of_epochs])
@pytest.mark.parametrize("shared", [-np.inf, 0.0, 1.5])
def test_where_nothing_is_better_uniform_stays_in_95_of_100_cases(shared, noise, effects, persistence):
    chosen = 0
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        evidence, _ = case(rng, noise, np.array(effects, float), persistence=persistence, shared=shared)
        chosen += decide(evidence).better
    assert chosen <= 0.05 * CASES


@pytest.mark.parametrize(("repeats", "effect"), [(3, 25.0), (4, 12.0), (8, 6.5)])
@pytest.mark.parametrize("shared", [-np.inf, 3.0], ids=["repeats rise", "repeats were best before they parted"])
def test_a_planted_winner_is_found_and_chosen(shared, repeats, effect):
    found = 0
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        effects = np.array([0, 0, effect + max(shared, 0), -1.0])
        evidence, finalist = case(rng, normal, effects, repeats=repeats, persistence=0.9, shared=shared)
        found += decide(evidence).better and finalist == 2
    assert found >= 0.9 * CASES


def test_more_repeats_see_smaller_gains():
    gains = [critical_value(4, repeats) for repeats in (2, 3, 4, 8)]
    assert gains == sorted(gains, reverse=True) and gains[0] > 10 and gains[-1] < 3.6
    by_count = [critical_value(count, 3) for count in (1, 2, 4, 8)]
    assert by_count == sorted(by_count)


@pytest.mark.parametrize(("candidates", "repeats"), [(1, 3), (4, 3), (8, 5)])
def test_the_best_of_equal_methods_exceeds_the_critical_value_in_one_of_twenty_cases(candidates, repeats):
    rng = np.random.default_rng(0)
    best, uniform = rng.normal(size=(100_000, candidates)).max(axis=1), rng.normal(size=(100_000, repeats))
    found = (best - uniform.mean(axis=1)) / uniform.std(axis=1, ddof=1) / (1 + 1 / repeats) ** 0.5
    assert (found > critical_value(candidates, repeats, 0.05)).mean() == pytest.approx(0.05, abs=0.003)
    assert critical_value(1, repeats, 0.05) == pytest.approx(stats.t.ppf(0.95, repeats - 1), rel=2e-3)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=30)
    without = (values.sum() - values) / 29
    assert jackknife_error(without) == pytest.approx(values.std(ddof=1) / 30**0.5)


def evidence_of(finalist, repeats=(0.50, 0.51, 0.52), error=0.001, candidates=1, shared=0.0):
    values = np.maximum(repeats, shared)
    without = finalist - values.mean() + error * np.array([-1.0, 1.0] * 10) / 19**0.5
    return Evidence(values, np.array(repeats), finalist, candidates, without)


def test_a_decision_tells_what_it_rests_on():
    won = decide(evidence_of(0.60))
    assert won.better and won.gain == pytest.approx(0.09) and won.spread == pytest.approx(0.01)
    scale = (0.01**2 * 4 / 3 + 0.001**2) ** 0.5
    assert won.critical == pytest.approx(stats.t.ppf(0.97, 2), rel=2e-3)
    assert won.statistic == pytest.approx(0.09 / scale) and won.least_gain == pytest.approx(won.critical * scale)
    assert won.row_error == pytest.approx(0.001)
    assert won.interval[0] < won.gain < won.interval[1]
    assert "is more than what" in won.reason


def test_repeats_that_were_best_before_they_parted_show_chance_by_what_they_came_to_since():
    won, lost = decide(evidence_of(0.60, shared=0.55)), decide(evidence_of(0.57, shared=0.55))
    assert won.better and won.gain == pytest.approx(0.05)
    assert not lost.better and "within what the best" in lost.reason
    assert won.spread == lost.spread == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (evidence_of(0.50), "not above the mean"),
        (evidence_of(0.53), "within what the best"),
        (evidence_of(0.60, error=0.06), "within what the best"),
        (evidence_of(0.60, repeats=(0.5, 0.5, 0.5)), "all came to the same value"),
        (evidence_of(0.56, candidates=40), "within what the best"),
    ],
)
def test_uniform_stays_with_a_reason(evidence, words):
    found = decide(evidence)
    assert not found.better and words in found.reason


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="at least two repeats"):
        decide(evidence_of(0.6, repeats=(0.5,)))
    with pytest.raises(ValueError, match="finite"):
        decide(evidence_of(float("nan")))


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_equal_repeats_choose_nothing_whatever_their_last_bits(repeats):
    rng = np.random.default_rng(3)
    for value in rng.random(200):
        found = decide(Evidence(*[np.full(repeats, value)] * 2, value + 0.02, 3, value + rng.normal(0.02, 0.001, 20)))
        assert not found.better and found.spread == 0.0 and "all came to the same value" in found.reason
