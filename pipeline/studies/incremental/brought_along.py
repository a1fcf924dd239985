"""What exemplars bring along into the next task: what batch selection saw of them, and the logits they had.

Predictions, their changes and losses are those of the labels known by then; a label that is new starts as that of a row
that was never visited. Nothing is kept of a row that the memory does not hold. [own]

m exemplars
"""

import numpy as np

from ....selectors.common.state import observed_rows
from ...common.storage.any_path import make_folder
from ...runs.checkpoints import CheckpointStore
from ...runs.run_folder import RunFolder
from ...selection.inherited import Inherited
from ...training.answers import Answers
from .folder import SequenceFolder
from .memory import Memory
from .sequence import TaskSequence
from .task_data import Places, placed
from .tasks import Tasks


def bring_along(
    sequence: TaskSequence, folder: SequenceFolder, tasks: Tasks, number: int, held: Memory, earlier: Memory | None
) -> None:
    """Write what the exemplars bring along into a task, before its data.

    Args:
        sequence: with the settings of both runs.
        folder: of the sequence.
        tasks: all tasks.
        number: of the task that the exemplars come to, from 2.
        held: the exemplars.
        earlier: those that the task before trained along; None without any.

    Raises:
        RunError: when the state that the run before left is damaged.
    """
    recognised = sequence.memory is None or sequence.memory.recognised
    here = placed(tasks.rows[number - 1], held.known.rows, recognised=recognised).exemplars
    task = folder.task(number)
    make_folder(task.path)
    if held.logits is not None:
        Answers(here, held.logits).save(task.answers)
    if len(here) and _same_selection(sequence, folder, number):
        rows = None if earlier is None else earlier.known.rows
        before = placed(tasks.rows[number - 2], rows, recognised=recognised)
        checkpoints = CheckpointStore(RunFolder(folder.task(number - 1).run).checkpoints)
        state = checkpoints.selection_states()[-1].selection_state()
        seen = observed_rows(state["selector"], _positions(held.known.rows, before))
        if len(seen) > 1:  # a method that keeps nothing of rows has its name alone
            Inherited(here, seen).save(task.selection)


def _same_selection(sequence: TaskSequence, folder: SequenceFolder, number: int) -> bool:
    """Return whether a task and the one before choose their batches by the same method with the same settings."""
    before, now = (sequence.run_config(each, folder.path, None).selector for each in (number - 1, number))
    return (before.name, before.options) == (now.name, now.options)


def _positions(held: np.ndarray, before: Places) -> np.ndarray:
    """Return where the exemplars lay in the data of a task, int64 (m,): as exemplars, or among its own rows."""
    result = np.empty(len(held), np.int64)
    for places in (before.own, before.exemplars):  # an exemplar that lay there twice is the one with the old labels
        rows = before.rows[places]
        found = np.isin(held, rows)
        result[found] = places[np.searchsorted(rows, held[found])]
    return result
