"""A sweep in Ray Tune's terms: where points come from, and who decides which trials go on."""

from collections.abc import Mapping
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, PopulationBasedTraining, TrialScheduler
from ray.tune.search import SearchAlgorithm, Searcher
from ray.tune.search.optuna import OptunaSearch

from ...selectors.randomness import generator
from ...tune_spaces.knobs import Choice
from ..metrics import HIGHER_IS_BETTER
from .sweep import Point, Sweep

_STEP, _ANEW = 0.2, 0.25  # of a population: how far a live knob moves in its range, and how often it is drawn anew


def param_space(sweep: Sweep) -> dict[str, Any]:
    """Return what Tune varies: whole points that are known from the start, or shares of each knob for Optuna."""
    if sweep.sampler != "optuna":
        return {"point": tune.grid_search(sweep.points())}
    return {
        "shares": {
            name: tune.choice(list(range(len(knob.values)))) if isinstance(knob, Choice) else tune.uniform(0.0, 1.0)
            for name, knob in sweep.dimensions.items()
        }
    }


def point_of(sweep: Sweep, config: Mapping[str, Any]) -> Point:
    """Return the point that a trial's configuration means."""
    if "point" in config:
        return dict(config["point"])
    shares = config["shares"]
    return {
        name: knob.values[shares[name]] if isinstance(knob, Choice) else knob.at(shares[name])
        for name, knob in sweep.dimensions.items()
    }


def search_algorithm(sweep: Sweep) -> Searcher | SearchAlgorithm | None:
    """Return Optuna's sampler for ``sampler='optuna'``; None takes the points as they are listed."""
    return OptunaSearch(seed=sweep.seed) if sweep.sampler == "optuna" else None


def scheduler(sweep: Sweep, epoch: str) -> TrialScheduler:
    """Return who stops or changes trials.

    Args:
        sweep: the sweep.
        epoch: name of what counts the epochs.
    """
    if sweep.scheduler == "asha":
        return ASHAScheduler(
            time_attr=epoch,
            max_t=sweep.base.train.epochs,
            grace_period=sweep.first_rung,
            reduction_factor=sweep.reduction_factor,
        )
    if sweep.scheduler == "pbt":
        return PopulationBasedTraining(
            time_attr=epoch,
            perturbation_interval=sweep.perturb_interval,
            custom_explore_fn=Explore(sweep),
            log_config=False,
        )
    return FIFOScheduler()


def mode(sweep: Sweep) -> str:
    """Return whether larger scores are better, as Tune says it."""
    return "max" if HIGHER_IS_BETTER[sweep.base.train.monitor] else "min"


class Explore:
    """Changes the live knobs of a member of a population that takes over another's state.

    Args:
        sweep: the sweep.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep, self._number = sweep, 0

    def __call__(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return a configuration with every live knob moved by up to a fifth of its range, or drawn anew."""
        rng, point = generator(self._sweep.seed, "explore", self._number), dict(config["point"])
        self._number += 1
        for name in self._sweep.live:
            knob, share = self._sweep.dimensions[name], float(rng.random())
            if rng.random() >= _ANEW:
                share = min(max(knob.share(point[name]) + _STEP * (2 * share - 1), 0.0), 1.0 - 1e-9)
            point[name] = knob.at(share)
        return {**config, "point": point}
