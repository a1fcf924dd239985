"""Levels and integer weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from d2ace.selectors.plans.law import (
    levels,
    mixed,
    normalised,
    weights,
)
from d2ace.selectors.plans.plan import effective_sample_size

SCORES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6))


def textbook(scores, pressure):
    """The law as the method's description writes it."""
    span = scores.max() - scores.min()
    rank = (scores - scores.min()) / span if span > 0 else np.zeros(len(scores))
    level = np.clip(np.ceil((1 - rank) * len(scores)), 1, len(scores))
    law = np.exp(-np.log(pressure) / len(scores) * level)
    return law / law.sum()


@given(SCORES, st.floats(1, 1e4))
def test_law_is_the_textbook_one(scores, pressure):
    level = levels(scores, scores.min(), scores.max(), len(scores))
    law = normalised(weights(level, pressure, len(scores)))
    np.testing.assert_allclose(law, textbook(scores, pressure), rtol=1e-6)
    assert law.sum() == pytest.approx(1)
    assert law.max() <= law.min() * pressure * (1 + 1e-6)


def test_equal_scores_are_all_on_the_last_level():
    np.testing.assert_array_equal(levels(np.full(4, 0.3), 0.3, 0.3, 7), np.full(4, 7))


@given(SCORES)
def test_higher_scores_never_get_less(scores):
    level = levels(scores, scores.min(), scores.max(), len(scores))
    assert (np.diff(weights(level, 8.0, len(scores))[np.argsort(scores)]) >= 0).all()


@given(SCORES, st.integers(1, 59))
def test_ranges_of_rows_get_the_same_law(scores, cut):
    low, high, n_rows = scores.min(), scores.max(), len(scores)
    whole = weights(levels(scores, low, high, n_rows), 8.0, n_rows)
    parts = [weights(levels(part, low, high, n_rows), 8.0, n_rows) for part in (scores[:cut], scores[cut:])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert sum(int(part.sum()) for part in parts) == int(whole.sum()) < 2**62


def test_totals_never_overflow():
    whole = weights(np.ones(3_000_000, np.int32), 1.0, 3_000_000)
    assert 0 < sum(whole.tolist()) < 2**62


def test_every_row_keeps_some_weight_at_any_pressure():
    assert weights(np.array([1, 1000], np.int32), 1e300, 1000).min() == 1


def test_mixture_of_laws_and_its_effective_sample_size():
    law = mixed([np.array([1, 1, 2]), np.array([4, 0, 0])], (0.75, 0.25))
    np.testing.assert_allclose(law, [0.4375, 0.1875, 0.375])
    assert effective_sample_size(np.full(7, 1 / 7)) == pytest.approx(1)
    assert effective_sample_size(np.eye(4)[0]) == pytest.approx(0.25)
