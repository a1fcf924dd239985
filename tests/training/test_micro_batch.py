"""What a part of a batch is trained on: the list of entries on tensors is the one on arrays."""

import numpy as np
import pytest
import torch

from d2ace.pipeline.feeds.api import Part
from d2ace.pipeline.training.micro_batch import trained_entries
from d2ace.selectors.plans.entries import EntryTargets

IDS = np.array([7, 5, 2])


def part():
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [float("nan"), 0.0]])
    return Part(IDS, torch.empty(3, 0), labels)


def test_targets_and_weights_are_those_of_the_arrays_and_labels_stay_as_they_are():
    relabelled = EntryTargets.at(np.array([7, 2]), np.array([0, 0]), target=0.0)
    entries = relabelled.and_also(EntryTargets.at(np.array([7, 5]), np.array([1, 0]), weight=0.25))
    given = part()
    targets, weights = trained_entries(given, entries)
    wanted = entries.dense(IDS, given.labels.numpy())
    np.testing.assert_array_equal(targets.numpy(), wanted[0])
    np.testing.assert_array_equal(weights.numpy(), wanted[1])
    np.testing.assert_array_equal(given.labels.numpy(), part().labels.numpy())


@pytest.mark.parametrize(("change", "there"), [({"target": 1.0}, (True, False)), ({"weight": 0.0}, (False, True))])
def test_what_no_entry_of_the_part_changes_is_none(change, there):
    listed = EntryTargets.at(np.array([2]), np.array([1]), **change)
    assert tuple(found is not None for found in trained_entries(part(), listed)) == there
    elsewhere = EntryTargets.at(np.array([3]), np.array([1]), **change)
    assert trained_entries(part(), elsewhere) == (None, None)
