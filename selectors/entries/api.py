"""What a policy for entries must do, and the registry of those there are.

A selection method decides which rows an epoch sees; a policy decides which of their labels to believe. Shape letters
are those of ``selectors/api.py``; a *suspect* is an entry whose label may be wrong or missing.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.registry import Registry, settings_of
from ..plans.entries import EntryTargets

_COMMON = ("labels", "epochs", "seed")


class EntryPolicy(ABC):
    """Decides from the predictions of the run so far which entries are trained otherwise than their label says.

    Call order: ``targets()`` for epoch 0, ``observe`` for each batch, ``end_epoch(0)``, ``targets()`` for epoch 1, ...
    In the epoch ``held_out_after``, ``observe_held_out`` comes right before ``end_epoch``.

    Args:
        labels: of the N training rows.
        epochs: length of the run.
        seed: the run's seed.

    Raises:
        SelectionError: for settings out of range.
    """

    name: ClassVar[str]

    def __init__(self, labels: LabelMatrix, *, epochs: int, seed: int = 0) -> None:
        self.labels, self.epochs, self.seed = labels, epochs, seed
        self.n_rows, self.n_labels = labels.shape

    @property
    def held_out_after(self) -> int | None:
        """The epoch at whose end it wants predictions for rows that nothing is trained on; None: it never does."""
        return None

    def observe_held_out(self, probabilities: np.ndarray, labels: np.ndarray) -> None:  # noqa: B027 few want it
        """Learn from rows that nothing is trained on, whose labels may have the faults of the training rows'.

        Args:
            probabilities: float (n, L).
            labels: float (n, L), NaN where unknown.
        """

    @abstractmethod
    def targets(self) -> EntryTargets | None:
        """Return the entries that the next epoch trains otherwise, as the last ``end_epoch`` fixed them; or None."""

    @abstractmethod
    def observe(self, ids: np.ndarray, probabilities: np.ndarray) -> None:
        """Record what the training forward pass of one batch predicted. Cost: O(B L).

        Args:
            ids: int64 (b,), row positions, no row twice.
            probabilities: float (b, L), any float dtype.
        """

    @abstractmethod
    def end_epoch(self, epoch: int) -> None:
        """Judge all suspects anew after ``epoch``. Cost: O(N L)."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """Return the few values worth keeping for every epoch, always the same names: what was flagged, and why."""

    @abstractmethod
    def explain(self, row: int) -> dict[str, Any]:
        """Return what is held against the labels of one row: arrays (L,)."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all observations: the state right after construction."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs, as NumPy arrays and plain values."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another policy or size."""


# Modules are imported on first use. One policy a file.
REGISTRY = Registry(
    "entry policy",
    {
        "correct": ".correct:Correct",
        "mixture": ".mixture:Mixture",
        "reject": ".reject:Reject",
        "soft": ".soft:Soft",
    },
    __package__,
    EntryPolicy,
    group="d2ace.entry_policies",
)


def names() -> list[str]:
    """Return the names of all registered policies, sorted."""
    return REGISTRY.names()


def options(name: str) -> dict[str, inspect.Parameter]:
    """Return the policy's own settings by name, with defaults and annotations; raises SelectionError for no such."""
    return settings_of(REGISTRY.find(name), _COMMON)


def check_options(name: str, chosen: Mapping[str, Any]) -> None:
    """Raise SelectionError (with "did you mean") for an unknown policy or a setting it does not have."""
    REGISTRY.check_settings(name, chosen, options(name))


def create(name: str, labels: LabelMatrix, *, epochs: int, seed: int = 0, **chosen: Any) -> EntryPolicy:
    """Make a policy by name; an unknown setting raises SelectionError with "did you mean"."""
    check_options(name, chosen)
    return REGISTRY.find(name)(labels, epochs=epochs, seed=seed, **chosen)
