"""Rules that make labels of predictions, and blocks that are filled once."""

import numpy as np
import pytest

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.studies.incremental.relabelling import Rule, filled, with_filled
from d2ace.selectors.common.label_matrix import LabelMatrix, Origin
from d2ace.selectors.common.label_origins import of_dense, origin_codes
from d2ace.selectors.common.stacked_labels import stacked

PREDICTED = np.array([[0.9, 0.3], [0.81, 0.79], [0.1, 0.6]], np.float32)


def test_hard_labels_by_a_fixed_threshold():
    assert filled(PREDICTED, Rule()).tolist() == [[1, 0], [1, 0], [0, 0]]
    assert filled(PREDICTED, Rule(value=0.5)).tolist() == [[1, 0], [1, 1], [0, 1]]


def test_soft_labels_are_the_probabilities():
    assert np.array_equal(filled(PREDICTED, Rule(labels="soft")), PREDICTED)
    with pytest.raises(ConfigError, match="leave out threshold and value"):
        Rule.make({"labels": "soft", "value": 0.5})


def test_thresholds_of_the_classes():
    rule = Rule(threshold="per_class")
    assert filled(PREDICTED, rule, thresholds=np.array([0.85, 0.2])).tolist() == [[1, 1], [0, 1], [0, 1]]
    with pytest.raises(ConfigError, match="needs thresholds of the classes"):
        filled(PREDICTED, rule)


@pytest.mark.parametrize("cardinality", [0.0, 0.3, 0.72, 1.5, 4.0])
def test_a_calibrated_block_has_the_known_cardinality(cardinality):
    predicted = np.random.default_rng(0).random((50, 4)).astype(np.float32)
    labels = filled(predicted, Rule(threshold="calibrated"), cardinality=cardinality)
    assert labels.sum(axis=1).mean() == pytest.approx(cardinality, abs=0.01)
    if 0 < labels.sum() < labels.size:
        assert predicted[labels == 1].min() > predicted[labels == 0].max()


def test_a_calibrated_rule_needs_the_cardinality():
    with pytest.raises(ConfigError, match="needs the cardinality of the block"):
        filled(PREDICTED, Rule(threshold="calibrated"))


def test_only_unknown_entries_of_a_block_are_filled_and_only_once():
    labels = LabelMatrix.of(np.array([[1, np.nan, np.nan], [0, 1, np.nan], [np.nan, np.nan, 1]]))
    rows, columns = np.array([0, 1]), np.array([1, 2])
    once = with_filled(labels, rows, columns, np.array([[1, 0], [0, 1]]), Origin.PAST_MODEL)
    again = with_filled(once, rows, columns, np.array([[0, 1], [1, 0]]), Origin.CURRENT_MODEL)
    expected = np.array([[1, 1, 0], [0, 1, 1], [np.nan, np.nan, 1]], np.float32)
    for matrix in (once, again):
        assert np.array_equal(matrix.dense(), expected, equal_nan=True)
        assert origin_codes(matrix).tolist() == [[0, 2, 2], [0, 0, 2], [0, 0, 0]]


def test_a_block_of_zeros_stays_one_that_is_known():
    labels = with_filled(
        of_dense(np.full((2, 2), np.nan), np.zeros((2, 2), np.uint8)),
        np.array([0]),
        np.array([0, 1]),
        np.zeros((1, 2)),
        Origin.CURRENT_MODEL,
    )
    assert labels.known().tolist() == [[True, True], [False, False]]
    assert np.array_equal(stacked([labels, labels]).known(), np.tile(labels.known(), (2, 1)))
