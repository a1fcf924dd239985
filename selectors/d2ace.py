"""D2ACE: dual dynamics (uncertainty and hardness) with adaptive correlation enhancement.

Source: *Multi-Label Batch Selection Guided by Dual Dynamics and Adaptive Correlation Enhancement*, IJCAI-ECAI
2026, arXiv 2605.09400; formulas as in its authors' released program [released] where not marked [own].
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .api import Selector
from .common.explain import checked_row
from .common.label_matrix import Labels
from .common.randomness import generator
from .common.settings import choice, flag, number, whole
from .common.state import check_header, header, joined, need
from .history.history import history_settings, normalised_loss
from .history.observations import MISSED_VISITS, warn_unusable
from .neighbours.given import given_or_found_neighbours
from .plans.draw import permutation_plan
from .plans.importance import importance_weights
from .plans.plan import Plan
from .plans.schedules import WARM_UP, MixtureSchedule, PressureSchedule, When, warm_up
from .ranges.explanation import diagnostics, explain, summary
from .ranges.joint_law import draw, freeze, rescore
from .ranges.law_state import LAW_KEYS, loaded_law, saved_law
from .ranges.range_spec import RangeSpec, range_specs
from .ranges.range_state import BRANCHES, RangeState
from .ranges.ranges import LocalRanges, Ranges
from .ranges.snapshot import ELSEWHERE, Snapshot, copied, load_rows
from .ranges.telling import tell_batch, tell_inherited
from .scores.label_pairs import LabelPairs

_SCHEMA = 2  # 1 kept losses as they came


class D2ACE(Selector):
    """Draws rows by uncertainty and noise-resistant hardness of their labels, both enhanced by correlations.

    Epochs before ``warmup`` are permutations; later ones are drawn from the law frozen at the end of the epoch
    before. The defaults are the paper's; configurations take ``presets["recommended"]``, which selects late and gently,
    so as not to lose against uniform [own]. Memory: (T + 3) * N * L float32 (the history part halves with
    ``history_dtype="float16"``), and about 90 bytes a pair of labels: of all pairs up to 1,024 labels, else of those
    that meet in a row.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        features: float (N, d), scaled, for the neighbours; not needed with ``neighbour_ids``, 0 neighbours, or
            without ``correlation``.
        neighbour_ids: int (N, K + 1), the row itself included, instead of ``features``.
        neighbours: K; ignored when ``neighbour_ids`` is given.
        warmup: plain permutations first: epochs (int), or a share of the run (float below 1), as all stages below.
        history: T, predictions kept for each entry.
        fluctuation_weight: lambda, fluctuation against entropy in the uncertainty.
        flip_alpha: weight of the newest change in the flip average.
        label_weight_mean: coefficient of the mean in the label weights.
        label_weight_std: coefficient of the standard deviation in the label weights.
        label_weights: False leaves every label's weight at 1 (the paper's ablation).
        correlation: False leaves out what correlated labels around a row add to its scores (the paper's ablation).
        mixture: "schedule", "uncertainty" or "hardness" for that branch only, or a fixed share of the uncertainty
            branch; the four settings below count only with "schedule".
        mixture_initial: share of the uncertainty branch up to ``mixture_start``.
        mixture_final: its share from ``mixture_end`` on.
        mixture_start: epochs or share; None: after the warm-up.
        mixture_end: epochs or share; None: 70 % of the run, but after ``mixture_start``.
        pressure: s_0, bound of max P / min P within a branch.
        pressure_start: when it begins to fall to 1: epochs or share; None: after the warm-up.
        pressure_end: when it is 1: epochs or share; None: the run's end, but after ``pressure_start``.
        draws: "independent" [released], or "systematic" [own]: every row comes N P times up to rounding, so that
            chance leaves out no row and equal probabilities are a permutation.
        importance: kappa of the loss weights (1 / (N P))^kappa, scaled to a mean of 1, P being the share of the draws
            that a row can expect (``plans/importance.py``): 0 leaves all losses at weight 1 [released], 1 makes the
            weighted gradient that of uniform sampling, with less variance where the law follows the gradients
            [own; Katharopoulos and Fleuret 2018 for the idea].
        variant: "corrected", or "released" for the released program's hardness with its floor of 1.
        history_dtype: "float32" or "float16".
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "d2ace"
    uses_neighbours: ClassVar[bool] = True
    split: ClassVar[str | None] = ".sharded:ShardedD2ACE"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "recommended": {"warmup": 0.6, "draws": "systematic", "importance": 0.5},
        "paper": {"warmup": WARM_UP, "draws": "independent", "importance": 0.0},
    }
    branch_names: ClassVar[tuple[str, ...]] = BRANCHES

    def __init__(
        self,
        labels: Labels,
        *,
        features: np.ndarray | None = None,
        neighbour_ids: np.ndarray | None = None,
        neighbours: int = 6,
        warmup: When = WARM_UP,
        history: int = 5,
        fluctuation_weight: float = 0.5,
        flip_alpha: float = 0.7,
        label_weight_mean: float = 0.5,
        label_weight_std: float = 0.5,
        label_weights: bool = True,
        correlation: bool = True,
        mixture: str | float = "schedule",
        mixture_initial: float = 0.7,
        mixture_final: float = 0.3,
        mixture_start: When | None = None,
        mixture_end: When | None = None,
        pressure: float = 8.0,
        pressure_start: When | None = None,
        pressure_end: When | None = None,
        draws: str = "independent",
        importance: float = 0.0,
        variant: str = "corrected",
        history_dtype: str = "float32",
        **run: Any,
    ) -> None:
        super().__init__(labels, features=features, neighbour_ids=neighbour_ids, **run)
        self.warmup = warm_up(warmup, self.epochs)
        span = {"warmup": self.warmup, "epochs": self.epochs}
        self._mixture = MixtureSchedule.of(mixture, mixture_initial, mixture_final, mixture_start, mixture_end, **span)
        self._pressure = PressureSchedule.of(pressure, pressure_start, pressure_end, **span)
        weighted = flag("label_weights", label_weights)
        self._mean_weight = number("label_weight_mean", label_weight_mean) if weighted else 0.0
        self._std_weight = number("label_weight_std", label_weight_std) if weighted else 0.0
        self._correlated = flag("correlation", correlation)
        self._importance = number("importance", importance, low=0.0, high=1.0)
        self._draws = choice("draws", draws, ("independent", "systematic"))
        self.variant = choice("variant", variant, ("corrected", "released"))
        self._history = history_settings(history, fluctuation_weight, flip_alpha, history_dtype)
        k = whole("neighbours", neighbours) if self._correlated else 0
        ids = given_or_found_neighbours(self.name, features, neighbour_ids, k, self.n_rows)
        self._known = self.label_matrix.known_counts()
        self._pairs = LabelPairs.of(self.labels)
        self._ranges = self._place(self._specs(ids, self._bounds()))
        self._rescore(0)

    @property
    def selection_start(self) -> int | None:
        """The first epoch after the warm-up, unless the pressure is 1 by then."""
        return self._pressure.selects_from(self.warmup, self.epochs)

    def reset(self) -> None:
        """Forget all observations: the state right after construction."""
        self._ranges.restart()
        self._ranges.broadcast(RangeState.reset)
        self._rescore(0)

    def inherit(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Add what an earlier run saw of some rows, and judge all rows by it; see ``Selector.inherit``."""
        super().inherit(rows, earlier)
        tell_inherited(self._ranges, rows, earlier)
        self._rescore(0)

    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch: a permutation in the warm-up, then weighted draws. Cost O(N log B).

        ``branches`` is 0 where the uncertainty branch chose the draw, 1 where the hardness branch did.
        """
        epoch = whole("epoch", epoch)
        rng = generator(self.seed, "plan", epoch)
        if epoch < self.warmup:
            return permutation_plan(epoch, self.n_rows, self.batch_size, rng)
        ids, offsets, branches = draw(self._law, self._ranges, self.batch_size, self._draws, rng)
        weights = importance_weights(self._law.probabilities, ids, self._importance, self.batch_size, self._draws)
        return Plan(epoch, ids, offsets, self._law.probabilities, branches, weights)

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record what the training forward pass of one batch gave. Cost O(B L T)."""
        tell_batch(self._ranges, self.n_labels, ids, probabilities, losses)

    def end_epoch(self, epoch: int) -> None:
        """Recompute scores and the law for the next epoch. Cost O(N L) + O(N c^2) + O(N c |Z_i|)."""
        warn_unusable(*self._rescore(whole("epoch", epoch)))

    def diagnostics(self) -> dict[str, Any]:
        """Return what explains the present law; matrices dense (N, L) or (L, L), probabilities (N,).

        Scores, label weights, correlations and probabilities are those of the last ``end_epoch``; uncertainty,
        flip and hardness are of this moment. ``effective_sample_size`` is a share of N, 1 when uniform.
        """
        return diagnostics(self._law, self._ranges, self._pairs)

    def explain(self, row: int) -> dict[str, Any]:
        """Return what the law makes of one row, label by label. Cost O(L c), c labels around the row.

        Right after ``end_epoch``, for each branch: score = sum over labels of label weight * value + bonus; the
        value is ``uncertainty`` or ``hardness``. Level 1 is drawn most, level N least.
        """
        return explain(self._law, self._ranges, checked_row(row, self.n_rows), correlated=self._correlated)

    def summary(self) -> dict[str, Any]:
        """Return the values of ``diagnostics`` that do not grow with N or L^2. Cost O(L)."""
        return summary(self._law, self._ranges)

    def state_dict(self) -> dict[str, Any]:
        """Return history, scores and the frozen law as copies; also right in the middle of an epoch."""
        return self._state(joined(self._ranges.broadcast(RangeState.state)))

    def snapshot(self) -> Snapshot:
        """Copy the state; of several ranges each keeps the copy of its rows."""
        if len(self._ranges) == 1:
            return super().snapshot()
        return Snapshot(self._state(copied(self._ranges)), self._ranges)

    def _state(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        own = header(self.name, _SCHEMA, self.n_rows, self.n_labels)
        return {**own, **rows, **saved_law(self._law, self._pairs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, size or schema."""
        check_header(state, self.name, _SCHEMA, self.n_rows, self.n_labels)
        self._ranges.restart()
        keys = self._ranges.broadcast(RangeState.state_keys)[0]
        need(state, [*(() if ELSEWHERE in state else keys), *LAW_KEYS])
        if int(state["schema"]) == 1:
            state = {**state, "last_loss": normalised_loss(state["last_loss"])}
        load_rows(self._ranges, state, [*keys, *({MISSED_VISITS} & state.keys())])
        self._law = loaded_law(state, self._ranges, self._pairs)

    def _rescore(self, epoch: int) -> tuple[int, int]:
        """Recompute all; return how many probabilities and losses were unusable since the last time."""
        weights, correlations, unusable = rescore(
            self._ranges,
            self._pairs,
            self.n_rows,
            self._known,
            self._mean_weight,
            self._std_weight,
            correlated=self._correlated,
        )
        self._law = freeze(self._ranges, weights, correlations, self._pressure.at(epoch), self._mixture.at(epoch))
        return unusable

    def _bounds(self) -> np.ndarray:
        """Return where the ranges of rows begin, and N."""
        return np.array([0, self.n_rows])

    def _place(self, specs: list[RangeSpec]) -> Ranges:
        return LocalRanges(specs)

    def _specs(self, neighbour_ids: np.ndarray, bounds: np.ndarray) -> list[RangeSpec]:
        floor = 1.0 if self.variant == "released" else 0.0
        return range_specs(self.label_matrix, neighbour_ids, bounds, self._pairs, floor, self._history)
