"""Any selector as the batch sampler of a plain PyTorch ``DataLoader``, on one process or on the ranks of DDP.

N rows, L labels, B batch size, M batches of an epoch, b rows of a batch that one rank has. Torch is imported only
where it is there already: when ranks exchange observations, or when weights are wanted as a tensor.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .api import Selector
from .common.errors import SelectionError
from .common.tensors import as_given, float_array, integer_array
from .common.torch_ranks import gathered, is_distributed
from .plans.rank_batches import RankBatches

_SCHEMA = 1


class WithIndex:
    """A map-style data set that yields ``(index, item)``, so that the loop knows which rows a batch holds.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        return index, self.dataset[index]


class SelectorBatchSampler:
    """``DataLoader(data, batch_sampler=SelectorBatchSampler(selector))``: the selector decides every batch.

    An epoch is ``set_epoch(e)``, one iteration with one ``observe`` a batch, in order, and ``end_epoch()``. Loader
    processes may fetch ahead as they like: what counts as done is what was observed.

    On several ranks each makes the same selector and takes a contiguous part of every batch; ``observe`` gathers what
    all ranks saw, so that their selectors stay equal. Where a batch has fewer rows than there are ranks, a rank
    without a row repeats the batch's first one: its weight is 0 and what it showed is dropped.

    Args:
        selector: any selection method; positions 0..N-1 are the data set's indices.
        rank: this process among ``world_size``.
        world_size: number of processes that train together.

    Raises:
        SelectionError: when the rank is not one of the world.
    """

    def __init__(self, selector: Selector, *, rank: int = 0, world_size: int = 1) -> None:
        if not 0 <= rank < world_size:
            raise SelectionError(f"rank must be 0..{world_size - 1} for world_size={world_size}, got {rank}")
        self.selector, self.rank, self.world_size = selector, rank, world_size
        self._epoch, self._first, self._done = 0, 0, 0
        self._plan: RankBatches | None = None
        self._iterated = False

    def __len__(self) -> int:
        """Return how many batches iterating gives: those of the plan, or ceil(N / B) before ``set_epoch``."""
        if self._plan is None:
            return -(-self.selector.n_rows // self.selector.batch_size) - self._first
        return len(self._plan) - self._first

    def set_epoch(self, epoch: int) -> None:
        """Make the plan of an epoch; again for the same epoch does nothing. Cost: that of ``Selector.plan``.

        Raises:
            SelectionError: when the epoch is not the next one, or the one before was not ended.
        """
        if epoch != self._epoch:
            if self._iterated:
                raise SelectionError(
                    f"set_epoch({epoch}), but epoch {self._epoch} is still open: call end_epoch() after its last batch"
                )
            raise SelectionError(f"epochs follow one another: expected set_epoch({self._epoch}), got {epoch}")
        if self._plan is None:
            self._plan = RankBatches(self.selector.plan(epoch), self.rank, self.world_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield this rank's rows of each batch, from the first batch not yet observed when a state was loaded.

        Raises:
            SelectionError: without ``set_epoch``, or when the epoch was iterated already.
        """
        self._refuse_second_iteration()
        return self._batches(self._current("iterating"))

    def observe(self, ids: Any, probabilities: Any, losses: Any) -> None:
        """Tell what the training forward pass of the next batch gave; call it once for every batch, in order.

        Under DDP every rank calls it with its own rows; the cost is then one all-gather of 8 L bytes a row.

        Args:
            ids: int (b,), the rows as the loader gave them.
            probabilities: float (b, L), predicted probabilities; a tensor on any device, or an array.
            losses: float (b, L), loss of each entry, before the step; likewise.

        Raises:
            SelectionError: when the rows are not those of the next batch, or the shapes do not fit.
        """
        batches, step = self._current("observe()"), self._done
        values = [float_array(probabilities), float_array(losses)]
        self._check_batch(ids, probabilities=values[0], losses=values[1])
        if self.world_size > 1 or is_distributed():
            start, stop = batches.bounds(step)
            values = gathered(values, stop - start, batches.size(step), self.world_size)
        self.selector.observe(batches.whole(step), *values)
        self._done += 1

    def observe_logits(self, ids: Any, logits: Any) -> None:
        """``observe`` for a network trained with binary cross-entropy: both arguments follow from its logits.

        Args:
            ids: int (b,), the rows as the loader gave them.
            logits: float (b, L), a tensor on any device, or an array.

        Raises:
            SelectionError: as ``observe``.
        """
        z = float_array(logits)
        self._check_batch(ids, logits=z)
        y = self.selector.label_matrix.dense(integer_array(ids))
        small = np.exp(-np.abs(z))  # never overflows
        losses = np.maximum(z, 0) - z * y + np.log1p(small)
        losses[np.isnan(y)] = 0  # unknown entries lose nothing
        self.observe(ids, np.where(z >= 0, 1, small) / (1 + small), losses)

    def weights_of(self, ids: Any) -> Any:
        """Return the loss weight of each row of the next batch to be observed, float32 (b,); 1 without weights.

        A tensor on the device of ``ids`` when that is a tensor, else an array.

        Raises:
            SelectionError: when the rows are not those of that batch.
        """
        batches = self._current("weights_of()")
        self._check_batch(ids)
        return as_given(batches.weights(self._done), ids)

    def targets_of(self, ids: Any) -> tuple[Any, Any]:
        """Return what the entries of the next batch to be observed are trained on: targets and weights, float32 (b, L).

        Targets are the labels, but for entries that a policy (``WithEntries``) trains otherwise. The weights are those
        of the entries' losses: 1, those of the policy, and 0 for an unknown entry, whose target then is 0. Both are
        tensors on the device of ``ids`` when that is a tensor, else arrays.

        Raises:
            SelectionError: when the rows are not those of that batch.
        """
        entries = self._current("targets_of()").plan.entries
        self._check_batch(ids)
        rows = integer_array(ids)
        labels = self.selector.label_matrix.dense(rows)
        targets, weights = labels, np.ones(labels.shape, np.float32)
        if entries is not None:
            targets, weights = entries.dense(rows, labels)
        unknown = np.isnan(targets)
        targets, weights = np.where(unknown, np.float32(0), targets), np.where(unknown, np.float32(0), weights)
        return as_given(targets, ids), as_given(weights, ids)

    def end_epoch(self) -> None:
        """Let the selector recompute its law; the next epoch can then be set.

        Raises:
            SelectionError: when the epoch was not iterated, or nothing of it was observed by a method that learns.
        """
        total = len(self._current("end_epoch()"))
        if not self._iterated:
            raise SelectionError(f"end_epoch() before epoch {self._epoch} was iterated")
        if self._done < total and self.selector.uses_observations:
            told = f"{self._done} of the {total} batches of epoch {self._epoch} were observed"
            if self._done == 0:
                raise SelectionError(f"{told}: call observe(ids, probabilities, losses) once a batch")
            warnings.warn(f"{told}; the rows of the others keep their last statistics", stacklevel=2)
        self.selector.end_epoch(self._epoch)
        self._restart(self._epoch + 1, 0)

    def state_dict(self) -> dict[str, Any]:
        """Return the selector's state, the epoch, and how many of its batches were observed (equal on all ranks)."""
        return {
            "schema": _SCHEMA,
            "epoch": self._epoch,
            "observed_batches": self._done,
            "selector": self.selector.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; after ``set_epoch(state["epoch"])`` iterating goes on with the very next batch.

        Raises:
            SelectionError: when the state is of another method, size or schema.
        """
        if state.get("schema") != _SCHEMA:
            raise SelectionError(f"the sampler's state has schema {state.get('schema')!r}, expected {_SCHEMA}")
        self.selector.load_state_dict(state["selector"])
        self._restart(int(state["epoch"]), int(state["observed_batches"]))

    def _restart(self, epoch: int, step: int) -> None:
        self._epoch, self._first, self._done = epoch, step, step
        self._plan, self._iterated = None, False

    def _current(self, doing: str) -> RankBatches:
        if self._plan is None:
            raise SelectionError(f"{doing} needs set_epoch({self._epoch}) first")
        return self._plan

    def _batches(self, batches: RankBatches) -> Iterator[list[int]]:
        # The first batch taken counts as the beginning: a loader with processes asks for two iterators and uses one.
        self._refuse_second_iteration()
        self._iterated = True
        for step in range(self._first, len(batches)):
            yield self._current("iterating").rows(step).tolist()

    def _refuse_second_iteration(self) -> None:
        if self._iterated:
            raise SelectionError(
                f"epoch {self._epoch} was iterated already: call end_epoch(), then set_epoch({self._epoch + 1})"
            )

    def _check_batch(self, ids: Any, **values: np.ndarray) -> None:
        """Refuse rows that are not the next batch's, so that a wrong index never reaches the statistics.

        The values must have a line for each of them.
        """
        batches = self._current("observe()")
        if self._done == len(batches):
            raise SelectionError(f"all {self._done} batches of epoch {self._epoch} were observed already")
        got, expected = integer_array(ids), batches.rows(self._done)
        if not np.array_equal(got, expected):
            raise SelectionError(
                f"batch {self._done} of epoch {self._epoch} has rows {_some(expected)}, got {_some(got)}: give the "
                "data set's indices (WithIndex yields them), every batch once and in order"
            )
        shape = (len(expected), self.selector.n_labels)
        for name, value in values.items():
            if value.shape != shape:
                raise SelectionError(f"{name} must be (rows of the batch, labels) = {shape}, got {value.shape}")


def _some(ids: np.ndarray) -> str:
    shown = ", ".join(str(i) for i in ids.reshape(-1)[:5].tolist())
    return f"[{shown}, ...]" if ids.size > 5 else f"[{shown}]"
