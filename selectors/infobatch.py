"""InfoBatch: leave out a share of the easy rows each epoch, and let the others of them count for more.

Source: Qin et al., *InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning*, ICLR 2024, arXiv
2303.04947 [paper]; share 1/2 and the last eighth of the epochs whole as in its authors' program [released]. Comparing
losses within windows of batches: RePB, *Inconsistency Biases in Dynamic Data Pruning*, ICLR 2026 [paper, its abstract].
"""

from typing import Any, ClassVar

import numpy as np

from .bases import Frozen, FrozenSelector
from .common.label_matrix import Labels
from .common.settings import number, share_down, whole
from .history.observations import NEUTRAL_LOSS
from .history.row_losses import RowLosses
from .plans.draw import batch_offsets
from .plans.plan import Plan


class InfoBatch(FrozenSelector):
    """Each epoch leaves out a share r of the rows whose last loss is below the mean; the rest of them weighs 1/(1-r).

    The expected gradient is that of all rows. An epoch thus has fewer than N draws, each row at most once, in random
    order; the first and the last epochs have all rows. The loss of a row is the mean over its labels [own: the paper
    has one loss a row]. The mean is that of the rows seen so far, and rows never seen are not left out [own].
    State: two numbers a row. Cost: O(B L) a batch, O(N) an epoch.

    Losses of an epoch's first and last batches are those of different networks, and a row that was left out has a loss
    of an earlier epoch still. With a ``window`` a row is easy when its loss is below the mean of the rows in the same
    few batches of the last epoch; a row that did not come in that epoch comes in the next one [own: of RePB the
    comparison, not its weights over the whole run].

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        prune: r, share of the rows below the mean that an epoch leaves out; below 1.
        prune_until: share of the epochs after which all rows come.
        window: batches whose rows are compared with each other; 0: the rows of all batches, whenever they were seen.
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "infobatch"
    leaves_out_rows: ClassVar[bool] = True
    frozen: ClassVar[tuple[str, ...]] = ("easy", "mean_loss")
    _seen: RowLosses

    def __init__(
        self, labels: Labels, *, prune: float = 0.5, prune_until: float = 0.875, window: int = 0, **run: Any
    ) -> None:
        super().__init__(labels, **run)
        self.prune = number("prune", prune, low=0.0, below=1.0)  # at 1 no easy row would ever be seen
        self.last_pruned = share_down(number("prune_until", prune_until, low=0.0, high=1.0), self.epochs) - 1
        self._window = whole("window", window)
        self._begin(RowLosses(self.n_rows, self.n_labels, self.label_matrix))

    @property
    def selection_start(self) -> int | None:
        """The second epoch, the first one that can leave out rows."""
        return 1 if self.prune > 0 and self.last_pruned >= 1 else None

    def end_epoch(self, epoch: int) -> None:
        """Compare the losses, and warn once of entries that were unusable."""
        if not self._window:
            return super().end_epoch(epoch)
        easy = _below_mean_of_window(self._seen.row_loss, self._seen.judged, self.plan(epoch), self._window)
        self._freeze({**self._rescore(epoch), "easy": easy & (self._seen.visits > 0)})
        self._seen.report()

    def _rescore(self, epoch: int) -> Frozen:
        """Freeze which rows are below the mean loss. Source: InfoBatch [paper].

        Rows without a known label have no loss: they are not easy, and not in the mean [own].
        """
        seen, loss = (self._seen.visits > 0) & self._seen.judged, self._seen.row_loss
        mean = float(loss[seen].mean()) if seen.any() else NEUTRAL_LOSS
        return {"easy": seen & (loss < mean), "mean_loss": mean}

    def plan(self, epoch: int) -> Plan:
        """Return the rows of an epoch in random order, with ``draw_weights`` when rows are left out. Cost O(N).

        The number left out, r times the easy rows, is rounded up or down at random, so that it is exact on average
        [own].
        """
        epoch, rng = whole("epoch", epoch), self._rng(whole("epoch", epoch))
        order = rng.permutation(self.n_rows)
        easy = self._frozen["easy"][order]
        if epoch > self.last_pruned or not easy.any():
            return Plan(epoch, order, batch_offsets(self.n_rows, self.batch_size))
        left_out = int(self.prune * easy.sum() + rng.random())
        kept = ~easy
        kept[np.flatnonzero(easy)[left_out:]] = True  # the order is random already
        weights = np.where(easy[kept], np.float32(1 / (1 - self.prune)), np.float32(1))
        ids = order[kept]
        return Plan(epoch, ids, batch_offsets(len(ids), self.batch_size), draw_weights=weights)

    def diagnostics(self) -> dict[str, Any]:
        """Return ``easy`` (N,), last loss and visits of every row, and the summary."""
        return {
            "easy": self._frozen["easy"].copy(),
            "row_loss": self._seen.row_loss.copy(),
            "visits": self._seen.visits.copy(),
            **self.summary(),
        }

    def summary(self) -> dict[str, Any]:
        """Return the mean loss, the share of rows below it, and counts of unusable entries."""
        return {
            "mean_loss": float(self._frozen["mean_loss"]),
            "easy_share": float(self._frozen["easy"].mean()),
            **self._seen.counts(),
        }


def _below_mean_of_window(row_loss: np.ndarray, judged: np.ndarray, plan: Plan, batches: int) -> np.ndarray:
    """Return which rows have a loss below the mean of their window, bool (N,); False for rows that were not drawn.

    Args:
        row_loss: float64 (N,).
        judged: which rows have a loss at all, bool (N,).
        plan: of the epoch, no row twice.
        batches: of a window; the last window may have fewer.
    """
    window = np.repeat(np.arange(len(plan)) // batches, np.diff(plan.offsets))
    loss = row_loss[plan.ids]
    counts = judged[plan.ids].astype(np.float64)
    mean = np.bincount(window, loss * counts) / np.maximum(np.bincount(window, counts), 1)
    easy = np.zeros(len(row_loss), bool)
    easy[plan.ids] = judged[plan.ids] & (loss < mean[window])
    return easy
