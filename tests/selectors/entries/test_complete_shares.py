"""How many positives nobody named, told by held-out rows that name all of theirs: on scores whose truth is known."""

import numpy as np
import pytest

from d2ace.selectors.entries.complete_shares import estimate_by_complete, names_more
from d2ace.selectors.entries.shares import LEAST_BELIEVED

RATES = np.array([0.4, 0.2, 0.05])


def rows(rng, count, named=1.0):
    """What rows have of each label, which of it is named, and how suspicious each entry looks, (count, 3) each."""
    has = rng.random((count, len(RATES))) < RATES
    return has, has & (rng.random(has.shape) < named), rng.normal(size=has.shape) + 2.0 * has


def told(training, held_out):
    """Return the estimate for training rows of which ``named`` is given, by held-out rows that are complete."""
    (_, named, _), (has, _, looks) = training, held_out
    suspects = [looks[~has[:, j], j] for j in range(len(RATES))]
    believed = [looks[has[:, j], j] for j in range(len(RATES))]
    sizes, positives = (~named).sum(axis=0), np.maximum(named.sum(axis=0), 1)
    return estimate_by_complete(suspects, believed, sizes, positives, np.full(3, len(named) / len(has)))


@pytest.mark.parametrize("named", [0.3, 0.7])
def test_hidden_positives_are_counted_and_flags_are_right_as_often_as_told(named):
    rng = np.random.default_rng(1)
    training, held_out = rows(rng, 40_000, named), rows(rng, 40_000)
    found = told(training, held_out)
    has, given, looks = training
    hidden = has & ~given
    np.testing.assert_allclose(found.wrong, hidden.sum(axis=0), rtol=0.12)
    right = flags = 0
    for j, count in enumerate(np.rint(found.wrong).astype(int)):
        suspects = np.flatnonzero(~given[:, j])
        flagged = suspects[np.argsort(-looks[suspects, j])[:count]]
        right, flags = right + int(hidden[flagged, j].sum()), flags + count
    assert found.recall == pytest.approx(right / flags, abs=0.03)
    assert found.chance == pytest.approx(found.wrong.sum() / (~given).sum())


def test_a_rank_is_the_place_among_zeros_and_the_missing_share_of_positives():
    rng = np.random.default_rng(2)
    training, held_out = rows(rng, 600, 0.5), rows(rng, 200)
    found, (has, _, looks), named = told(training, held_out), held_out, training[1]
    for j in (0, 1):
        zeros, positives = looks[~has[:, j], j], looks[has[:, j], j]
        missing = found.wrong[j] / (found.wrong[j] + named[:, j].sum())
        every = len(zeros) + missing * len(positives)
        want = [
            ((zeros >= s).sum() + missing * (positives >= s).sum()) / every * (~named[:, j]).sum() for s in positives
        ]
        np.testing.assert_allclose(found.ranks[j], want)


def test_nothing_is_missing_where_training_rows_name_all_and_rare_labels_share_a_ratio():
    rng = np.random.default_rng(3)
    whole = told(rows(rng, 20_000), rows(rng, 20_000))
    assert (whole.wrong < 0.05 * 20_000 * RATES).all()
    few = [rng.normal(2, 1, LEAST_BELIEVED - 1), rng.normal(2, 1, 3)]
    zeros = [rng.normal(size=500)] * 2
    found = estimate_by_complete(zeros, few, np.array([5000, 5000]), np.array([100, 10]), np.full(2, 10.0))
    assert found.wrong[0] / 100 == pytest.approx(found.wrong[1] / 10) == pytest.approx(220 / 110 - 1)


def test_held_out_rows_that_name_more_beyond_chance_are_taken_for_complete():
    rng = np.random.default_rng(4)
    training, alike, complete = rows(rng, 3000, 0.5)[1], rows(rng, 500, 0.5)[1], rows(rng, 500)[1]
    assert names_more(complete, training)
    assert not names_more(alike, training) and not names_more(training, complete)
    assert not names_more(complete[: LEAST_BELIEVED - 1], training)


def test_a_label_that_few_held_out_rows_know_is_scaled_by_those():
    rng = np.random.default_rng(5)
    has, named, _ = rows(rng, 40_000, 0.5)
    more, _, looks = rows(rng, 4000)
    shown = [slice(None), slice(400), slice(None)]
    suspects = [looks[part][~more[part, j], j] for j, part in enumerate(shown)]
    believed = [looks[part][more[part, j], j] for j, part in enumerate(shown)]
    sizes, positives = (~named).sum(axis=0), named.sum(axis=0)
    found = estimate_by_complete(suspects, believed, sizes, positives, np.array([10.0, 100.0, 10.0]))
    np.testing.assert_allclose(found.wrong, (has & ~named).sum(axis=0), rtol=0.3)
