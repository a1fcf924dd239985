"""A selection method for the rows and a policy for their entries, as one selector."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .api import Selector
from .common.errors import SelectionError
from .common.explain import checked_row
from .common.state import need
from .entries.api import EntryPolicy
from .history.observations import checked_batch
from .plans.plan import Plan
from .ranges.snapshot import Snapshot


class WithEntries(Selector):
    """Plans the rows of one method, with the entries that a policy trains otherwise.

    Whoever serves plans, saves states or replays a run need not know that there are two.

    Args:
        rows: any selection method.
        entries: a policy for the same labels.

    Raises:
        SelectionError: when the policy is one for labels of another shape.
    """

    def __init__(self, rows: Selector, entries: EntryPolicy) -> None:
        if entries.labels.shape != rows.label_matrix.shape:
            raise SelectionError(
                f"the policy is for labels {entries.labels.shape}, but those of the rows are {rows.label_matrix.shape}"
            )
        self.rows, self.entries = rows, entries
        self.label_matrix, self.labels = rows.label_matrix, rows.labels
        self.n_rows, self.n_labels = rows.n_rows, rows.n_labels
        self.batch_size, self.epochs, self.seed = rows.batch_size, rows.epochs, rows.seed
        self.name, self.branch_names = rows.name, rows.branch_names  # type: ignore[misc]
        self.selects, self.uses_observations = rows.selects, True  # type: ignore[misc]

    @property
    def selection_start(self) -> int | None:
        """That of the rows."""
        return self.rows.selection_start

    def plan(self, epoch: int) -> Plan:
        """Return the plan of the rows with the policy's entries."""
        return replace(self.rows.plan(epoch), entries=self.entries.targets())

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Tell both what the training forward pass of one batch gave; losses are those of the labels as given.

        Raises:
            SelectionError: for wrong shapes, ids out of range or a row given twice.
        """
        if not self.rows.uses_observations:  # others look at all of it themselves
            ids, probabilities, losses = checked_batch(ids, probabilities, losses, self.n_rows, self.n_labels)
        self.rows.observe(ids, probabilities, losses)
        self.entries.observe(ids, probabilities)

    @property
    def held_out_after(self) -> int | None:
        """The epoch at whose end the policy wants predictions for rows that nothing is trained on, or None."""
        return self.entries.held_out_after

    def observe_held_out(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Show the policy rows that nothing is trained on, float (n, L) each, right before ``end_epoch``."""
        self.entries.observe_held_out(probabilities, labels)

    def end_epoch(self, epoch: int) -> None:
        """Let both judge anew."""
        self.rows.end_epoch(epoch)
        self.entries.end_epoch(epoch)

    def inherit(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Let the method take over what an earlier run saw of some rows; the policy judges by this run alone."""
        self.rows.inherit(rows, earlier)

    def diagnostics(self) -> dict[str, Any]:
        """Return what both say; the policy's values are named ``entries_...``."""
        return {**self.rows.diagnostics(), **self.judged()}

    def explain(self, row: int) -> dict[str, Any]:
        """Return what both say of a row; the policy's values are named ``entries_...``."""
        row = checked_row(row, self.n_rows)
        return {**self.rows.explain(row), **self._of_entries(self.entries.explain(row))}

    def summary(self) -> dict[str, Any]:
        """Return what both say of an epoch; the policy's values are named ``entries_...``."""
        return {**self.rows.summary(), **self.judged()}

    def judged(self) -> dict[str, Any]:
        """Return the policy's part of ``summary``."""
        return self._of_entries(self.entries.summary())

    def reset(self) -> None:
        """Let both forget all observations."""
        self.rows.reset()
        self.entries.reset()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both."""
        return {"rows": self.rows.state_dict(), "entries": self.entries.state_dict()}

    def snapshot(self) -> Snapshot:
        """Copy the states of both; rows that lie in ranges stay there."""
        rows = self.rows.snapshot()
        return replace(rows, values={"rows": rows.values, "entries": self.entries.state_dict()})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, policy, size or schema."""
        need(state, ["rows", "entries"])
        self.rows.load_state_dict(state["rows"])
        self.entries.load_state_dict(state["entries"])

    @staticmethod
    def _of_entries(values: Mapping[str, Any]) -> dict[str, Any]:
        return {f"entries_{name}": value for name, value in values.items()}
