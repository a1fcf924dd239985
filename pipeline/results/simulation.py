"""``simulate``: what another selection method would have drawn from what a run saw.

N training rows, L labels, E recorded epochs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ...selectors.api import Selector
from ...selectors.common.label_matrix import LabelMatrix
from ..common.errors import RunError
from ..common.storage.any_path import AnyPath
from ..common.text_table import aligned
from .replay import SelectionOfRun

_MOST_LABELS = 30


@dataclass(frozen=True)
class Selected:
    """What a method draws over all recorded epochs.

    Attributes:
        method: its name.
        draws: int64 (N,), how often each row comes.
        exposure: int64 (L,), positives of each label in all batches.
        effective_sample_size: float64 (E,), 1 / (N sum P^2) of each epoch's law, or of its draws without one.
    """

    method: str
    draws: np.ndarray
    exposure: np.ndarray
    effective_sample_size: np.ndarray


@dataclass(frozen=True)
class Simulation:
    """Both methods over the same recorded epochs; ``str`` gives a table.

    Attributes:
        run: the run folder.
        epochs: E.
        labels: names of all labels.
        positives: int64 (L,), training rows that have each label.
        own: the run's own method, as it happened.
        other: the other method.
    """

    run: AnyPath
    epochs: int
    labels: tuple[str, ...]
    positives: np.ndarray
    own: Selected
    other: Selected

    @property
    def shared_draws(self) -> float:
        """Share of the run's draws whose row the other method draws, too, as often as both do."""
        return float(np.minimum(self.own.draws, self.other.draws).sum() / self.own.draws.sum())

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation between the two draw counts of the rows; nan when one method draws all alike."""
        ranks = [rankdata(s.draws) - (len(s.draws) + 1) / 2 for s in (self.own, self.other)]
        norm = np.sqrt(np.square(ranks[0]).sum() * np.square(ranks[1]).sum())
        return float(ranks[0] @ ranks[1] / norm) if norm else float("nan")

    def __str__(self) -> str:
        both = (self.own, self.other)
        rows = [
            ["", f"{self.own.method} (the run)", self.other.method],
            ["draws", *(str(s.draws.sum()) for s in both)],
            ["rows never drawn", *(str((s.draws == 0).sum()) for s in both)],
            ["most draws of a row", *(str(s.draws.max()) for s in both)],
            ["standard deviation of draws", *(f"{s.draws.std():.3f}" for s in both)],
            ["effective sample size, mean", *(f"{s.effective_sample_size.mean():.4f}" for s in both)],
            ["effective sample size, least", *(f"{s.effective_sample_size.min():.4f}" for s in both)],
        ]
        return "\n".join(
            [
                f"{self.epochs} recorded epochs of {self.run}",
                aligned(rows),
                f"draws in common {self.shared_draws:.1%}, rank correlation of draws {self.rank_correlation:.3f}",
                "",
                "positives seen of each label, largest change first",
                self._exposure_table(),
            ]
        )

    def _exposure_table(self) -> str:
        own, other = self.own.exposure, self.other.exposure
        ratio = np.divide(other, own, out=np.ones(len(own)), where=own > 0)
        order = np.argsort(-np.abs(ratio - 1), kind="stable")[:_MOST_LABELS]
        rows = [["label", "training rows", self.own.method, self.other.method, "ratio"]]
        rows += [[self.labels[j], str(self.positives[j]), str(own[j]), str(other[j]), f"{ratio[j]:.3f}"] for j in order]
        left_out = len(own) - len(order)
        return aligned(rows) + (f"\n... and {left_out} labels more" if left_out else "")


def simulate(
    run: "str | AnyPath", method: str, options: Mapping[str, Any] | None = None, *, data: str | Path | None = None
) -> Simulation:
    """Let another method plan the recorded epochs of a run, told what the run saw; trains nothing.

    The other method's plans are compared with what the run drew. It is NOT what a training run with that method would
    draw: the predictions are those of a network that learnt from the run's own batches, and they exist only for rows
    that the run drew, so rows that only the other method wants keep old statistics. A run with ``uniform`` and
    ``run.record_observations=true`` sees every row in every epoch and is the fairest to replay. The selector is
    deterministic: the run's own method and settings give the run's own draws, which is checked.

    Args:
        run: the folder of a run with ``run.record_observations=true``.
        method: name of a registered method; the run's own with other settings is one, too.
        options: its settings.
        data: where the run's data lies now, if it was moved.

    Raises:
        RunError: when nothing is recorded, or the recording does not fit the run.
        ConfigError: for an unknown method or setting.
    """
    known = SelectionOfRun(run, data)
    epochs = known.recorded_epochs
    if not epochs:
        raise RunError(
            f"{known.folder.path}: no observations are recorded; train with run.record_observations=true to simulate"
        )
    other, own = known.selector(method, options), known.selector()
    return Simulation(
        run=known.folder.path,
        epochs=epochs,
        labels=known.data.labels,
        positives=_exposure(known.labels, np.ones(len(known.rows), np.int64)),
        own=_replayed(known, own, check=True),
        other=_replayed(known, other, check=False),
    )


def _replayed(known: SelectionOfRun, selector: Selector, *, check: bool) -> Selected:
    draws, sizes = np.zeros(len(known.rows), np.int64), []
    for epoch in range(known.recorded_epochs):
        plan = selector.plan(epoch)
        if check:
            known.require_own(plan)
        draws += np.bincount(plan.ids, minlength=len(draws))
        sizes.append(plan.effective_sample_size(len(draws)))
        known.tell(selector, epoch)
    return Selected(selector.name, draws, _exposure(known.labels, draws), np.array(sizes))


def _exposure(labels: LabelMatrix, draws: np.ndarray) -> np.ndarray:
    """Return how many known positives of each label the draws show, int64 (L,)."""
    return np.asarray(draws @ labels.positives.astype(np.int64)).ravel()
