"""A part of a global batch: what goes through the network at once.

b rows of the part, L labels.
"""

from dataclasses import dataclass

import torch

from ...selectors.plans.entries import Changes, EntryTargets
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
    relabelled, reweighted = found.relabelled(), found.reweighted()
    targets = _replaced(part.labels.clone(), relabelled) if len(relabelled[0]) else None
    weights = _replaced(torch.ones_like(part.labels), reweighted) if len(reweighted[0]) else None
    return targets, weights


def _replaced(tensor: torch.Tensor, changes: Changes) -> torch.Tensor:
    """Put values at some places of a tensor (b, L), which is changed and returned."""
    rows, labels, values = (torch.from_numpy(array).to(tensor.device) for array in changes)
    return tensor.index_put_((rows, labels), values)
