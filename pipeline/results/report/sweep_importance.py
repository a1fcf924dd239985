"""Which knobs of a sweep made the difference, as far as its trials can tell.

K usable trials, D knobs.
"""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd

from ....selectors.common.randomness import generator
from ...studies.tune.ranking import point_from
from ...studies.tune.table import FAILED
from .sweep_source import SweepSource

_TREES, _REPEATS, _FEWEST = 100, 10, 8


class Importance(NamedTuple):
    """What a random forest learnt about the knobs.

    Attributes:
        epoch: whose scores it is of, from 0.
        trials: how many it learnt from, K.
        r2: out-of-bag R² of the forest; NaN when none was grown.
        means: float (D,), what R² loses when a knob's values are shuffled among the trials, mean over shuffles; NaN for
            a knob that is not ranked.
        spreads: float (D,), its standard deviation over shuffles.
        reason: why there is no ranking; empty when there is one.
    """

    epoch: int
    trials: int
    r2: float
    means: np.ndarray
    spreads: np.ndarray
    reason: str


def importance(source: SweepSource) -> Importance:
    """Return each knob's permutation importance in a random forest (Breiman, Machine Learning 2001, section 10).

    The forest predicts a trial's score at the last epoch that all trials reached that did not fail [own]: so trials
    that were stopped are compared with the others at the same age. Its inputs are the knobs' places in their ranges.
    Knobs of the method are not ranked where not every one of these trials had begun to select by that epoch: they had
    no part in some of the scores. There is no ranking for fewer than 8 trials, of a population, or when the out-of-bag
    R² is not above 0: then the forest says less than the mean of all trials.
    """
    usable = source.table[(source.table["status"] != FAILED) & (source.table["epochs"] > 0)]
    epoch = int(usable["epochs"].min()) - 1 if len(usable) else 0
    scores = np.array([curve[epoch] for curve in usable["curve"]], np.float64)
    acting = _acting(source, usable, epoch)
    reason = _obstacle(usable, scores, epoch, acting)
    means, spreads = np.full((2, len(source.knobs)), np.nan)
    if reason:
        return Importance(epoch, len(usable), float("nan"), means, spreads, reason)
    r2, means[acting], spreads[acting] = _forest(source.places(usable)[:, acting], scores, source.sweep.seed)
    if r2 <= 0:
        reason = (
            f"from the settings of {len(usable)} trials a random forest predicts the score in epoch {epoch + 1} of "
            f"trials that it did not see no better than the mean does (out-of-bag R² {r2:.2f}); any order would be "
            "made up."
        )
    return Importance(epoch, len(usable), r2, means, spreads, reason)


def _acting(source: SweepSource, usable: pd.DataFrame, epoch: int) -> np.ndarray:
    """Return which knobs had a part in every trial's score at an epoch, bool (D,)."""
    starts = [source.sweep.selection_start(point_from(row)) for _, row in usable.iterrows()]
    selecting = all(start is not None and start <= epoch for start in starts)
    return np.array([selecting or "." in name for name in source.knobs])


def _obstacle(usable: pd.DataFrame, scores: np.ndarray, epoch: int, acting: np.ndarray) -> str:
    """Return why no forest can be grown; nothing when one can."""
    if any(len(json.loads(points)) > 1 for points in usable["points"]):
        return "the trials of a population change their settings while they train, so no score is that of one value."
    if len(usable) < _FEWEST:
        return f"expected at least {_FEWEST} trials that did not fail, got {len(usable)}."
    if not acting.any():
        return f"in epoch {epoch + 1}, the last one that all trials reached, not all of them had begun to select."
    if np.ptp(scores) == 0:
        return f"all trials have the same score in epoch {epoch + 1}, the last one that all of them reached."
    return ""


def _forest(places: np.ndarray, scores: np.ndarray, seed: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Return out-of-bag R², and mean and standard deviation of each knob's permutation importance, (D,) each.

    Args:
        places: float (K, D).
        scores: float (K,), not all equal.
        seed: of the sweep.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    state = int(generator(seed, "importance").integers(2**31))
    forest = RandomForestRegressor(_TREES, oob_score=True, random_state=state).fit(places, scores)
    found = permutation_importance(forest, places, scores, n_repeats=_REPEATS, random_state=state)
    return float(forest.oob_score_), found["importances_mean"], found["importances_std"]
