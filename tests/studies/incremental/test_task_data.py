"""What a task may see: exactly its own labels and what the memory knows, whatever the rest of the labels is."""

import numpy as np
import pytest
from small_sequence import CLASSES, tasks_of, write_classes

from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_features, read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.studies.incremental.labelled_rows import LabelledRows
from d2ace.pipeline.studies.incremental.memories.api import Budget, Candidates
from d2ace.pipeline.studies.incremental.memory import Memory, after_task
from d2ace.pipeline.studies.incremental.task_data import shown, view_of, view_of_everything, write_task
from d2ace.selectors.common.label_matrix import LabelMatrix, Origin
from d2ace.selectors.common.label_origins import origin_codes
from d2ace.selectors.common.randomness import generator


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The prepared set, its tasks of two, two and one class, and its labels."""
    data = write_classes(tmp_path_factory.mktemp("classes") / "data")
    tasks, labels, _ = tasks_of(data, protocol="B0-C2")
    return Manifest.load(data), tasks, labels


def memories_after(tasks, labels, number):
    """The memories of four exemplars a class after each task; nothing in them is relabelled."""
    held: list[Memory | None] = [None]
    for task in range(1, number + 1):
        values = shown(labels, tasks, task)
        block = Candidates(tasks.rows[task - 1], values >= 0.5)
        held.append(after_task("random", Budget(per_class=4), held[-1], block, values, generator(0, "exemplars", task)))
    return [None if memory is None else memory.known for memory in held]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_task_sees_its_labels_of_its_rows_and_what_the_exemplars_were_shown(number, world):
    _, tasks, truth = world
    matrix = LabelMatrix.of(truth)
    memories = memories_after(tasks, matrix, number - 1)
    view = view_of(matrix, tasks, number, memories[-1])
    held = [set() if memory is None else set(memory.rows.tolist()) for memory in memories]
    assert view.rows.tolist() == sorted({*tasks.rows[number - 1].tolist(), *held[-1]})
    for row, values in zip(view.rows.tolist(), view.values, strict=True):
        for block in range(1, number + 1):
            columns = slice(tasks.old(block), tasks.seen(block))
            kept = all(row in rows for rows in held[block:])  # from the end of that task on
            known = row in tasks.rows[block - 1] and kept
            expected = truth[row, tasks.columns(block)] if known else np.full(tasks.blocks[block - 1], np.nan)
            np.testing.assert_array_equal(values[columns], expected)


def test_an_exemplar_that_is_not_recognised_is_there_beside_the_row_of_the_task(world, tmp_path):
    manifest, tasks, truth = world
    labels = LabelMatrix.of(truth)
    memory = memories_after(tasks, labels, 1)[-1]
    view = view_of(labels, tasks, 2, memory, recognised=False)
    both = np.intersect1d(memory.rows, tasks.rows[1])
    assert len(both)
    assert view.rows.tolist() == sorted([*tasks.rows[1].tolist(), *memory.rows.tolist()])
    own = ~np.isnan(view.values[:, 2:]).all(axis=1)
    np.testing.assert_array_equal(view.rows[own], tasks.rows[1])
    np.testing.assert_array_equal(view.values[own][:, 2:], truth[tasks.rows[1]][:, tasks.columns(2)])
    assert np.isnan(view.values[own][:, :2]).all()
    np.testing.assert_array_equal(view.rows[~own], memory.rows)
    np.testing.assert_array_equal(view.values[~own][:, :2], memory.values)
    written = write_task(view, ShardRows(manifest), tasks, 2, tmp_path / "task")
    np.testing.assert_array_equal(read_labels(written).dense(), view.values)
    ids = np.arange(written.rows)
    np.testing.assert_array_equal(read_features(written, ids), read_features(manifest, view.rows))


@pytest.mark.parametrize("absurd", [0.25, 1.0, np.nan])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_hidden_labels_do_not_reach_a_task(number, absurd, world):
    """All labels that earlier tasks showed, later ones will show, or no task shows are replaced, whatever the rows."""
    _, tasks, truth = world
    memory = memories_after(tasks, LabelMatrix.of(truth), number - 1)[-1]
    planted = np.full_like(truth, absurd)
    visible = np.ix_(tasks.rows[number - 1], tasks.columns(number))
    planted[visible] = truth[visible]
    clean, other = (view_of(LabelMatrix.of(labels), tasks, number, memory) for labels in (truth, planted))
    np.testing.assert_array_equal(clean.rows, other.rows)
    np.testing.assert_array_equal(clean.values, other.values)
    np.testing.assert_array_equal(clean.origins, other.origins)


def test_joint_training_sees_all_labels_of_the_classes_so_far(world):
    _, tasks, truth = world
    view = view_of_everything(LabelMatrix.of(truth), tasks, 2)
    assert view.rows.tolist() == sorted({*tasks.rows[0].tolist(), *tasks.rows[1].tolist()})
    np.testing.assert_array_equal(view.values, truth[view.rows][:, tasks.order[:4]])


def test_a_task_becomes_a_prepared_set_with_labels_in_order_of_arrival_and_their_origins(world, tmp_path):
    manifest, tasks, truth = world
    labels = LabelMatrix.of(truth)
    memory = memories_after(tasks, labels, 1)[-1]
    empty = LabelledRows.unknown(memory.rows, 2)
    values = np.resize([0.0, 0.7, 1.0], empty.values.shape)
    memory = empty.filled(np.arange(len(memory.rows)), np.arange(2), values, Origin.PAST_MODEL)
    view = view_of(labels, tasks, 2, memory)
    written = write_task(view, ShardRows(manifest), tasks, 2, tmp_path / "task")
    found = read_labels(written)
    assert written.labels == CLASSES[:4]
    assert written.splits["train"] == written.rows == len(view.rows)
    np.testing.assert_array_equal(found.dense(), view.values)
    np.testing.assert_array_equal(origin_codes(found), view.origins)
    assert set(np.unique(view.origins)) == {Origin.GIVEN, Origin.PAST_MODEL}
    ids = np.arange(written.rows)
    np.testing.assert_array_equal(read_features(written, ids), read_features(manifest, view.rows))


def test_images_come_along_byte_by_byte(tmp_path):
    manifest = digit_scenes.build(tmp_path / "digits", rows=100)
    tasks, labels, _ = tasks_of(tmp_path / "digits", protocol="B0-C5")
    view = view_of(LabelMatrix.of(labels), tasks, 2, None)
    written = write_task(view, ShardRows(manifest, images=False), tasks, 2, tmp_path / "task")
    source, copied = (
        ShardRows(manifest).open().gather(view.rows),
        ShardRows(written).open().gather(np.arange(written.rows)),
    )
    assert [bytes(image) for image in copied.images] == [bytes(image) for image in source.images]
