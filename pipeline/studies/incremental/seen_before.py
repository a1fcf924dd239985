"""What batch selection saw of the exemplars goes with them into the next task.

Predictions, their changes and losses are those of the labels known by then; a label that is new starts as that of a row
that was never visited. Nothing is kept of a row that the memory does not hold. [own]

m exemplars
"""

import numpy as np

from ....selectors.common.state import observed_rows
from ...runs.checkpoints import CheckpointStore
from ...runs.run_folder import RunFolder
from ...selection.inherited import Inherited
from .folder import TaskFolder
from .task_data import Places, placed
from .tasks import Tasks


def seen_before(
    past: TaskFolder,
    tasks: Tasks,
    number: int,
    held: np.ndarray,
    held_before: np.ndarray | None,
    *,
    recognised: bool,
) -> Inherited | None:
    """Return what the run of the task before saw of the exemplars; None for a method that keeps nothing of rows.

    Args:
        past: folder of the task before, which is done.
        tasks: all tasks.
        number: of the task that the exemplars come to, from 2.
        held: int64 (m,), row ids of the exemplars, ascending.
        held_before: of the exemplars that the task before trained along; None without any.
        recognised: see ``placed``.

    Raises:
        RunError: when the state that the run left is damaged.
    """
    before = placed(tasks.rows[number - 2], held_before, recognised=recognised)
    here = placed(tasks.rows[number - 1], held, recognised=recognised).exemplars
    state = CheckpointStore(RunFolder(past.run).checkpoints).selection_states()[-1].selection_state()
    seen = observed_rows(state["selector"], _positions(held, before))
    return Inherited(here, seen) if len(here) and len(seen) > 1 else None


def _positions(held: np.ndarray, before: Places) -> np.ndarray:
    """Return where the exemplars lay in the data of a task, int64 (m,): as exemplars, or among its own rows."""
    result = np.empty(len(held), np.int64)
    for places in (before.own, before.exemplars):  # an exemplar that lay there twice is the one with the old labels
        rows = before.rows[places]
        found = np.isin(held, rows)
        result[found] = places[np.searchsorted(rows, held[found])]
    return result
