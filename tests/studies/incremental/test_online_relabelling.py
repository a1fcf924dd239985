"""Online relabelling: each triangle is filled by the model that it belongs to, once, and nothing else is touched."""

from dataclasses import replace

import numpy as np
import pytest
from small_sequence import tasks_of, write_classes

from d2ace.pipeline.studies.incremental.memories.api import Budget, Candidates
from d2ace.pipeline.studies.incremental.memory import Memory, after_task
from d2ace.pipeline.studies.incremental.online_relabelling import Relabeller, class_thresholds
from d2ace.pipeline.studies.incremental.relabelling import Rule
from d2ace.pipeline.studies.incremental.task_data import shown
from d2ace.selectors.common.label_matrix import LabelMatrix, Origin
from d2ace.selectors.common.randomness import generator


class Says:
    """A model that says the same of every row: ``base`` of the first class, a hundredth more of each further one."""

    def __init__(self, base: float, classes: int) -> None:
        self.words = base + np.arange(classes, dtype=np.float32) / 100
        self.asked: list[np.ndarray] = []

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(rows)
        return np.tile(self.words, (len(rows), 1))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    data = write_classes(tmp_path_factory.mktemp("classes") / "data")
    tasks, labels, _ = tasks_of(data, protocol="B0-C2")
    return tasks, labels


def kept(tasks, labels, number, held=None):
    values = shown(LabelMatrix.of(labels), tasks, number)
    block = Candidates(tasks.rows[number - 1], values >= 0.5)
    return after_task("random", Budget(per_class=4), held, block, values, generator(0, "exemplars", number))


def filled_by(relabeller, memory, number, past, current):
    return replace(memory, known=relabeller.fill_new(relabeller.fill_old(memory.known, number, past), number, current))


def relabeller(world, rule, thresholds=5):
    tasks, labels = world
    return Relabeller(Rule.make(rule), tasks, LabelMatrix.of(labels), np.linspace(0.1, 0.5, thresholds))


def test_the_past_model_fills_old_labels_of_new_exemplars_the_current_one_new_labels_of_old_ones(world):
    tasks, labels = world
    soft = relabeller(world, {"labels": "soft"})
    memory, models = kept(tasks, labels, 1), [Says(0.1, 2), Says(0.3, 4), Says(0.5, 5)]
    for number in (2, 3):
        before = kept(tasks, labels, number, memory)
        memory = filled_by(soft, before, number, models[number - 2], models[number - 1])
        old, seen = tasks.old(number), tasks.seen(number)
        own = np.isin(memory.known.rows, tasks.rows[number - 1])
        assert own.any() and not own.all()
        known = ~np.isnan(before.known.values)
        np.testing.assert_array_equal(memory.known.values[known], before.known.values[known])
        np.testing.assert_array_equal(memory.known.origins[known], before.known.origins[known])
        lower, upper = ~known & own[:, None], ~known & ~own[:, None]
        np.testing.assert_array_equal(np.flatnonzero(lower.any(axis=0)), np.arange(old))
        np.testing.assert_array_equal(np.flatnonzero(upper.any(axis=0)), np.arange(old, seen))
        assert (memory.known.origins[lower] == Origin.PAST_MODEL).all() and (
            memory.known.origins[upper] == Origin.CURRENT_MODEL
        ).all()
        past, current = (np.tile(model.words, (len(own), 1)) for model in models[number - 2 : number])
        np.testing.assert_array_equal(memory.known.values[lower], past[lower[:, :old]])
        np.testing.assert_array_equal(memory.known.values[upper], current[upper])
        assert not np.isnan(memory.known.values).any()
    again = filled_by(soft, memory, 3, Says(0.9, 4), Says(0.9, 5))
    np.testing.assert_array_equal(again.known.values, memory.known.values)


def test_hard_labels_come_from_a_fixed_threshold_or_from_one_of_each_class(world):
    tasks, labels = world
    before = kept(tasks, labels, 2, kept(tasks, labels, 1))
    unknown = np.isnan(before.known.values)
    for rule, expected in (
        ({"value": 0.305}, np.array([0, 1, 1, 1])),  # the models say 0.3, 0.31, ... of every class
        ({"threshold": "per_class"}, 0.3 + np.arange(4) / 100 > np.linspace(0.1, 0.5, 5)[:4]),
    ):
        after = filled_by(relabeller(world, rule), before, 2, Says(0.3, 2), Says(0.3, 4))
        np.testing.assert_array_equal(after.known.values[unknown], np.tile(expected, (len(unknown), 1))[unknown])


def test_calibrated_labels_are_as_many_as_validation_rows_of_the_same_kind_have(world):
    tasks, labels = world
    before = kept(tasks, labels, 2, kept(tasks, labels, 1))
    after = filled_by(relabeller(world, {"threshold": "calibrated"}), before, 2, Says(0.3, 2), Says(0.3, 4))
    unknown = np.isnan(before.known.values[:, :2]).all(axis=1)
    known = labels[tasks.validation]
    alike = known[(known[:, 2:4] == 1).any(axis=1)]
    wanted = round(alike[:, :2].sum(axis=1).mean() * unknown.sum())
    assert 0 < wanted < unknown.sum()
    assert after.known.values[unknown, :2].sum() == wanted


def test_thresholds_come_from_the_validation_rows_and_labels_of_the_task_alone(world):
    tasks, labels = world
    model, other = Says(0.3, 4), labels.copy()
    visible = np.isin(np.arange(len(labels)), tasks.validation)
    other[np.ix_(visible, [0, 1, 4])] = 0.25
    first = class_thresholds(LabelMatrix.of(labels), tasks, 2, model)
    np.testing.assert_array_equal(first, class_thresholds(LabelMatrix.of(other), tasks, 2, model))
    positive = (labels[tasks.validation][:, 2:4] == 1).any(axis=1)
    np.testing.assert_array_equal(model.asked[0], tasks.validation[positive])


def test_a_memory_reloads_equal(world, tmp_path):
    tasks, labels = world
    memory = kept(tasks, labels, 2, kept(tasks, labels, 1))
    memory.save(tmp_path / "memory.npz")
    again = Memory.load(tmp_path / "memory.npz")
    np.testing.assert_array_equal(again.known.values, memory.known.values)
    np.testing.assert_array_equal(again.known.origins, memory.known.origins)
    np.testing.assert_array_equal(again.exemplars.ranks, memory.exemplars.ranks)
    assert again.exemplars.offered == memory.exemplars.offered
