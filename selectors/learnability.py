"""Learnability: rows that a reference model finds easy and the present one still finds hard.

Source: Mindermann et al., *Prioritized Training on Points that are Learnable, Worth Learning, and Not Yet Learnt*
(RHO-LOSS), ICML 2022 [paper]; soft draws after Udandarao et al., *Active Data Curation Effectively Distills
Large-Scale Multimodal Models* (ACID, ACED), CVPR 2025 [paper]. That losses are the last ones seen, not those of an
extra forward pass over the super-batch, is [own].

N rows, L labels, B batch size, M batches, F batches' worth of rows in a super-batch.
"""

from typing import Any, ClassVar

import numpy as np

from .bases import Frozen, FrozenSelector
from .common.errors import SelectionError
from .common.label_matrix import Labels
from .common.reference import Reference, reference_losses
from .common.settings import choice, number, whole
from .history.row_losses import RowLosses
from .plans.draw import batch_offsets, permutation_plan
from .plans.plan import Plan
from .plans.schedules import When, warm_up


class Learnability(FrozenSelector):
    """Takes from each random super-batch of F * B rows the B with the largest loss(now) - loss(reference).

    Super-batches are cut from shuffled passes over all rows, so that each row is a candidate about equally often:
    F times an epoch. The loss of a row is the mean over its known labels [own: the papers have one loss a row].
    State: three numbers a row. Cost: O(B L) a batch, O(F N) a plan; memory of a plan O(N).

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        reference: losses of the reference model: an (N, L) array, the path of a Parquet file with columns ``id``
            (positions 0..N-1) and ``losses`` (list of L numbers), or a callable that returns float (n, L) for int64
            ids (n,).
        super_batch: F; RHO-LOSS takes a tenth of each super-batch. With F B of N or more, all batches of an epoch are
            the same rows.
        sampling: "top" takes the largest differences; "soft" draws by exp(difference / temperature) without
            replacement.
        temperature: of the soft draws, above 0.
        warmup: plain permutations first, so that every row has a loss (one epoch is enough): epochs, or a share of the
            run.
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes, settings or a reference that cannot work.
    """

    name: ClassVar[str] = "learnability"
    frozen: ClassVar[tuple[str, ...]] = ("score",)
    _seen: RowLosses

    def __init__(
        self,
        labels: Labels,
        *,
        reference: Reference | None = None,
        super_batch: int = 10,
        sampling: str = "top",
        temperature: float = 0.1,
        warmup: When = 1,
        **run: Any,
    ) -> None:
        super().__init__(labels, **run)
        self.super_batch = whole("super_batch", super_batch, at_least=1)
        self.sampling = choice("sampling", sampling, ("top", "soft"))
        self.temperature = number("temperature", temperature, low=0.0)
        if self.temperature == 0:
            raise SelectionError('temperature must be above 0; sampling="top" is what it would mean')
        self.warmup = warm_up(warmup, self.epochs)
        if reference is None:
            raise SelectionError(
                "learnability needs reference: losses as an (N, L) array, a Parquet file, or a callable of row ids"
            )
        losses = reference_losses(reference, np.arange(self.n_rows), self.n_labels)
        self._reference = losses.mean(axis=1) if self.label_matrix.is_complete else self._known_means(losses)
        self._begin(RowLosses(self.n_rows, self.n_labels, self.label_matrix))

    @property
    def selection_start(self) -> int | None:
        """The first epoch after the warm-up."""
        return self.warmup if self.warmup < self.epochs and self.super_batch > 1 else None

    def _rescore(self, epoch: int) -> Frozen:
        """Freeze the reducible loss of every row. Source: RHO-LOSS [paper].

        Rows without a known label have no loss: they score as the least of the others [own].
        """
        score, judged = self._seen.row_loss - self._reference, self._seen.judged
        return {"score": np.where(judged, score, score[judged].min()) if judged.any() else score}

    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch: a permutation in the warm-up, then the best of each super-batch."""
        epoch = whole("epoch", epoch)
        rng = self._rng(epoch)
        if epoch < self.warmup:
            return permutation_plan(epoch, self.n_rows, self.batch_size, rng)
        offsets = batch_offsets(self.n_rows, self.batch_size)
        batches = len(offsets) - 1
        size = min(self.super_batch * self.batch_size, self.n_rows)
        a_pass = self.n_rows // size  # the rows that a pass leaves over are other ones in the next
        chosen = [self._pick(rng, a_pass, size) for _ in range(-(-batches // a_pass))]
        ids = np.concatenate(chosen)[:batches].reshape(-1)
        return Plan(epoch, ids[: self.n_rows], offsets)

    def _known_means(self, losses: np.ndarray) -> np.ndarray:
        """Return the mean over the known labels of each row, float64 (N,); 0 without any."""
        known = self.label_matrix.known()
        return np.where(known, losses, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)

    def _pick(self, rng: np.random.Generator, count: int, size: int) -> np.ndarray:
        """Return the rows picked from each of ``count`` super-batches of one pass, int64 (count, min(B, N))."""
        candidates = rng.permutation(self.n_rows)[: count * size].reshape(count, size)
        value = self._frozen["score"][candidates]
        if self.sampling == "soft":  # adding Gumbel noise, the largest are a draw by exp(value) without replacement
            value = value / self.temperature + rng.gumbel(size=value.shape)
        width = min(self.batch_size, self.n_rows)
        best = np.argpartition(-value, width - 1, axis=1)[:, :width]
        return np.take_along_axis(candidates, rng.permuted(best, axis=1), 1)

    def diagnostics(self) -> dict[str, Any]:
        """Return score (the learnability), last and reference loss, and visits of every row, and the summary."""
        return {
            "score": self._frozen["score"].copy(),
            "row_loss": self._seen.row_loss.copy(),
            "reference_loss": self._reference.copy(),
            "visits": self._seen.visits.copy(),
            **self.summary(),
        }

    def summary(self) -> dict[str, Any]:
        """Return the mean learnability of rows with a known label, and counts of unusable entries."""
        judged = self._seen.judged if self._seen.judged.any() else slice(None)
        return {"mean_learnability": float(self._frozen["score"][judged].mean()), **self._seen.counts()}
