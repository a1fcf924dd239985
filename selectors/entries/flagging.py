"""Policies that flag the most suspicious entries, as many as are wrong; they differ in what they do with the flagged.

Source of the idea, to judge by the losses of a whole run and to reject or correct the largest: Kim et al., *Large Loss
Matters in Weakly Supervised Multi-Label Classification*, CVPR 2022 [paper]; judged on the run's state of every entry,
with shares told by rows that are held out and a gate, is [own].

N rows, L labels, F flagged entries.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..common.errors import SelectionError
from ..common.label_matrix import LabelMatrix
from ..common.settings import choice, number
from ..common.state import need
from ..plans.schedules import When
from .chances import BelievedRanks
from .complete_shares import names_more
from .judge import Entries, Suspicion
from .judging import JudgingPolicy, ramp_of

_SHARE, _SKILL = {"missing": 0.27, "wrong": 0.1}, {"missing": 0.65, "wrong": 0.5}
_MANY, _SLACK = 0.4, 0.05
"""Chosen by what the gate sees on validation rows: see ``docs/what-did-not-work.md``."""
_FEW = 0.1
"""Fewer wrong entries than that are next to none: what is left of a bound where nothing is wrong."""
_RIGHT_MORE_OFTEN = 0.5
"""Where held-out rows are complete, counts are no bounds, and flags need only be right more often than wrong."""
_RANKS = ("believed_ranks", "believed_labels")


class FlaggingPolicy(JudgingPolicy):
    """Flags, from epoch ``release`` on and after every epoch anew, the entries of each label that look most wrong.

    Rows that nothing is trained on, such as validation rows, tell once, right before ``release``, how many suspects of
    each label are wrong (see ``shares.py``). The number of flags rises to that over ``ramp`` epochs. The gate: where
    few entries are wrong, or flags would find the wrong ones hardly better than chance, none is touched, now or later;
    the run is then that of no policy.
    State: a float32 an entry, 16 bytes a believed entry of a held-out row. Cost: O(B L) a batch, O(N L) an epoch.

    Attributes:
        weighs_only: whether flagged entries keep their label, and only weigh less.
        ranks: of the believed entries of held-out rows among the suspects; none before ``release``.

    Args:
        labels: of the training rows.
        suspects: "missing": unknown entries (zeros, where all are known) that may be positives; "wrong": positives
            that may be none.
        release: when flagging begins: epochs, or a share of the run.
        ramp: epochs until all that are wrong are flagged. None: 3, or as many as the run has left.
        gate: the least share of wrong entries, among positives and missing ones, at which entries are touched. None:
            .27 for missing ones, since a network that has learnt little sees up to .25 in complete labels, and .1 for
            wrong ones and where the held-out rows turn out to be complete.
        skill: the least skill of the flags, from 0 (chance) to 1, at which entries are touched; .05 less where the
            share of wrong ones is .4 or more, since there is more to win. None: .65 for missing and .5 for wrong
            ones, and .5 also where the held-out rows are complete. Both 0: always.
        expected: the share of all suspects that is wrong, where that is known: then no rows are held out, there is no
            gate, and flags do not keep to shares of labels.
        **run: ``epochs`` and ``seed``.

    Raises:
        SelectionError: for settings out of range, or suspects that have no loss for a policy that weighs losses alone.
    """

    weighs_only: ClassVar[bool] = False

    def __init__(
        self,
        labels: LabelMatrix,
        *,
        suspects: str = "missing",
        release: When = 0.33,
        ramp: int | None = None,
        gate: float | None = None,
        skill: float | None = None,
        expected: float | None = None,
        **run: Any,
    ) -> None:
        kind = choice("suspects", suspects, ("missing", "wrong"))
        if kind == "missing" and self.weighs_only and not labels.is_complete:
            raise SelectionError(
                f"policy {self.name!r} weighs the losses of suspects, but with suspects='missing' these are the "
                "unknown entries of these labels, which have no loss. Policy 'correct' can work, or suspects='wrong'"
            )
        super().__init__(
            labels,
            Suspicion.of_missing(labels) if kind == "missing" else Suspicion.of_wrong(labels),
            release,
            **run,
        )
        self._ramp = ramp_of(ramp, self._release, self.epochs)
        self._least_share = None if gate is None else number("gate", gate, low=0.0, high=1.0)
        self._least_skill = None if skill is None else number("skill", skill, low=0.0, high=1.0)
        self._share = None if expected is None else number("expected", expected, low=0.0, high=1.0)

    def reset(self) -> None:
        """Forget all observations: nothing is flagged."""
        super().reset()
        self.ranks = BelievedRanks.of([])
        self._wrong, self._skill, self._complete = np.full(self.n_labels, np.nan), float("nan"), False

    @property
    def held_out_after(self) -> int | None:
        """The epoch before ``release``; None where the share of wrong entries is known."""
        return None if self._share is not None else self._release - 1

    def observe_held_out(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Count the wrong suspects of each label. Cost O(n L log n).

        Where missing labels are looked for and the rows name more labels than training rows do, beyond chance, they
        are taken for complete (``complete_shares.py``); else for labelled alike (``shares.py``).

        Raises:
            SelectionError: when the rows have none of the entries that are suspected in the training rows.
        """
        said = LabelMatrix.of(labels)
        held_out = self._suspicion(said)
        self._complete = self._is_complete(held_out)
        if self._complete:
            held_out = Suspicion.of_missing(said, zeros=True)
        elif self.kind.suspects.any() and not held_out.suspects.any():
            raise SelectionError(
                "the held-out rows show nothing of the faults of the training rows: these have unknown labels, and "
                "those have none. Hold out rows that are labelled alike, or say how many are wrong (expected)"
            )
        told = self.kind.estimate(held_out, np.asarray(probabilities, np.float32), complete=self._complete)
        self._wrong, self._skill, self.ranks = told.wrong, told.skill, BelievedRanks.of(told.ranks)

    def _is_complete(self, held_out: Suspicion) -> bool:
        """Return whether held-out rows have all their labels while training rows lack some, as far as can be told.

        Where labels are unknown, rows with an unknown label of their own are not complete, however many they name.
        """
        if self.kind.faulty or (held_out.suspects.any() and not self.labels.is_complete):
            return False
        return names_more(held_out.believed, self.kind.believed)

    def _suspicion(self, labels: LabelMatrix) -> Suspicion:
        """Return the suspicion of other rows that is that of the training rows."""
        return Suspicion.of_wrong(labels) if self.kind.faulty else Suspicion.of_missing(labels, self.labels.is_complete)

    def _judge(self) -> Entries:
        """Flag as many of the suspects as are wrong, or as many of them as the ramp allows."""
        grown = min(1.0, (self._done - self._release + 1) / self._ramp)
        if self._share is not None:
            return self.kind.beyond(self.means, grown * self._share)
        if np.isnan(self._wrong).any():
            raise SelectionError(
                f"policy {self.name!r} counts wrong labels on rows that nothing is trained on: call observe_held_out "
                f"right before end_epoch({self.held_out_after}), or say how many are wrong (expected)"
            )
        if not self._opens():
            return self.kind.most_suspicious(self.means, np.zeros(self.n_labels))
        # Methods for rows may leave some out: of the suspects that were seen, the same share is taken for wrong.
        seen, suspects = self.kind.seen(self.means).sum(axis=0), self.kind.suspects.sum(axis=0)
        wanted = grown * self._wrong * (seen / np.maximum(suspects, 1))
        return self.kind.most_suspicious(self.means, np.rint(wanted))

    def _opens(self) -> bool:
        share = self._wrong_share()
        return share >= self._share_bar() and self._skill >= self._bar(share)

    def _share_bar(self) -> float:
        """Return the least share of wrong entries at which entries are touched."""
        if self._least_share is not None:
            return self._least_share
        return _FEW if self._complete else _SHARE["wrong" if self.kind.faulty else "missing"]

    def _bar(self, share: float) -> float:
        """Return the least skill at which entries are touched, of whose label a share seems wrong."""
        if self._complete and self._least_skill is None:
            return _RIGHT_MORE_OFTEN
        least = _SKILL["wrong" if self.kind.faulty else "missing"] if self._least_skill is None else self._least_skill
        return least - (_SLACK if share >= _MANY and not self._complete else 0.0)

    def _wrong_share(self) -> float:
        """Return the share of wrong entries among positives and missing ones, or among the positives."""
        wrong, positives = float(self._wrong.sum()), float(self.kind.positives.sum())
        return wrong / max(positives + wrong if self.kind.faulty == 0 else positives, 1.0)

    @property
    def wrong(self) -> np.ndarray:
        """About how many suspects of each label are wrong, float64 (L,); NaN while nothing tells."""
        return self._wrong.copy()

    @property
    def tells_chances(self) -> bool:
        """Whether held-out rows tell chances: wrong entries look unlike the others, or next to nothing seems wrong.

        Else ``wrong`` is a bound alone, and may be far above what is wrong [own].
        """
        few = self._wrong_share() < (_FEW if self._least_share is None else self._least_share)
        return len(self.ranks) > 0 and (few or self._skill >= self._bar(0.0))

    def chances(self, label: int, suspects: int) -> np.ndarray:
        """Return how likely the k-th most suspicious of a label's ``suspects`` is wrong, float64 (S,); NaN: unknown."""
        if not self.tells_chances:
            return np.full(suspects, np.nan)
        total = max(int(self.kind.suspects[:, label].sum()), suspects)
        every = self.ranks.chances(label, total, float(self._wrong[label]), np.maximum(self.kind.positives, 1))
        return every[np.arange(suspects) * total // max(suspects, 1)]  # fewer where not all rows were seen

    def summary(self) -> dict[str, Any]:
        """Return how many entries are flagged, what the gate looks at, and whether it is open.

        ``settled`` tells what the epoch that ended was trained with: 1 no flags, 0 some of them, 2 all. Until
        ``release``, and with ``expected``, nothing is counted: NaN.
        """
        is_open = self.is_released and (self._share is not None or self._opens())
        return {
            "flagged": len(self._flagged[0]),
            "wrong_share": self._wrong_share(),
            "skill": self._skill,
            "settled": self._settled(is_open),
            "gate_open": is_open,
            "wrong": self._wrong.copy(),
        }

    def _settled(self, is_open: bool) -> int:
        if not is_open or self._done <= self._release:
            return 1
        return 2 if self._done >= self._release + self._ramp else 0

    def state_dict(self) -> dict[str, Any]:
        """Return means, counts and flags, as copies; also right in the middle of an epoch."""
        return {
            **super().state_dict(),
            "skill": self._skill,
            "complete": self._complete,
            "wrong": self._wrong.copy(),
            **dict(zip(_RANKS, (self.ranks.ranks.copy(), self.ranks.labels.copy()), strict=True)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another policy, size or schema."""
        super().load_state_dict(state)
        schema = int(state["schema"])
        need(state, ["skill", "wrong", *(_RANKS if schema >= 4 else ()), *(("complete",) if schema >= 5 else ())])
        self._skill, self._wrong = float(state["skill"]), np.array(state["wrong"])
        self._complete = bool(state.get("complete", False))  # an older state took all held-out rows for alike
        ranks = BelievedRanks(*(np.array(state[name]) for name in _RANKS)) if schema >= 4 else BelievedRanks.of([])
        self.ranks = ranks
