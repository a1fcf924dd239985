"""``explain``: why a row was or was not drawn in an epoch of a run.

L labels, D draws of an epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...selectors import api as selectors
from ...selectors.common.label_matrix import Origin
from ..common.errors import RunError
from ..common.storage.any_path import AnyPath
from ..common.text_table import aligned
from ..data.summary import some
from ..runs.checkpoints import Checkpoint, CheckpointStore
from .replay import SelectionOfRun

_MOST_LABELS = 30


@dataclass(frozen=True)
class Explanation:
    """Everything that decided about one row in one epoch.

    Attributes:
        run: the run folder.
        method: name of the selection method.
        row: row id of the row.
        epoch: from 0, as in ``order/`` and ``metrics.jsonl``.
        source: where the method's state before that epoch came from, in words.
        labels: names of all labels.
        values: float32 (L,), what the data says of them for the row: 0..1, NaN where unknown.
        origins: where each value comes from; None where unknown.
        probability: P of the row, the law every batch of the epoch was drawn by; None where the method has none.
        rank: 1 and the number of rows with a larger probability; None likewise.
        n_rows: training rows.
        batches: the batches of that epoch which hold the row.
        branches: for each of them the branch that chose the row; empty without branches.
        weights: for each of them the row's weight in the loss.
        planned_draws: D, draws of the epoch over all rows.
        permutation: whether every row comes exactly once in the epoch, as in a warm-up.
        draws_before: how often the row was drawn in the epochs before.
        details: what the method itself says of the row (``Selector.explain``): numbers, and arrays (L,).
        branch_names: all branches of the method; ``details`` of a branch end in its name.
    """

    run: AnyPath
    method: str
    row: int
    epoch: int
    source: str
    labels: tuple[str, ...]
    values: np.ndarray
    origins: tuple[Origin | None, ...]
    probability: float | None
    rank: int | None
    n_rows: int
    batches: tuple[int, ...]
    branches: tuple[str, ...]
    weights: tuple[float, ...]
    planned_draws: int
    permutation: bool
    draws_before: int
    details: dict[str, Any]
    branch_names: tuple[str, ...]

    @property
    def relevant(self) -> np.ndarray:
        """Which labels the row has, bool (L,): those of a value of at least 0.5."""
        return self.values >= 0.5

    @property
    def known(self) -> np.ndarray:
        """Which labels are known for the row, bool (L,)."""
        return ~np.isnan(self.values)

    @property
    def chance_of_none(self) -> float | None:
        """How likely the law was not to draw the row at all, taking the draws for independent."""
        return None if self.probability is None else float((1 - self.probability) ** self.planned_draws)

    def __str__(self) -> str:
        has = [name for name, yes in zip(self.labels, self.relevant, strict=True) if yes]
        lines = [
            f"row {self.row}, epoch {self.epoch + 1} of {self.run}, method {self.method}",
            f"labels: {', '.join(has) or ('none' if self.known.all() else 'none known')}",
            *self._unknown(),
            *self._draws(),
            f"state: {self.source}",
        ]
        ends = tuple(f"_{branch}" for branch in self.branch_names)
        lines += self._part({k: v for k, v in self.details.items() if k != "p" and not k.endswith(ends)})
        for branch in self.branch_names:
            end = f"_{branch}"
            own = {k.removesuffix(end): v for k, v in self.details.items() if k.endswith(end)}
            lines += ["", f"{branch} branch", *self._part(own)]
        return "\n".join(lines)

    def _unknown(self) -> list[str]:
        names = [self.labels[j] for j in np.flatnonzero(~self.known)]
        return [f"unknown: {len(names)} of {len(self.labels)} labels: {some(names)}"] if names else []

    def _draws(self) -> list[str]:
        drawn = "not drawn in this epoch"
        if self.batches:
            by = self.branches or ("",) * len(self.batches)
            told = (f"{b}{f' ({name} branch)' if name else ''}" for b, name in zip(self.batches, by, strict=True))
            drawn = f"drawn {_times(len(self.batches))} in this epoch, in batch {', '.join(told)}"
        lines = [f"{drawn}; {_times(self.draws_before)} in the {self.epoch} epochs before"]
        if set(self.weights) - {1.0}:
            lines.append(f"weight in the loss: {', '.join(f'{w:.4g}' for w in self.weights)}")
        if self.probability is None or self.chance_of_none is None:
            law = "every row comes once in this epoch" if self.permutation else "the method draws without such a law"
            return [*lines, f"no probability: {law}"]
        times = self.probability * self.n_rows
        return [
            *lines,
            f"probability {self.probability:.3e} a draw, {times:.3f} times the uniform one; rank {self.rank} of "
            f"{self.n_rows}; chance of none in {self.planned_draws} draws: {self.chance_of_none:.1%}",
        ]

    def _part(self, details: Mapping[str, Any]) -> list[str]:
        """Return the numbers in a line and the arrays (L,) as a table, the row's own labels first."""
        plain = ", ".join(f"{name.replace('_', ' ')} {_short(v)}" for name, v in details.items() if np.ndim(v) == 0)
        columns = {n: v for n, v in details.items() if np.ndim(v) == 1 and len(v) == len(self.labels)}
        if not columns:
            return [plain]
        order = np.argsort(~self.relevant, kind="stable")[:_MOST_LABELS]
        told = any(self.origins)  # all else is GIVEN
        head = ["label", "has it", *(["origin"] if told else []), *(name.replace("_", " ") for name in columns)]
        rows = [
            [self.labels[j], *self._entry(j, told), *(_short(column[j]) for column in columns.values())] for j in order
        ]
        left_out = len(self.labels) - len(order)
        return [plain, "", aligned([head, *rows]), *([f"... and {left_out} labels more"] if left_out else [])]

    def _entry(self, label: int, told: bool) -> list[str]:
        """Return what is known of a label in words, and where from if that is told."""
        value, origin = self.values[label], self.origins[label]
        plain = {0.0: "", 1.0: "yes"}
        has = "unknown" if np.isnan(value) else plain.get(float(value), f"{value:.2f}")
        return [has, "" if origin is None else origin.name.lower().replace("_", " ")] if told else [has]


def explain(run: "str | AnyPath", row: int, epoch: int | None = None, *, data: str | Path | None = None) -> Explanation:
    """Say why a training row was or was not drawn in an epoch, from a recording or a checkpoint; trains nothing.

    With a recording (``run.record_observations=true``) any epoch can be explained: a fresh selector is told what
    the run's was, and its plan must be the one in ``order/``. Without, only epochs at whose start a checkpoint lies.

    Args:
        run: the run folder.
        row: row id of a training row, as in ``order/`` and ``training_rows.npy``.
        epoch: from 0; None for the last one of the run that can be explained.
        data: where the run's data lies now, if it was moved.

    Raises:
        RunError: when the row is no training row, or the epoch cannot be explained; the message names those that can.
    """
    known = SelectionOfRun(run, data)
    position = known.rows.position_of(row)
    epoch, checkpoint = _choose(known, epoch)
    selector = known.selector()
    if checkpoint is not None:
        selector.load_state_dict(checkpoint.selection_state()["selector"])
        source = f"checkpoint {checkpoint.path.name}; without a recording only such epochs can be explained"
    else:
        for earlier in range(epoch):
            known.require_own(selector.plan(earlier))
            known.tell(selector, earlier)
        source = "the run's recorded observations, replayed" if epoch else "the start of the run"
    plan = selector.plan(epoch)
    known.require_own(plan)
    return _explanation(known, selector, plan, position, source)


def _choose(known: SelectionOfRun, epoch: int | None) -> tuple[int, Checkpoint | None]:
    """Return the epoch and the checkpoint to take its state from; None: from the recording, or nothing to know."""
    states = CheckpointStore(known.folder.checkpoints).selection_states()
    checkpoints = {c.epoch: c for c in states if c.step == 0 and c.epoch < known.config.train.epochs}
    replayable = range(min(known.recorded_epochs + 1, known.config.train.epochs))
    possible = sorted({*checkpoints, *replayable})
    if epoch is None:
        epoch = max((e for e in possible if e < known.drawn_epochs), default=0)
    if epoch not in possible:
        raise RunError(
            f"epoch {epoch + 1} of {known.folder.path} cannot be explained, only {_ranges([e + 1 for e in possible])} "
            "(counted from 1, as on the console): the others have "
            "neither recorded observations (run.record_observations=true) nor a checkpoint at their start"
        )
    return epoch, None if epoch in replayable else checkpoints[epoch]


def _explanation(
    known: SelectionOfRun, selector: selectors.Selector, plan: selectors.Plan, position: int, source: str
) -> Explanation:
    draws = np.flatnonzero(plan.ids == position)
    p, branches, weights = plan.probabilities, plan.branches, plan.draw_weights
    names = selector.branch_names
    return Explanation(
        run=known.folder.path,
        method=selector.name,
        row=int(known.rows.row_ids[position]),
        epoch=plan.epoch,
        source=source,
        labels=known.data.labels,
        values=known.labels.dense(np.array([position]))[0],
        origins=tuple(known.labels.origin(position, label) for label in range(len(known.data.labels))),
        probability=None if p is None else float(p[position]),
        rank=None if p is None else 1 + int((p > p[position]).sum()),
        n_rows=len(known.rows),
        batches=tuple((np.searchsorted(plan.offsets, draws, side="right") - 1).tolist()),
        branches=() if branches is None else tuple((*names, "no")[b] for b in branches[draws]),
        weights=tuple([1.0] * len(draws) if weights is None else weights[draws].tolist()),
        planned_draws=len(plan.ids),
        permutation=np.array_equal(np.sort(plan.ids), np.arange(len(known.rows))),
        draws_before=sum(int((known.order(e) == position).sum()) for e in range(min(plan.epoch, known.drawn_epochs))),
        details=selector.explain(position),
        branch_names=names,
    )


def _ranges(epochs: list[int]) -> str:
    """Return numbers in words: 0-3, 7."""
    groups: list[list[int]] = []
    for epoch in epochs:
        if groups and groups[-1][-1] == epoch - 1:
            groups[-1].append(epoch)
        else:
            groups.append([epoch])
    return ", ".join(f"{g[0]}-{g[-1]}" if len(g) > 1 else str(g[0]) for g in groups)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
