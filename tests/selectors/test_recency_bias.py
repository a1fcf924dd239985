"""Recency bias against deques of decisions."""

import math
from collections import Counter, deque

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors.common.errors import SelectionError


@pytest.mark.parametrize(("history", "threshold"), [(1, 0.5), (3, 0.5), (10, 0.3), (16, 0.5)])
def test_scores_match_the_deques(history, threshold):
    selector = make("recency-bias", history=history, threshold=threshold)
    windows = [[deque(maxlen=history) for _ in range(5)] for _ in range(61)]
    rng = np.random.default_rng(0)
    for visit in range(20):
        ids = rng.permutation(60)[: 40 + visit % 2]  # row 60 is never seen
        probabilities = rng.random((len(ids), 5)).astype(np.float32)
        selector.observe(ids, probabilities, np.ones((len(ids), 5)))
        for row, values in zip(ids, probabilities, strict=True):
            for label in range(5):
                windows[row][label].append(bool(values[label] > threshold))
    selector.end_epoch(1)
    score = selector.diagnostics()["score"]
    for row in range(60):
        want = 0.0
        for window in windows[row]:
            for count in Counter(window).values():
                want -= count / len(window) * math.log2(count / len(window))
        assert score[row] == pytest.approx(want)
    assert score[60] == 5.0


def test_only_the_window_counts():
    selector = make("recency-bias", history=2)
    for value in (0.9, 0.1, 0.9, 0.9):
        selector.observe(np.arange(61), np.full((61, 5), value), np.ones((61, 5)))
    selector.end_epoch(1)
    np.testing.assert_array_equal(selector.diagnostics()["score"], 0)


def test_unusable_probabilities_repeat_the_newest_decision():
    plain, dirty = make("recency-bias"), make("recency-bias")
    for value in (0.9, 0.9, 0.1):
        plain.observe(np.arange(61), np.full((61, 5), value), np.ones((61, 5)))
    for value in (0.9, np.nan, 0.1):
        dirty.observe(np.arange(61), np.full((61, 5), value), np.ones((61, 5)))
    np.testing.assert_array_equal(plain.state_dict()["bits"], dirty.state_dict()["bits"])
    assert dirty.state_dict()["unusable_probabilities"] == 305


@pytest.mark.parametrize("history", [0, 17, 2.5])
def test_history_fits_its_bits(history):
    with pytest.raises(SelectionError, match="history must be a whole number from 1 to 16"):
        make("recency-bias", history=history)
