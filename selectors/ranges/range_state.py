"""One range of D2ACE's rows: what an end of an epoch computes where the rows are, phase by phase.

N rows altogether, n rows of this range, L labels, E relevant entries of the range, C pairs of labels that have a
correlation. Between phases the coordinator (``d2ace.py``) reduces what all ranges returned: sums and maxima of a few
numbers a label, a number a pair of labels. A whole selector is one range; rows are numbered from 0 in every range.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..common.errors import SelectionError
from ..common.state import need
from ..common.threads import each
from ..history.history import History
from ..plans import law
from ..plans.draw import WeightTable
from ..scores import rescoring
from ..scores.context import ContextSupport, enhancement
from ..scores.correlation import PairProducts, RelevantEntries, label_peaks
from .range_spec import RangeSpec

BRANCHES = ("uncertainty", "hardness")


class RangeState:
    """History, scores and law of one range of rows. Every method is one phase, cheap in what it takes and returns."""

    def __init__(self, spec: RangeSpec) -> None:
        self._n_rows, self._floor = spec.n_rows, spec.floor
        self._labels, self._context, self._pairs = spec.labels.positives, spec.context, spec.pairs
        self._history = History(*spec.labels.shape, spec.labels, **spec.history)
        self._entries = RelevantEntries.of(self._labels)
        self._products = PairProducts(self._entries, spec.pairs)
        self._support = ContextSupport(self._entries, spec.context, spec.pairs)
        self._relevant = np.empty((self._labels.nnz, 2), np.float32)  # scratch of an end of an epoch
        self._copy: dict[str, np.ndarray] | None = None

    def reset(self) -> None:
        """Forget all observations."""
        self._history.reset()

    def inherit(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Take over what an earlier run saw of some rows of this range; see ``History.inherit``."""
        self._history.inherit(rows, earlier)

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record the rows of one batch that lie in this range. Cost O(b L T)."""
        self._history.update(ids, probabilities, losses)

    def counts(self) -> dict[str, int]:
        """Return how many entries were unusable or saturated since the start."""
        return self._history.counts()

    def pivots(self) -> np.ndarray:
        """Return typical values of each label, (2, L) float32; those of the first range serve all."""
        return rescoring.pivots(self._history, self._floor)

    def sums(self, pivot: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read all entries; return sums int64 (4, L), largest relevant values (2, L), and fresh unusable counts (2,).

        Sums add over ranges, largest values are reduced by maximum. Cost O(n L).
        """
        sums = rescoring.read_entries(self._history, self._floor, pivot, self._entries, self._n_rows, self._relevant)
        return sums, label_peaks(self._relevant, self._entries), self._history.take_fresh()

    def products(self, peaks: np.ndarray) -> np.ndarray:
        """Return both branches' products of relevant values, int64 (2, C), to be added up. Cost O(n c^2)."""
        return self._products(self._relevant, peaks, self._n_rows)

    def score(self, weights: np.ndarray, correlations: np.ndarray | None) -> np.ndarray:
        """Score the rows by label weights (2, L) and correlations (2, C); return float64 (2, 2) [lowest, highest].

        Without correlations the scores are weighted sums alone. Cost O(n L) + O(n c |Z_i|).
        """
        self._scores = rescoring.row_sums(self._history, self._floor, weights)
        if correlations is not None:
            self._support.add_to(self._scores, self._relevant, weights, correlations)
        return np.stack([self._scores.min(axis=1), self._scores.max(axis=1)], axis=1)

    def level(self, extremes: np.ndarray) -> None:
        """Put every row on its level between the lowest and the highest score of ALL rows, (2, 2)."""
        pairs = zip(self._scores, extremes.tolist(), strict=True)
        self._levels = [law.levels(score, low, high, self._n_rows) for score, (low, high) in pairs]

    def weigh(self, pressure: float) -> list[int]:
        """Turn levels into integer weights; return each branch's total."""
        entries = 4 * len(BRANCHES) * len(self._levels[0])  # an exponential is worth about four of other work
        self._weights = each(lambda level: law.weights(level, pressure, self._n_rows), self._levels, entries)
        self._tables: list[WeightTable | None] = [None for _ in self._weights]
        return [int(weight.sum()) for weight in self._weights]

    def probabilities(self, shares: Sequence[float], totals: Sequence[int]) -> np.ndarray:
        """Return the mixture's probabilities, float64 (n,), for the totals of ALL rows."""
        return law.mixed(self._weights, shares, totals)

    def find(self, branch: int, points: np.ndarray) -> np.ndarray:
        """Return the row each point of the cumulative weights falls on, int64; points count from this range's start."""
        return self._table(branch).find(points)

    def owned(self, branch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights of some rows, and where their points end, int64 each, counted from this range's start."""
        return self._table(branch).owned(rows)

    def state(self) -> dict[str, Any]:
        """Return copies of history, scores and levels."""
        arrays = self._history.state_dict()
        for branch, score, level in zip(BRANCHES, self._scores, self._levels, strict=True):
            arrays |= {f"score_{branch}": score.copy(), f"level_{branch}": level.copy()}
        return arrays

    def copy(self) -> dict[str, int]:
        """Copy the state for ``take_copy``; return its counts, which are no arrays."""
        state = self.state()
        self._copy = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
        return {key: value for key, value in state.items() if key not in self._copy}

    def take_copy(self) -> dict[str, np.ndarray]:
        """Return the arrays that ``copy`` copied, which are forgotten here; for any thread, beside other phases.

        Raises:
            SelectionError: when there is none, for this range was started anew in between.
        """
        copy, self._copy = self._copy, None
        if copy is None:
            raise SelectionError("a row range was started anew and has no copy of its state")
        return copy

    def state_keys(self) -> list[str]:
        """Return the keys of ``state``."""
        return [*self._history.state_keys(), *(f"{kind}_{b}" for b in BRANCHES for kind in ("score", "level"))]

    def load(self, state: Mapping[str, Any], stored: Any = None) -> None:
        """Restore ``state()``; raises SelectionError when an array is missing, or has another shape or dtype.

        Args:
            state: without what is stored.
            stored: the ``StoredRows`` of this range, to be read here, or None.
        """
        if stored is not None:
            state = {**state, **stored.load()}
            need(state, self.state_keys())
        self._history.load_state_dict(state)
        self._scores = np.array([state[f"score_{branch}"] for branch in BRANCHES])
        self._levels = [np.array(state[f"level_{branch}"]) for branch in BRANCHES]

    def diagnostics(self, totals: Sequence[int]) -> dict[str, np.ndarray]:
        """Return copies of what is known of every row; matrices (n, L), vectors (n,)."""
        history = self._history
        found = {
            "uncertainty": history.uncertainty.copy(),
            "flip": history.flip.copy(),
            "hardness": rescoring.known_hardness(history, slice(None), self._floor),
            "local_context": self._context.toarray().astype(np.float32),
            "visits": history.visits.copy(),
        }
        for branch, score, weight, total in zip(BRANCHES, self._scores, self._weights, totals, strict=True):
            found |= {f"score_{branch}": score.copy(), f"p_{branch}": weight / float(total)}
        return found

    def explain(self, row: int, weights: np.ndarray, correlations: np.ndarray, totals: Sequence[int]) -> dict[str, Any]:
        """Return one row's part of ``D2ACE.explain``, for label weights (2, L) and correlations (2, C)."""
        history, at = self._history, slice(row, row + 1)
        found: dict[str, Any] = {
            "prediction": history.window(np.array([row]))[-1, 0],
            "last_loss": -np.log1p(-history.last_loss[row]),
            "flip": history.flip[row].copy(),
            "uncertainty": history.uncertainty[row].copy(),
            "hardness": rescoring.known_hardness(history, at, self._floor)[0],
            "visits": int(history.visits[row]),
        }
        for number, branch in enumerate(BRANCHES):
            weighted = weights[number] * found[branch]
            support, bonus = enhancement(self._labels, self._context, self._pairs, row, weighted, correlations[number])
            found |= {f"support_{branch}": support, f"bonus_{branch}": bonus}
            found |= {
                f"score_{branch}": float(self._scores[number, row]),
                f"level_{branch}": int(self._levels[number][row]),
            }
            found[f"p_{branch}"] = float(self._weights[number][row] / totals[number])
        return found

    def _table(self, branch: int) -> WeightTable:
        table = self._tables[branch]
        if table is None:
            table = self._tables[branch] = WeightTable(self._weights[branch])
        return table
