"""What a task may see: the one place that decides which labels of which rows reach training.

n rows   c classes of the task   K classes of earlier tasks   C classes seen, K + c
"""

from dataclasses import dataclass

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix
from ....selectors.common.label_origins import of_dense
from ...common.storage.any_path import AnyPath
from ...data.manifest import SPLITS, Manifest
from ...data.rows import Rows
from ...data.shard_writer import ShardWriter
from ...feeds.all_rows import AllRows
from ...feeds.request import chunks
from .labelled_rows import LabelledRows
from .tasks import Tasks

_VALUES_AT_ONCE = 1 << 22
"""Of labels, or of features of a table."""
_IMAGES_AT_ONCE = 512


def shown(labels: LabelMatrix, tasks: Tasks, number: int) -> np.ndarray:
    """Return what a task shows of its own rows, the columns of its own classes: float32 (n, c), NaN where unknown.

    No other labels of training rows are ever read.

    Args:
        labels: of all rows of the prepared set.
        tasks: all tasks.
        number: of the task, from 1.
    """
    rows, columns = tasks.rows[number - 1], tasks.columns(number)
    found = np.empty((len(rows), len(columns)), np.float32)
    for piece in chunks(len(rows), max(1, _VALUES_AT_ONCE // labels.shape[1])):
        found[piece] = labels.dense(rows[piece])[:, columns]
    return found


@dataclass(frozen=True)
class Places:
    """Where rows lie in the data of a task.

    Attributes:
        rows: int64 (n,), row ids of the prepared set, ascending; one that is not recognised may come twice.
        own: int64, positions of the task's own rows.
        exemplars: int64, positions of the exemplars.
    """

    rows: np.ndarray
    own: np.ndarray
    exemplars: np.ndarray


def placed(own: np.ndarray, exemplars: np.ndarray | None, *, recognised: bool) -> Places:
    """Return where a task's own rows and the exemplars, row ids int64 both, lie in its data.

    Args:
        own: ascending.
        exemplars: ascending; None without a memory.
        recognised: whether a row that is both is there once; else twice, as a row of the task first.
    """
    every = own if exemplars is None else np.concatenate([own, exemplars])
    rows, places = np.unique(every, return_inverse=True)
    if not recognised:
        order = np.argsort(every, kind="stable")
        rows, places = every[order], np.argsort(order)
    return Places(rows, places[: len(own)], places[len(own) :])


def view_of(
    labels: LabelMatrix, tasks: Tasks, number: int, held: LabelledRows | None, *, recognised: bool = True
) -> LabelledRows:
    """Return what a task sees: its rows with the labels of its classes, and the exemplars with what is known of them.

    Everything else is unknown.

    Args:
        labels: of all rows of the prepared set.
        tasks: all tasks.
        number: of the task, from 1.
        held: the exemplars after the task before, or None.
        recognised: whether a row that is both is there once, with both; else twice, each with its own.
    """
    old = tasks.old(number)
    places = placed(tasks.rows[number - 1], None if held is None else held.rows, recognised=recognised)
    view = LabelledRows.unknown(places.rows, tasks.seen(number))
    view.values[places.own, old:] = shown(labels, tasks, number)
    if held is not None:
        view.values[places.exemplars, :old], view.origins[places.exemplars, :old] = held.values, held.origins
    return view


def view_of_everything(labels: LabelMatrix, tasks: Tasks, number: int) -> LabelledRows:
    """Return all rows of all tasks so far with all labels of the classes seen: joint training, which is no rival."""
    rows = np.unique(np.concatenate(tasks.rows[:number]))
    columns = tasks.order[: tasks.seen(number)]
    pieces = chunks(len(rows), max(1, _VALUES_AT_ONCE // labels.shape[1]))
    values = np.concatenate([labels.dense(rows[piece])[:, columns] for piece in pieces])
    return LabelledRows(rows, values, np.zeros(values.shape, np.uint8))


def write_task(view: LabelledRows, source: AllRows, tasks: Tasks, number: int, folder: AnyPath) -> Manifest:
    """Write a task as a prepared set of its own, training rows only; its labels are the classes seen, old ones first.

    Args:
        view: what the task sees.
        source: rows of the prepared set that the tasks are cut from.
        tasks: all tasks.
        number: of the task, from 1.
        folder: to be made.

    Raises:
        DataError: when rows cannot be read.
    """
    manifest, reader = source.manifest, source.open()
    labels = [manifest.labels[column] for column in tasks.order[: tasks.seen(number)]]
    train = SPLITS.index("train")
    with ShardWriter(
        folder,
        kind=manifest.kind,
        labels=labels,
        n_features=manifest.n_features,
        feature_names=manifest.feature_names,
        image=manifest.image,
        source=f"task {number} of {len(tasks)}, from {manifest.source}",
    ) as writer:
        for piece in chunks(len(view.rows), _rows_at_once(manifest)):
            batch = reader.gather(view.rows[piece])
            features = batch.features if batch.images is None else [bytes(image) for image in batch.images]
            assert features is not None
            split = np.full(len(batch.ids), train, np.int8)
            writer.write(Rows(features, of_dense(view.values[piece], view.origins[piece]), split))
    return writer.manifest


def _rows_at_once(manifest: Manifest) -> int:
    if manifest.kind == "image":
        return _IMAGES_AT_ONCE
    return max(1, _VALUES_AT_ONCE // max(int(manifest.n_features or 0), 1))
