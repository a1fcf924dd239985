"""What each memory keeps: against slow oracles, and what all of them promise."""

import numpy as np
import pytest

from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.studies.incremental.memories.api import REGISTRY, Budget, Candidates, Exemplars, updated
from d2ace.pipeline.studies.incremental.memories.by_class import class_quotas
from d2ace.pipeline.studies.incremental.memories.by_row import shares
from d2ace.pipeline.studies.incremental.memories.herding import herded
from d2ace.pipeline.studies.incremental.memories.ocdm import spread
from d2ace.pipeline.studies.incremental.memories.prs import RHO, chance_to_enter, leaving

BY_ROW = ("ocdm", "prs", "reservoir")


def block(start, rows, classes, seed=0, step=1):
    """Return candidates in which every row has a positive, with features."""
    rng = np.random.default_rng(seed)
    labels = rng.random((rows, classes)) < 0.3
    labels[np.arange(rows), rng.integers(classes, size=rows)] = True
    return Candidates(start + step * np.arange(rows), labels, rng.normal(size=(rows, 5)).astype(np.float32))


def sequence(kind, budget, blocks, seed=0):
    """Return the exemplars after each task."""
    held, found = Exemplars.none(), []
    for task, offered in enumerate(blocks):
        held = updated(kind, held, offered, budget, np.random.default_rng([seed, task]))
        found.append(held)
    return found


def slow_herding(features, quota):
    """Algorithm 4 of iCaRL, word by word."""
    mean, chosen = features.mean(axis=0), []
    for k in range(1, min(quota, len(features)) + 1):
        rest = [i for i in range(len(features)) if i not in chosen]
        sums = features[chosen].sum(axis=0)
        chosen.append(min(rest, key=lambda i: np.linalg.norm(mean - (features[i] + sums) / k)))
    return chosen


def slow_spread(labels, wanted, size):
    """Delete the row without which the Kullback-Leibler divergence is least, one at a time."""
    left = list(range(len(labels)))
    while len(left) > size:
        values = []
        for row in left:
            counts = np.maximum(sum(labels[other].astype(float) for other in left if other != row), 1e-3)
            values.append(sum(w * np.log(w / q) for w, q in zip(wanted, counts / counts.sum(), strict=True)))
        left.pop(int(np.argmin(values)))
    return left


@pytest.mark.parametrize("seed", range(5))
def test_herding_is_algorithm_4_of_icarl(seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(0.3, 1, size=(40, 6))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    assert herded(features, 12).tolist() == slow_herding(features, 12)
    assert sorted(herded(features, 99)) == list(range(40))


def test_herding_looks_at_the_direction_of_features_only():
    offered = block(0, 60, 3)
    scaled = Candidates(offered.rows, offered.labels, offered.features * np.linspace(0.1, 9, 60)[:, None])
    first, second = (sequence("herding", Budget(per_class=4), [b])[0] for b in (offered, scaled))
    assert np.array_equal(first.ranks, second.ranks)


def test_herding_needs_finite_features():
    offered = block(0, 20, 2)
    for features in (None, np.where(offered.rows[:, None] == 7, np.nan, offered.features)):
        with pytest.raises(DataError, match="finite feature vector"):
            sequence("herding", Budget(per_class=2), [Candidates(offered.rows, offered.labels, features)])


@pytest.mark.parametrize("kind", ["herding", "random"])
def test_each_class_has_its_quota_and_only_positives(kind):
    blocks = [block(0, 80, 3), block(40, 80, 2, seed=1)]
    for held, classes in zip(sequence(kind, Budget(per_class=6), blocks), (3, 5), strict=True):
        assert held.chosen_for.sum(axis=0).tolist() == [6] * classes
        assert (held.labels & held.known)[held.chosen_for].all()
        for ranks in held.ranks.T:
            assert sorted(ranks[ranks >= 0]) == list(range(6))


@pytest.mark.parametrize("kind", ["herding", "random"])
def test_a_total_is_shared_and_old_lists_are_cut_from_their_end(kind):
    first, second = sequence(kind, Budget(total=12), [block(0, 80, 3), block(200, 80, 2, seed=1)])
    assert first.chosen_for.sum(axis=0).tolist() == [4, 4, 4]
    assert second.chosen_for.sum(axis=0).tolist() == [3, 3, 2, 2, 2]
    for column, quota in enumerate((3, 3, 2)):
        before = {row: rank for row, rank in zip(first.rows, first.ranks[:, column], strict=True) if 0 <= rank < quota}
        ranks = zip(second.rows, second.ranks[:, column], strict=True)
        assert {row: rank for row, rank in ranks if rank >= 0} == before


def test_a_total_below_the_number_of_classes_is_refused():
    with pytest.raises(ConfigError, match="3 rows in total cannot hold a row of each of 4 classes"):
        class_quotas(Budget(total=3), 4)


@pytest.mark.parametrize("seed", range(3))
def test_ocdm_deletes_what_is_wanted_least(seed):
    rng = np.random.default_rng(seed)
    labels, wanted = rng.random((25, 4)) < 0.4, np.array([0.4, 0.3, 0.2, 0.1])
    assert spread(labels, wanted, 9).tolist() == slow_spread(labels, wanted, 9)


@pytest.mark.parametrize("kind", ["ocdm", "prs"])
def test_ocdm_and_prs_even_classes_out(kind):
    rng = np.random.default_rng(0)
    labels = rng.random((600, 3)) < [0.9, 0.2, 0.05]
    labels[~labels.any(axis=1), 0] = True
    (held,) = sequence(kind, Budget(total=30), [Candidates(np.arange(600), labels)])
    counts = held.labels.sum(axis=0)
    assert len(held.rows) == 30
    assert counts.min() > 0.5 * counts.max()  # offered: 1 to 18


@pytest.mark.parametrize("seed", range(3))
def test_prs_lets_go_of_what_it_has_most_of(seed):
    rng = np.random.default_rng(seed)
    labels, wanted = rng.random((25, 4)) < 0.4, np.array([0.4, 0.3, 0.2, 0.1])
    held = labels.sum(axis=0)
    short = [c for c in range(4) if held[c] - wanted[c] * held.sum() <= 0]
    for crowded in range(4):
        rows = [r for r in range(25) if labels[r, crowded]]
        fewest = min(sum(labels[r, c] for c in short) for r in rows)
        left = [r for r in rows if sum(labels[r, c] for c in short) == fewest]
        gaps = {}
        for row in left:
            rest = [sum(labels[other, c] for other in range(25) if other != row) for c in range(4)]
            gaps[row] = sum(abs(rest[c] - wanted[c] * sum(rest)) for c in range(4))
        assert leaving(labels, wanted, crowded) == min(left, key=lambda row: (round(gaps[row], 9), row))


def test_prs_takes_new_classes_and_the_rarest_class_of_a_row_decides():
    counts = np.array([0.0, 100.0, 400.0])
    wanted = shares(counts, RHO)
    assert wanted.tolist() == [0, 0.5, 0.5]
    assert chance_to_enter(counts[:1], wanted[:1], 20) == 1
    assert chance_to_enter(counts[1:2], wanted[1:2], 20) == pytest.approx(0.1)
    assert chance_to_enter(counts[1:], wanted[1:], 20) == pytest.approx(0.1)
    assert chance_to_enter(counts[1:], wanted[1:], 2000) == 1


def test_a_reservoir_is_a_uniform_sample_of_all_that_passed():
    blocks = [Candidates(start + np.arange(60), np.ones((60, 1), bool)) for start in (0, 100, 200)]
    counts = np.zeros(300)
    for seed in range(150):
        held = sequence("reservoir", Budget(total=18), blocks, seed)[-1]
        assert len(held.rows) == 18
        counts[held.rows] += 1
    shares = counts.reshape(3, 100)[:, :60].sum(axis=1) / (150 * 18)
    assert shares == pytest.approx(1 / 3, abs=0.04)  # 4 standard deviations and more


@pytest.mark.parametrize("kind", sorted(REGISTRY))
def test_a_row_is_stored_once_with_what_each_task_showed_of_it(kind):
    budget = Budget(total=30)
    first, second = block(0, 40, 3), block(10, 40, 2, seed=1)
    before, after = sequence(kind, budget, [first, second])
    assert len(after.rows) <= 30
    assert (np.diff(after.rows) > 0).all()
    both = np.intersect1d(after.rows, np.intersect1d(before.rows, second.rows))
    assert len(both)
    at, old, new = (np.searchsorted(rows, both) for rows in (after.rows, first.rows, second.rows))
    assert after.known[at].all()
    assert np.array_equal(after.labels[at], np.hstack([first.labels[old], second.labels[new]]))


@pytest.mark.parametrize("kind", sorted(REGISTRY))
def test_what_a_task_does_not_show_stays_unknown(kind):
    before, after = sequence(kind, Budget(total=20), [block(0, 40, 3), block(100, 40, 2, seed=1)])
    old, new = after.rows < 100, after.rows >= 100
    assert old.any() and new.any()
    assert after.known[old].tolist() == [[True] * 3 + [False] * 2] * old.sum()
    assert after.known[new].tolist() == [[False] * 3 + [True] * 2] * new.sum()
    assert not after.labels[~after.known].any()
    assert set(after.rows[old]) <= set(before.rows)
    assert after.offered == 80


@pytest.mark.parametrize("kind", sorted(REGISTRY))
def test_the_same_seed_keeps_the_same_rows(kind):
    blocks = [block(0, 60, 2), block(30, 60, 2, seed=1)]
    once, again = (sequence(kind, Budget(total=16), blocks)[-1] for _ in range(2))
    assert np.array_equal(once.rows, again.rows) and np.array_equal(once.ranks, again.ranks)


@pytest.mark.parametrize("kind", sorted(set(REGISTRY) - {"herding"}))
def test_another_seed_keeps_other_rows(kind):
    once, other = (sequence(kind, Budget(total=16), [block(0, 200, 2)], seed)[-1] for seed in (0, 1))
    assert not np.array_equal(once.rows, other.rows)


@pytest.mark.parametrize("kind", BY_ROW)
def test_memories_of_rows_want_a_total(kind):
    with pytest.raises(ConfigError, match=f"the memory '{kind}' keeps rows, not classes: give it 'total'"):
        sequence(kind, Budget(per_class=3), [block(0, 30, 2)])


@pytest.mark.parametrize("sizes", [{}, {"per_class": 2, "total": 9}, {"total": 0}])
def test_a_budget_is_one_of_two_sizes(sizes):
    with pytest.raises(ConfigError, match="either 'per_class' or 'total'"):
        Budget(**sizes)


def test_an_unknown_memory_is_asked_about():
    with pytest.raises(ConfigError, match="no memory is called 'hearding'; did you mean 'herding'"):
        sequence("hearding", Budget(total=3), [block(0, 30, 2)])
