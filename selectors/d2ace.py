"""D2ACE: dual dynamics (uncertainty and hardness) with adaptive correlation enhancement.

Source: *Multi-Label Batch Selection Guided by Dual Dynamics and Adaptive Correlation Enhancement*, IJCAI-ECAI
2026, arXiv 2605.09400; formulas as in its authors' released program [released] where not marked [own].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from . import law, rescoring
from .api import Plan, Selector
from .context import ContextSupport, given_or_found_neighbours, local_context
from .correlation import PairProducts, RelevantEntries, correlations, label_peaks
from .draw import permutation_plan, weighted_plan
from .explain import checked_row, enhancement
from .history import History
from .randomness import generator
from .settings import choice, flag, number, warm_up, whole
from .state import check_header, header, need

_SCHEMA = 1


@dataclass(frozen=True)
class _Scores:
    """What the end of an epoch computed; the names are those of ``diagnostics``."""

    label_weight_uncertainty: np.ndarray
    label_weight_hardness: np.ndarray
    correlation_uncertainty: np.ndarray
    correlation_hardness: np.ndarray
    score_uncertainty: np.ndarray
    score_hardness: np.ndarray


_SCORES = tuple(_Scores.__dataclass_fields__)
_STATE = ("level_uncertainty", "level_hardness", "pressure", "beta")


class D2ACE(Selector):
    """Draws rows by uncertainty and noise-resistant hardness of their labels, both enhanced by correlations.

    Epochs before ``warmup`` are permutations; later ones are drawn from the law frozen at the end of the epoch
    before. Memory: (T + 3) * N * L float32 (the history part halves with ``history_dtype="float16"``).

    Args:
        labels: (N, L) relevance, dense or scipy sparse, entries 0 or 1.
        batch_size: B.
        epochs: length of the run.
        seed: the run's seed.
        features: float (N, d), scaled, for the neighbours; not needed with ``neighbour_ids``, 0 neighbours, or
            without ``correlation``.
        neighbour_ids: int (N, K + 1), the row itself included, instead of ``features``.
        neighbours: K; ignored when ``neighbour_ids`` is given.
        warmup: epochs of plain permutations.
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
        mixture_start: epoch; None: ``warmup``.
        mixture_end: epoch; None: 70 % of ``epochs``, but after ``mixture_start``.
        pressure: s_0, bound of max P / min P within a branch.
        pressure_start: epoch; None: ``warmup``.
        pressure_end: epoch; None: ``epochs``, but after ``pressure_start``.
        variant: "corrected", or "released" for the released program's hardness with its floor of 1.
        history_dtype: "float32" or "float16".

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "d2ace"
    uses_neighbours: ClassVar[bool] = True
    branch_names: ClassVar[tuple[str, ...]] = ("uncertainty", "hardness")

    def __init__(
        self,
        labels: np.ndarray | sparse.spmatrix | sparse.sparray,
        *,
        batch_size: int,
        epochs: int,
        seed: int = 0,
        features: np.ndarray | None = None,
        neighbour_ids: np.ndarray | None = None,
        neighbours: int = 6,
        warmup: int = 10,
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
        mixture_start: int | None = None,
        mixture_end: int | None = None,
        pressure: float = 8.0,
        pressure_start: int | None = None,
        pressure_end: int | None = None,
        variant: str = "corrected",
        history_dtype: str = "float32",
    ) -> None:
        super().__init__(
            labels,
            batch_size=batch_size,
            epochs=epochs,
            seed=seed,
            features=features,
            neighbour_ids=neighbour_ids,
        )
        self.warmup = warm_up(warmup, self.epochs)
        run = {"warmup": self.warmup, "epochs": self.epochs}
        self._mixture = law.mixture_schedule(mixture, mixture_initial, mixture_final, mixture_start, mixture_end, **run)
        self._pressure = law.pressure_schedule(pressure, pressure_start, pressure_end, **run)
        weighted = flag("label_weights", label_weights)
        self._mean_weight = number("label_weight_mean", label_weight_mean) if weighted else 0.0
        self._std_weight = number("label_weight_std", label_weight_std) if weighted else 0.0
        self._correlated = flag("correlation", correlation)
        self.variant = choice("variant", variant, ("corrected", "released"))
        self._floor = 1.0 if self.variant == "released" else 0.0
        self._history = History(
            self.n_rows,
            self.n_labels,
            length=whole("history", history, at_least=1),
            fluctuation_weight=number("fluctuation_weight", fluctuation_weight, low=0.0, high=1.0),
            flip_alpha=number("flip_alpha", flip_alpha, low=0.0, high=1.0),
            dtype=choice("history_dtype", history_dtype, ("float32", "float16")),
        )
        self._entries = RelevantEntries.of(self.labels)
        k = whole("neighbours", neighbours) if self._correlated else 0
        ids = given_or_found_neighbours(self.name, features, neighbour_ids, k, self.n_rows)
        self._context = local_context(self.labels, ids)
        self._products = PairProducts(self._entries)
        self._support = ContextSupport(self._entries, self._context)
        self._rescore(0)

    def reset(self) -> None:
        """Forget all observations: the state right after construction."""
        self._history.reset()
        self._rescore(0)

    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch: a permutation in the warm-up, then weighted draws. Cost O(N log B).

        ``branches`` is 0 where the uncertainty branch chose the draw, 1 where the hardness branch did.
        """
        epoch = whole("epoch", epoch)
        rng = generator(self.seed, "plan", epoch)
        if epoch < self.warmup:
            return permutation_plan(epoch, self.n_rows, self.batch_size, rng)
        shares = (self._beta, 1 - self._beta)
        ids, offsets, branches = weighted_plan(self._weights, shares, self.batch_size, rng)
        return Plan(epoch, ids, offsets, law.mixed(self._weights, shares), branches)

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record what the training forward pass of one batch gave. Cost O(B L T)."""
        self._history.update(ids, probabilities, losses)

    def end_epoch(self, epoch: int) -> None:
        """Recompute scores and the law for the next epoch. Cost O(N L) + O(N c^2) + O(N c |Z_i|)."""
        self._rescore(whole("epoch", epoch))
        self._history.report()

    def diagnostics(self) -> dict[str, Any]:
        """Return what explains the present law; matrices dense (N, L) or (L, L), probabilities (N,).

        Scores, label weights, correlations and probabilities are those of the last ``end_epoch``; uncertainty,
        flip and hardness are of this moment. ``effective_sample_size`` is a share of N, 1 when uniform.
        """
        history = self._history
        return {
            "uncertainty": history.uncertainty.copy(),
            "flip": history.flip.copy(),
            "hardness": rescoring.hardness(history.last_loss, history.flip, self._floor),
            "local_context": self._context.toarray().astype(np.float32),
            **{name: getattr(self._scores, name).copy() for name in _SCORES},
            "p_uncertainty": law.normalised(self._weights[0]),
            "p_hardness": law.normalised(self._weights[1]),
            "p": law.mixed(self._weights, (self._beta, 1 - self._beta)),
            "visits": history.visits.copy(),
            **self.summary(),
        }

    def explain(self, row: int) -> dict[str, Any]:
        """Return what the law makes of one row, label by label. Cost O(N + L c), c labels around the row.

        Right after ``end_epoch``, for each branch: score = sum over labels of label weight * value + bonus; the
        value is ``uncertainty`` or ``hardness``. Level 1 is drawn most, level N least.
        """
        row = checked_row(row, self.n_rows)
        history, scores = self._history, self._scores
        hard = rescoring.hardness(history.last_loss[row], history.flip[row], self._floor)
        found: dict[str, Any] = {
            "prediction": history.window(np.array([row]))[-1, 0],
            "last_loss": history.last_loss[row].copy(),
            "flip": history.flip[row].copy(),
            "uncertainty": history.uncertainty[row].copy(),
            "hardness": hard,
            "visits": int(history.visits[row]),
            "beta": self._beta,
            "pressure": self._s,
            "p": float(law.mixed(self._weights, (self._beta, 1 - self._beta))[row]),
        }
        for branch, level, weight in zip(self.branch_names, self._levels, self._weights, strict=True):
            label_weight = getattr(scores, f"label_weight_{branch}")
            correlation = getattr(scores, f"correlation_{branch}") * self._correlated
            support, bonus = enhancement(self.labels, self._context, row, label_weight * found[branch], correlation)
            found |= {f"label_weight_{branch}": label_weight.copy(), f"support_{branch}": support}
            found |= {f"bonus_{branch}": bonus, f"score_{branch}": float(getattr(scores, f"score_{branch}")[row])}
            found |= {f"level_{branch}": int(level[row]), f"p_{branch}": float(law.normalised(weight)[row])}
        return found

    def summary(self) -> dict[str, Any]:
        """Return the values of ``diagnostics`` that do not grow with N or L^2. Cost O(L)."""
        return {
            "label_weight_uncertainty": self._scores.label_weight_uncertainty.copy(),
            "label_weight_hardness": self._scores.label_weight_hardness.copy(),
            "beta": self._beta,
            "pressure": self._s,
            "effective_sample_size": self._effective_sample_size,
            **self._history.counts(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return history, scores and the frozen law as copies; also right in the middle of an epoch."""
        return {
            **header(self.name, _SCHEMA, self.n_rows, self.n_labels),
            **self._history.state_dict(),
            **{name: getattr(self._scores, name).copy() for name in _SCORES},
            "level_uncertainty": self._levels[0].copy(),
            "level_hardness": self._levels[1].copy(),
            "pressure": self._s,
            "beta": self._beta,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, size or schema."""
        check_header(state, self.name, _SCHEMA, self.n_rows, self.n_labels)
        need(state, [*self._history.state_keys(), *_SCORES, *_STATE])
        self._history.load_state_dict(state)
        self._scores = _Scores(**{name: np.array(state[name]) for name in _SCORES})
        levels = (np.array(state["level_uncertainty"]), np.array(state["level_hardness"]))
        self._freeze(levels, float(state["pressure"]), float(state["beta"]))

    def _rescore(self, epoch: int) -> None:
        history, entries = self._history, self._entries
        moments = rescoring.label_moments(history, self._floor)
        weight_e, weight_h = rescoring.label_weights(moments, self.n_rows, self._mean_weight, self._std_weight)
        at = entries.positions
        relevant_e = history.uncertainty.take(at)
        relevant_h = rescoring.hardness(history.last_loss.take(at), history.flip.take(at), self._floor)
        correlation_e, correlation_h = (self._correlation(values) for values in (relevant_e, relevant_h))
        score_e, score_h = rescoring.row_sums(history, self._floor, weight_e, weight_h)
        if self._correlated:
            support = self._support(correlation_e, correlation_h)
            score_e += self._enhancement(weight_e, relevant_e, support[0])
            score_h += self._enhancement(weight_h, relevant_h, support[1])
        self._scores = _Scores(weight_e, weight_h, correlation_e, correlation_h, score_e, score_h)
        levels = (self._levels_of(score_e), self._levels_of(score_h))
        self._freeze(levels, self._pressure.at(epoch), self._mixture.at(epoch))

    def _freeze(self, levels: tuple[np.ndarray, np.ndarray], pressure: float, beta: float) -> None:
        """Fix the law that plans are drawn from until the next end of an epoch."""
        self._levels, self._s, self._beta = levels, pressure, beta
        self._weights = [law.weights(level, pressure, self.n_rows) for level in levels]
        mixture = law.mixed(self._weights, (beta, 1 - beta))
        self._effective_sample_size = law.effective_sample_size(mixture)

    def _correlation(self, values: np.ndarray) -> np.ndarray:
        peaks = label_peaks(values, self._entries)
        return correlations(self._products(values, peaks, self.n_rows))

    def _enhancement(self, weight: np.ndarray, values: np.ndarray, support: np.ndarray) -> np.ndarray:
        """Return sum_j y_ij v_j E_ij S_ij, float64 (N,)."""
        terms = weight[self._entries.labels.indices] * values * support
        return np.bincount(self._entries.rows, terms, minlength=self.n_rows)

    def _levels_of(self, score: np.ndarray) -> np.ndarray:
        return law.levels(score, float(score.min()), float(score.max()), self.n_rows)
