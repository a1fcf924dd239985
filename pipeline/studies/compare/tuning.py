"""Settings of every arm, chosen on validation rows with the same budget, before the study's own runs.

Each arm tries the same grid with the same tuning seeds. What is best on its validation rows, in the best epoch and as a
mean over these seeds, is what all its folds and seeds are trained with. Test rows are not looked at.
"""

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from ... import models
from ...common.config.sections import OptimizerSection
from ...common.errors import ConfigError
from ...data.manifest import Manifest
from .rivals import api as rivals
from .study import Arm, Study, StudyRun
from .tuning_grid import Chosen, Settings, combinations
from .values import better_sign, judged_epoch


def tuning_runs(study: Study) -> Iterator[StudyRun]:
    """Yield the runs that try settings, arm by arm; none for a study without tuning.

    Raises:
        ConfigError, DataError: as ``Study.runs``.
    """
    if study.tuning is None:
        return
    fold = None if study.folds is None else 0
    for data in study.data:
        fingerprint = Manifest.load(study.data[data].path).fingerprint()
        for network in study.networks:
            for method in study.arms():
                for settings in combinations(_grid(study, Arm(data, network, method))):
                    for seed in study.tuning.seeds:
                        arm, tried = Arm(data, network, method), json.dumps(settings, sort_keys=True)
                        yield study.run_of(arm, fold, seed, fingerprint, settings, tried)


def chosen_settings(study: Study, tried: pd.DataFrame) -> dict[Arm, Chosen]:
    """Return what tuning chose for every arm whose runs have all ended; an arm whose runs all failed is left out.

    Settings with a failed run, or without a number, are not chosen; of equal ones the first of the grid is.

    Args:
        study: with tuning.
        tried: rows of its tuning runs that have ended.
    """
    assert study.tuning is not None
    chosen = {}
    for names, rows in tried.groupby(["data", "network", "method"], sort=False):
        arm = Arm(*map(str, names))
        grid = _grid(study, arm)
        tries = [json.dumps(settings, sort_keys=True) for settings in combinations(grid)]
        if len(rows) < len(tries) * len(study.tuning.seeds):
            continue
        means = rows.assign(value=_values(rows)).groupby("tuned")["value"].agg(lambda part: part.mean(skipna=False))
        means = means.reindex(tries)
        if means.notna().any():
            best = str((better_sign(_monitor(rows)) * means).idxmax())
            settings = json.loads(best)
            chosen[arm] = Chosen(settings, len(rows), float(means[best]), _at_end(settings, grid))
    return chosen


def _values(rows: pd.DataFrame) -> list[float]:
    """Return the monitored validation value of every run in the epoch that is judged; NaN for one that failed.

    What a policy for entries did with a setting does not count: settings under which it flags more are no better [own;
    ``docs/what-did-not-work.md``].
    """
    column = f"validation/{_monitor(rows)}"
    return [
        float("nan") if pd.notna(row["error"]) else float(np.asarray(row[column])[judged_epoch(row)])
        for row in rows.to_dict("records")
    ]


def _monitor(rows: pd.DataFrame) -> str:
    """Return the monitored metric of an arm's runs; any where all failed."""
    known = rows["monitor"].dropna()
    return str(known.iloc[0]) if len(known) else "map"


def _grid(study: Study, arm: Arm) -> dict[str, tuple[float, ...]]:
    """Return what is tried for an arm; a rival tries at most as many settings of its own as the network's methods."""
    assert study.tuning is not None
    try:
        has_dropout = _has_dropout(study.networks[arm.network].name)
    except ConfigError as error:
        raise ConfigError(f"{study.source}: networks.{arm.network}: {error}") from None
    grid = study.tuning.grid(has_dropout, _optimizer(study, arm))
    if arm.method not in study.rivals:
        return grid
    rival = study.rivals[arm.method]
    own = rivals.get(rival.name).grid(math.prod(map(len, grid.values())))
    return {key: values for key, values in own.items() if key not in rival.options}


def _optimizer(study: Study, arm: Arm) -> str:
    """Return the name of an arm's optimizer, as it is given; whether there is such a one is checked with the run."""
    section = study.settings_of(arm.data, arm.network).get("optimizer")
    default = OptimizerSection.model_fields["name"].default
    return str(section.get("name", default) if isinstance(section, Mapping) else default)


@lru_cache
def _has_dropout(network: str) -> bool:
    return "dropout" in models.options(network)


def _at_end(settings: Settings, grid: dict[str, tuple[float, ...]]) -> tuple[str, ...]:
    ends = {key: (min(values), max(values)) for key, values in grid.items() if len(values) > 2}
    return tuple(key for key in ends if settings[key] in ends[key])
