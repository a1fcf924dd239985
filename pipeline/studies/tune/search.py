"""A sweep in Ray Tune's terms: where points come from, and who decides which trials go on."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, PopulationBasedTraining, TrialScheduler
from ray.tune.search import SearchAlgorithm, Searcher
from ray.tune.search.optuna import OptunaSearch

from ....selectors.common.randomness import generator
from ....tune_spaces.knobs import Choice
from ...common.storage.any_path import AnyPath
from ...common.storage.json_files import read_json_lines
from ...training.metrics import HIGHER_IS_BETTER
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


def scheduler(sweep: Sweep, score: str, epoch: str, told: AnyPath) -> TrialScheduler:
    """Return who stops or changes trials.

    Args:
        sweep: the sweep.
        score: name of what is compared.
        epoch: name of what counts the epochs.
        told: ``progress.jsonl``, what trials told before an interruption.
    """
    if sweep.scheduler == "asha":
        return RememberingASHA(
            score,
            told,
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


class RememberingASHA(ASHAScheduler):
    """ASHA that still knows, when a sweep is resumed, what the trials scored that have ended: Tune does not save that.

    Args:
        score: name of what is compared.
        told: ``progress.jsonl``.
        time_attr: name of what counts the epochs.
        **settings: of ASHA.
    """

    def __init__(self, score: str, told: AnyPath, *, time_attr: str, **settings: Any) -> None:
        super().__init__(time_attr=time_attr, **settings)
        self._names, self._told, self._ended = (time_attr, score), told, set[str]()
        self._remembered = False

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Take a trial in; one that comes ended, from before, will tell nothing again."""
        if trial.status == Trial.TERMINATED:
            self._ended.add(trial.trial_id)
        super().on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return whether a trial goes on, compared with all that came this far."""
        if not self._remembered:
            self._remembered = True
            for row in read_json_lines(self._told):
                if row["trial"] in self._ended:
                    values = dict(zip(self._names, (row["epoch"], row["score"]), strict=True))
                    super().on_trial_result(tune_controller, SimpleNamespace(trial_id=row["trial"]), values)
        return super().on_trial_result(tune_controller, trial, result)


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
