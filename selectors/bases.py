"""Methods whose plans follow from what the end of an epoch froze: state, resumption and the shared law, once.

N rows, L labels, B batch size.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .api import Selector
from .common.label_matrix import Labels
from .common.randomness import generator
from .common.settings import whole
from .common.state import check_header, header, need
from .history.observations import Observations
from .plans import law
from .plans.draw import permutation_plan, weighted_plan
from .plans.plan import Plan, effective_sample_size
from .plans.schedules import WARM_UP, PressureSchedule, When, warm_up

Frozen = dict[str, Any]
_BLOCK_ROWS = 4096


class FrozenSelector(Selector):
    """Records observations as they come, and changes its plans only at the end of an epoch.

    A subclass calls ``_begin`` last in its constructor, and says in ``_rescore`` what it freezes (NumPy arrays and
    floats under the names in ``frozen``) and in ``_freeze`` what follows from that.
    """

    schema: ClassVar[int] = 1
    frozen: ClassVar[tuple[str, ...]]
    _seen: Observations

    def _begin(self, record: Observations) -> None:
        """Take an empty record of observations; everything that ``_rescore`` needs is there."""
        self._seen = record
        self.reset()

    @abstractmethod
    def _rescore(self, epoch: int) -> Frozen:
        """Return what plans depend on until the next end of an epoch."""

    def _freeze(self, frozen: Frozen) -> None:
        self._frozen = frozen

    def _rng(self, epoch: int) -> np.random.Generator:
        return generator(self.seed, "plan", epoch)

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record what the training forward pass of one batch gave. Cost O(B L)."""
        self._seen.update(ids, probabilities, losses)

    def end_epoch(self, epoch: int) -> None:
        """Rescore all rows with the schedule values of ``epoch``, and warn once of entries that were unusable."""
        self._freeze(self._rescore(whole("epoch", epoch)))
        self._seen.report()

    def inherit(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Add what an earlier run saw of some rows, and judge all rows by it; see ``Selector.inherit``."""
        super().inherit(rows, earlier)
        self._seen.inherit(rows, earlier)
        self._freeze(self._rescore(0))

    def reset(self) -> None:
        """Forget all observations: the state right after construction."""
        self._seen.reset()
        self._freeze(self._rescore(0))

    def state_dict(self) -> dict[str, Any]:
        """Return observations and what is frozen, as copies; also right in the middle of an epoch."""
        return {
            **header(self.name, self.schema, self.n_rows, self.n_labels),
            **self._seen.state_dict(),
            **{name: _copy(self._frozen[name]) for name in self.frozen},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, size or schema."""
        check_header(state, self.name, self.schema, self.n_rows, self.n_labels)
        need(state, [*self._seen.state_keys(), *self.frozen])
        self._seen.load_state_dict(state)
        self._freeze({name: _copy(state[name]) for name in self.frozen})


class LawSelector(FrozenSelector):
    """One score a row, the law all methods share under a constant pressure, and a warm-up of plain permutations.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        warmup: plain permutations first: epochs (int), or a share of the run (float below 1).
        pressure: s, bound of max P / min P.
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    frozen: ClassVar[tuple[str, ...]] = ("score", "pressure")

    def __init__(self, labels: Labels, *, warmup: When = WARM_UP, pressure: float = 8.0, **run: Any) -> None:
        super().__init__(labels, **run)
        self.warmup = warm_up(warmup, self.epochs)
        self._pressure = PressureSchedule.constant(pressure, self.epochs)

    @property
    def selection_start(self) -> int | None:
        """The first epoch after the warm-up, unless the pressure is 1 by then."""
        return self._pressure.selects_from(self.warmup, self.epochs)

    @abstractmethod
    def _score_of(self, rows: slice) -> np.ndarray:
        """Return the scores of some rows, float64 (n,); rows that are alike must get the very same bits."""

    def _levels(self, score: np.ndarray) -> np.ndarray:
        """Return the level of every row, (N,); the law falls with the level."""
        return law.levels(score, float(score.min()), float(score.max()), self.n_rows)

    def _rescore(self, epoch: int) -> Frozen:
        score = np.empty(self.n_rows)
        for start in range(0, self.n_rows, _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            score[rows] = self._score_of(rows)
        return {"score": score, "pressure": self._pressure.at(epoch)}

    def _freeze(self, frozen: Frozen) -> None:
        super()._freeze(frozen)
        self._level = self._levels(frozen["score"])
        self._weights = law.weights(self._level, float(frozen["pressure"]), self.n_rows)
        self._effective_sample_size = effective_sample_size(law.normalised(self._weights))

    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch: a permutation in the warm-up, then weighted draws. Cost O(N log B)."""
        epoch = whole("epoch", epoch)
        if epoch < self.warmup:
            return permutation_plan(epoch, self.n_rows, self.batch_size, self._rng(epoch))
        ids, offsets = self._draw(self._rng(epoch))
        return Plan(epoch, ids, offsets, law.normalised(self._weights))

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids (N,) and offsets (M + 1,) of an epoch after the warm-up."""
        ids, offsets, _ = weighted_plan([self._weights], (1.0,), self.batch_size, rng)
        return ids, offsets

    def diagnostics(self) -> dict[str, Any]:
        """Return score, level, probability ``p`` and ``visits`` of every row, (N,) each, and the summary.

        Score, level and probability are those of the last ``end_epoch``, visits of this moment.
        """
        return {
            "score": self._frozen["score"].copy(),
            "level": self._level.copy(),
            "p": law.normalised(self._weights),
            "visits": self._seen.visits.copy(),
            **self.summary(),
        }

    def summary(self) -> dict[str, Any]:
        """Return pressure, effective sample size (a share of N, 1 when uniform), and counts of unusable entries."""
        return {
            "pressure": float(self._frozen["pressure"]),
            "effective_sample_size": self._effective_sample_size,
            **self._seen.counts(),
        }


class FallingPressureSelector(LawSelector):
    """The same with a pressure that falls to 1.

    Args:
        labels: as for ``LawSelector``.
        pressure: s_0, the pressure before it falls.
        pressure_start: when it begins to fall: epochs, or a share of the run; None: after the warm-up.
        pressure_end: when it is 1: epochs, or a share of the run; None: at the run's end.
        **settings: ``warmup`` and what else ``LawSelector`` takes.

    Raises:
        SelectionError: as ``LawSelector``.
    """

    def __init__(
        self,
        labels: Labels,
        *,
        pressure: float = 8.0,
        pressure_start: When | None = None,
        pressure_end: When | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(labels, pressure=pressure, **settings)
        self._pressure = PressureSchedule.of(
            pressure, pressure_start, pressure_end, warmup=self.warmup, epochs=self.epochs
        )


def _copy(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else value
