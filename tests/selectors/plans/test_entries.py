"""The sparse list of entries beside a plan, against loops over single entries."""

import numpy as np

from d2ace.selectors.plans.entries import EntryTargets


def some_entries():
    """Seven entries of four rows, given in no order: four corrected (one to 0), two weighed, one left out."""
    corrected = EntryTargets.at(np.array([7, 2, 7]), np.array([3, 0, 1]), target=1.0)
    corrected = corrected.and_also(EntryTargets.at(np.array([7]), np.array([0]), target=0.0))
    lighter = EntryTargets.at(np.array([4, 2]), np.array([2, 3]), weight=0.25)
    return corrected.and_also(lighter).and_also(EntryTargets.at(np.array([0]), np.array([0]), weight=0.0))


def test_entries_are_sorted_and_found_for_rows_in_any_order():
    entries = some_entries()
    assert entries.rows.tolist() == [0, 2, 2, 4, 7, 7, 7] and entries.labels.tolist() == [0, 0, 3, 2, 0, 1, 3]
    assert len(entries) == 7 and entries.nbytes == 7 * (8 + 4 + 4 + 4)
    labels = np.zeros((4, 4), np.float32)
    labels[0, :3] = 1.0, np.nan, np.nan
    rows = np.array([7, 5, 0, 2])
    targets, weights = entries.dense(rows, labels)
    want, heavy = labels.copy(), np.ones_like(labels)
    for row, label, target, weight in zip(entries.rows, entries.labels, entries.targets, entries.weights, strict=True):
        for place in np.flatnonzero(rows == row):
            want[place, label] = labels[place, label] if np.isnan(target) else target
            heavy[place, label] = weight
    np.testing.assert_array_equal(targets, want)
    np.testing.assert_array_equal(weights, heavy)
    assert labels[0, 0] == 1 and np.isnan(labels[0, 1:3]).all() and labels[0, 3] == 0  # the input is as it was


def test_rows_without_entries_have_none():
    found = some_entries().of_rows(np.array([1, 3]))
    assert [len(part) for part in found] == [0, 0, 0, 0]


def test_row_ids_take_the_place_of_positions():
    renumbered = some_entries().renumbered(np.arange(100, 200, 10))
    assert renumbered.rows.tolist() == [100, 120, 120, 140, 170, 170, 170]
