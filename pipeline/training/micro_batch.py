"""A part of a global batch: what goes through the network at once.

b rows of the part, L labels.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ...selectors.plans.entries import EntryTargets
from ..feeds.api import Part

STAND_IN = -1
"""Number of a micro-batch that only keeps a rank without rows in step with the others."""


@dataclass(frozen=True)
class MicroBatch:
    """One part of a batch with all that its loss depends on.

    Attributes:
        part: rows on their device.
        weights: float32 (b,), of the rows in the loss; None when all are 1.
        targets: float32 (b, L), what the loss compares predictions to; None for the labels of the rows.
        entry_weights: float32 (b, L), of the entries in the loss; None when all are 1.
        epoch: for losses that change with it, from 0.
        seed: of its noise (dropout, ...).
        number: which micro-batch of the whole batch it is; ``STAND_IN`` for none of them.
    """

    part: Part
    weights: torch.Tensor | None = None
    seed: int = 0
    number: int = 0
    targets: torch.Tensor | None = None
    entry_weights: torch.Tensor | None = None
    epoch: int = 0

    @property
    def counts(self) -> bool:
        """Whether its rows belong to the batch."""
        return self.number != STAND_IN


def trained_entries(part: Part, entries: EntryTargets) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Return targets and weights of a part's entries, float32 (b, L) on its device; None where none is listed."""
    found = entries.of_rows(part.ids)
    given, weighty = ~np.isnan(found.targets), found.weights != 1
    targets = _replaced(part.labels.clone(), found.rows, found.labels, found.targets, given) if given.any() else None
    weights = None
    if weighty.any():
        weights = _replaced(torch.ones_like(part.labels), found.rows, found.labels, found.weights, weighty)
    return targets, weights


def _replaced(
    tensor: torch.Tensor, rows: np.ndarray, labels: np.ndarray, values: np.ndarray, which: np.ndarray
) -> torch.Tensor:
    """Put values (e,) at some of the places (rows, labels) of a tensor (b, L), which is changed and returned."""
    at = [torch.from_numpy(index[which]).to(tensor.device) for index in (rows, labels)]
    return tensor.index_put_((at[0], at[1]), torch.from_numpy(values[which]).to(tensor.device))
