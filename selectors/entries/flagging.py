"""Policies that flag the most suspicious entries, as many as are wrong; they differ in what they do with the flagged.

Source of the idea, to judge by the losses of a whole run and to reject or correct the largest: Kim et al., *Large Loss
Matters in Weakly Supervised Multi-Label Classification*, CVPR 2022 [paper]; judged on the run's state of every entry,
with shares told by planted entries and a gate, is [own].

N rows, L labels, F flagged entries.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.settings import choice, number, whole
from ..common.state import need
from ..plans.entries import EntryTargets
from ..plans.schedules import When
from .chances import PlantedRanks
from .judge import Entries, Suspicion
from .judging import JudgingPolicy

_MANY, _SLACK = 0.4, 0.07
"""Chosen by what the gate sees on training rows: see ``docs/what-did-not-work.md``."""
_RANKS = ("planted_ranks", "planted_labels")


class FlaggingPolicy(JudgingPolicy):
    """Flags, from epoch ``release`` on and after every epoch anew, the entries of each label that look most wrong.

    Until ``release`` some believed entries are planted: trained with the opposite label. How suspicious they look then
    tells how many suspects of each label are wrong (see ``shares.py``); then they get their label back. The number of
    flags rises to that over ``ramp`` epochs. The gate: where few entries are wrong, or flags would find the wrong ones
    hardly better than chance, none is touched, now or later.
    State: a float32 an entry, two int64 a planted one. Cost: O(B L) a batch, O(N L) an epoch.

    Attributes:
        planted: the entries that are trained with the opposite label until ``release``.
        ranks: of these among the suspects when they were released; none before, and where none were planted.

    Args:
        labels: of the training rows.
        suspects: "missing": unknown entries (zeros, where all are known) that may be positives; "wrong": positives
            that may be none.
        plant: share of each label's positives that is planted until ``release``.
        release: when planted entries get their label back and flagging begins: epochs, or a share of the run.
        ramp: epochs until all that are wrong are flagged.
        gate: the least share of wrong entries, among positives and missing ones, at which entries are touched.
        skill: the least skill of the flags, from 0 (chance) to 1, at which entries are touched; .07 less where the
            share of wrong ones is .4 or more, since there is more to win. Both 0: always.
        expected: the share of all suspects that is wrong, where that is known: then nothing is planted, there is no
            gate, and flags do not keep to shares of labels.
        **run: ``epochs`` and ``seed``.

    Raises:
        SelectionError: for settings out of range.
    """

    def __init__(
        self,
        labels: LabelMatrix,
        *,
        suspects: str = "missing",
        plant: float = 0.05,
        release: When = 0.33,
        ramp: int = 3,
        gate: float = 0.1,
        skill: float = 0.6,
        expected: float | None = None,
        **run: Any,
    ) -> None:
        kind = choice("suspects", suspects, ("missing", "wrong"))
        super().__init__(
            labels,
            Suspicion.of_missing(labels) if kind == "missing" else Suspicion.of_wrong(labels),
            release,
            **run,
        )
        self._ramp = whole("ramp", ramp, at_least=1)
        self._gate = number("gate", gate, low=0.0, high=1.0)
        self._least_skill = number("skill", skill, low=0.0, high=1.0)
        self._share = None if expected is None else number("expected", expected, low=0.0, high=1.0)
        share = number("plant", plant, low=0.0, below=1.0)
        self.planted = self.kind.planted(0.0 if self._share is not None else share, self.seed)

    def reset(self) -> None:
        """Forget all observations: nothing is flagged, and entries are planted."""
        super().reset()
        self.ranks = PlantedRanks.of([])
        self._wrong, self._skill = np.full(self.n_labels, np.nan), float("nan")

    def targets(self) -> EntryTargets | None:
        """Return the planted entries until ``release``, then the flagged ones."""
        if self._is_released:
            return super().targets()
        return EntryTargets.at(*self.planted, target=self.kind.faulty) if len(self.planted[0]) else None

    def _judge(self) -> Entries:
        """Count the wrong ones when the planted entries are released, and flag that many of the suspects."""
        grown = min(1.0, (self._done - self._release + 1) / self._ramp)
        if self._share is not None:
            return self.kind.beyond(self.means, grown * self._share)
        if np.isnan(self._wrong).any():
            told = self.kind.estimate(self.means, self.planted)
            self._wrong, self._skill, self.ranks = told.wrong, told.skill, PlantedRanks.of(told.ranks)
        wanted = grown * self._wrong if self._opens() else np.zeros(self.n_labels)
        return self.kind.most_suspicious(self.means, np.rint(wanted))

    def _opens(self) -> bool:
        share = self._wrong_share()
        least = self._least_skill - (_SLACK if share >= _MANY else 0.0)
        return share >= self._gate and self._skill >= least

    def _wrong_share(self) -> float:
        """Return the share of wrong entries among positives and missing ones, or among the positives."""
        wrong, positives = float(self._wrong.sum()), float(self.kind.positives.sum())
        return wrong / max(positives + wrong if self.kind.faulty == 0 else positives, 1.0)

    @property
    def is_planting(self) -> bool:
        """Whether some entries are trained with the wrong label on purpose, still."""
        return not self._is_released and len(self.planted[0]) > 0

    @property
    def wrong(self) -> np.ndarray:
        """About how many suspects of each label are wrong, float64 (L,); NaN while nothing tells."""
        return self._wrong.copy()

    @property
    def tells_chances(self) -> bool:
        """Whether planted entries tell chances: they were told from the others, or next to nothing seems wrong.

        Else ``wrong`` is a bound alone, and may be far above what is wrong [own].
        """
        few = self._wrong_share() < self._gate
        return len(self.ranks) > 0 and (few or self._skill >= self._least_skill)

    def chances(self, label: int, suspects: int) -> np.ndarray:
        """Return how likely the k-th most suspicious of a label's ``suspects`` is wrong, float64 (S,); NaN: unknown."""
        if not self.tells_chances:
            return np.full(suspects, np.nan)
        return self.ranks.chances(label, suspects, float(self._wrong[label]), np.maximum(self.kind.positives, 1))

    def summary(self) -> dict[str, Any]:
        """Return how many entries are planted and flagged, what the gate looks at, and whether it is open.

        ``settled`` is whether the epoch that ended was trained with all flags, or with none for good. Until
        ``release``, and with ``expected``, nothing is told by planted entries: NaN.
        """
        is_open = self._is_released and (self._share is not None or self._opens())
        return {
            "planted": len(self.planted[0]) if self.is_planting else 0,
            "flagged": len(self._flagged[0]),
            "wrong_share": self._wrong_share(),
            "skill": self._skill,
            "settled": self._done > self._release + (self._ramp - 1 if is_open else 0),
            "gate_open": is_open,
            "wrong": self._wrong.copy(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return means, counts and flags, as copies; also right in the middle of an epoch."""
        return {
            **super().state_dict(),
            "skill": self._skill,
            "wrong": self._wrong.copy(),
            **dict(zip(_RANKS, (self.ranks.ranks.copy(), self.ranks.labels.copy()), strict=True)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another policy, size or schema."""
        super().load_state_dict(state)
        need(state, ["skill", "wrong", *(_RANKS if int(state["schema"]) > 1 else ())])
        self._skill, self._wrong = float(state["skill"]), np.array(state["wrong"])
        ranks = [np.array(state[name], np.int64) for name in _RANKS if name in state]
        self.ranks = PlantedRanks(*ranks) if ranks else PlantedRanks.of([])
