"""The studies of ``nine_sets.py``: which methods, networks, data sets, folds and seeds, and which rows decide what."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import _common  # noqa: F401  puts the checkout on the path
import numpy as np
import pandas as pd

from d2ace.pipeline.studies.compare import Study
from d2ace.pipeline.studies.compare.values import paired_differences

SMALL = ("emotions", "birds", "cal500", "scene", "yeast", "enron")
LARGE = ("Corel5k", "bibtex", "tmc2007-500")
SETS = SMALL + LARGE

MLP: dict[str, dict[str, Any]] = {"mlp": {"name": "mlp", "options": {"hidden": [512]}}}
# Narrower than the papers' (768 and 256), whose FLOPs would take two cores days.
DEEP: dict[str, dict[str, Any]] = {
    "clif": {"name": "clif", "options": {"hidden": 128}},
    "dela": {"name": "dela", "options": {"hidden": 64}},
}
# A fifth of the papers' 100 epochs at five times their learning rate: the same learning rate x epochs.
BUDGET = {"train": {"epochs": 20, "batch_size": 128}, "optimizer": {"lr": 5e-4, "weight_decay": 1e-4}}
LARGE_BUDGET = {"train": {"epochs": 6}, "optimizer": {"lr": 1e-3}}
"""Of the deep networks on the large sets, over ``BUDGET``."""
PAPERS = {
    "train": {"epochs": 100, "batch_size": 128},
    "optimizer": {"lr": 1e-4, "weight_decay": 1e-4, "warmup_epochs": 10},
}


def d2ace(**options: Any) -> dict[str, Any]:
    """Return D2ACE with settings."""
    return {"name": "d2ace", "preset": "paper", "options": options}


def searched(**options: Any) -> dict[str, Any]:
    """Return D2ACE as the search has it: systematic draws after one epoch."""
    return d2ace(warmup=1, draws="systematic", **options)


def lasting(pressure: float, **options: Any) -> dict[str, Any]:
    """Return D2ACE's hardness branch at a pressure that hardly decays."""
    return searched(pressure=pressure, mixture="hardness", pressure_end=200, **options)


FIRST = searched(mixture="hardness", pressure_end=200, importance=0.5)
"""The setting that the search put first."""

UNIFORM = {"uniform": {"name": "uniform"}}
AHEAD_WITH_CLIF = ("uniform", "hard-imbalance", "d2ace-searched")
"""Uniform, and what was better than it in macro-AUC with CLIF on seed 0."""
MAIN: dict[str, dict[str, Any]] = {
    **UNIFORM,
    "balanced": {"name": "balanced"},
    "loss-rank": {"name": "loss-rank", "options": {"warmup": 2}},
    "hard-imbalance": {"name": "hard-imbalance", "options": {"warmup": 2}},
    "uncertainty": {"name": "uncertainty", "options": {"warmup": 2}},
    "d2ace-released": d2ace(warmup=2, variant="released"),
    "d2ace": d2ace(warmup=2),
    "d2ace-searched": FIRST,
}
SEARCH: dict[str, dict[str, Any]] = {
    **UNIFORM,
    "default": d2ace(warmup=2),
    "systematic s 8": searched(),
    "systematic s 3": searched(pressure=3.0),
    "uncertainty s 64": searched(pressure=64.0, mixture="uncertainty"),
    "hardness s 3": searched(pressure=3.0, mixture="hardness"),
    "hardness s 8": searched(mixture="hardness"),
    "hardness s 64": searched(pressure=64.0, mixture="hardness"),
    "hardness s 64, to 1 at epoch 12": searched(pressure=64.0, mixture="hardness", pressure_end=12),
    "hardness s 500, to 1 at epoch 12": searched(pressure=500.0, mixture="hardness", pressure_end=12),
    "hardness s 8, to 1 at epoch 8": searched(mixture="hardness", pressure_end=8),
    "hardness s 8, hardly decaying": searched(mixture="hardness", pressure_end=200),
    "hardness s 8, from epoch 10 on": d2ace(warmup=10, draws="systematic", mixture="hardness", pressure_end=40),
    "hardness s 20, from epoch 5 on": d2ace(
        warmup=5, draws="systematic", mixture="hardness", pressure=20.0, pressure_end=40
    ),
    "hardness s 8, hardly decaying, importance 1/2": FIRST,
    "hardness s 20, hardly decaying, importance 1/2": lasting(20.0, importance=0.5),
    "hardness s 64, hardly decaying, importance 1/2": lasting(64.0, importance=0.5),
    "hardness s 20, hardly decaying, importance 3/4": lasting(20.0, importance=0.75),
    "s 8, hardly decaying, importance 1/2": searched(pressure_end=200, importance=0.5),
    "20 neighbours, s 8": searched(neighbours=20),
    "20 neighbours, hardness s 8, hardly decaying, importance 1/2": searched(
        neighbours=20, mixture="hardness", pressure_end=200, importance=0.5
    ),
    "hard-imbalance": {"name": "hard-imbalance", "options": {"warmup": 1}},
    "hardness s 64, no correlation": searched(pressure=64.0, mixture="hardness", correlation=False),
    "hardness s 64, no label weights": searched(pressure=64.0, mixture="hardness", label_weights=False),
    "hardness s 8, label weights -8, -4": searched(mixture="hardness", label_weight_mean=-8.0, label_weight_std=-4.0),
    "hardness s 8, importance 1/2": searched(mixture="hardness", importance=0.5),
    "hardness s 64, importance 1/2": searched(pressure=64.0, mixture="hardness", importance=0.5),
    "hardness s 64, importance 1": searched(pressure=64.0, mixture="hardness", importance=1.0),
}
SHORTLIST: dict[str, dict[str, Any]] = {
    **UNIFORM,
    **{
        name: SEARCH[name]
        for name in (
            "hardness s 8, hardly decaying, importance 1/2",
            "hardness s 20, hardly decaying, importance 1/2",
            "hardness s 64, hardly decaying, importance 1/2",
            "hardness s 64, importance 1/2",
            "hardness s 8, hardly decaying",
            "hardness s 20, from epoch 5 on",
            "hardness s 8, from epoch 10 on",
            "s 8, hardly decaying, importance 1/2",
        )
    },
    "hardness s 64, hardly decaying": lasting(64.0),
    "hardness s 500, hardly decaying, importance 1/2": lasting(500.0, importance=0.5),
}
"""From which each data set's own setting is chosen."""
RATES = (1e-3,)
"""Learning rates beside that of ``BUDGET``, to tell whether selection does what a larger step does."""
REPRODUCTION: dict[str, dict[str, Any]] = {**UNIFORM, "d2ace-released": d2ace(variant="released")}

CHOSEN, COMMON = "d2ace-own", "d2ace-common"
"""D2ACE with each data set's own setting, and with the one setting that all share."""
SURE = 1.0
"""Standard errors above uniform that a setting needs on validation rows; else a data set keeps uniform."""


def studies(paths: Mapping[str, str]) -> dict[str, tuple[Study, ...]]:
    """Return the parts of every study whose runs are known beforehand, on prepared data."""

    def make(name: str, sets: tuple[str, ...], networks: Any, methods: Any, **more: Any) -> Study:
        data = {each: {"path": paths[each]} for each in sets}
        return Study.make(
            {"name": name, "data": data, "networks": networks, "methods": methods, "config": BUDGET, **more}
        )

    large = {each: {"path": paths[each], "config": LARGE_BUDGET} for each in LARGE}
    rates = {f"mlp, lr {rate:g}": {**MLP["mlp"], "config": {"optimizer": {"lr": rate}}} for rate in RATES}
    first = {**UNIFORM, "d2ace-searched": FIRST}
    clif, again = {"clif": DEEP["clif"]}, {name: MAIN[name] for name in AHEAD_WITH_CLIF}
    return {
        "main": (make("main", SETS, MLP, MAIN),),
        "networks": (make("networks", SMALL, DEEP, MAIN), make("networks", LARGE, DEEP, MAIN, data=large)),
        "search": (make("search", (*SMALL, "Corel5k"), MLP, SEARCH, folds=3, seeds=[100]),),
        "confirm": (make("confirm", SETS, MLP, first, seeds=[1, 2]),),
        "confirm-clif": (
            make("confirm-clif", SMALL, clif, again, seeds=[1]),
            make("confirm-clif", LARGE, clif, again, seeds=[1], data=large),
        ),
        "rates": (make("rates", SETS, rates, first, seeds=[1]),),
        "choose": (
            make("choose", SMALL, MLP, SHORTLIST, folds=3, seeds=[100, 101, 102]),
            make("choose", LARGE, MLP, SHORTLIST, folds=3, seeds=[100]),
        ),
        "reproduction": (
            make(
                "reproduction",
                ("yeast", "birds-labelled", "scene"),
                {"clif": {"name": "clif"}},
                REPRODUCTION,
                config=PAPERS,
                protocol="papers",
            ),
        ),
    }


class Choice(NamedTuple):
    """What a data set's validation rows chose.

    Attributes:
        setting: name in ``SHORTLIST``; "uniform" where none was surely better.
        best: setting with the largest mean difference.
        difference: its mean paired difference to uniform in validation mAP.
        error: standard error of that mean, over its pairs.
        pairs: (fold, seed).
    """

    setting: str
    best: str
    difference: float
    error: float
    pairs: int


def by_validation(table: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """Return the table with the validation values of some metrics where comparisons look for those of test rows."""
    return table.assign(**{f"test/{metric}": table[f"validation/{metric}"] for metric in metrics})


def validation_gains(table: pd.DataFrame) -> pd.DataFrame:
    """Return the gains over uniform in validation mAP of study ``choose``: one row a data set and setting.

    Columns: data, method, mean, sem, size. Only data sets where every setting of the short list has run.
    """
    validation = by_validation(table, ["map"])
    tried = [method for method in SHORTLIST if method != "uniform" and method in set(table["method"])]
    pairs = [paired_differences(validation, "map", method, "uniform").assign(method=method) for method in tried]
    if not pairs:
        return pd.DataFrame(columns=["data", "method", "mean", "sem", "size"])
    gains = pd.concat(pairs).groupby(["data", "method"])["difference"].agg(["mean", "sem", "size"]).reset_index()
    whole = gains.groupby("data")["method"].transform("size") == len(SHORTLIST) - 1
    return gains[whole & (gains.groupby("data")["size"].transform("min") > 1)]


def choices(table: pd.DataFrame) -> dict[str, Choice]:
    """Return what each data set's rows of study ``choose`` say."""
    gains = validation_gains(table)
    chosen = {}
    for data in (data for data in SETS if data in set(gains["data"])):
        own = gains[gains["data"] == data].set_index("method")
        best = str(own["mean"].idxmax())
        difference, error, pairs = float(own["mean"][best]), float(own["sem"][best]), int(own["size"][best])
        chosen[data] = Choice(best if difference > SURE * error else "uniform", best, difference, error, pairs)
    return chosen


def common_setting(table: pd.DataFrame) -> str | None:
    """Return the setting with the largest signed-rank sum over the data sets; None before all of them have run."""
    gains = validation_gains(table)
    if set(gains["data"]) != set(SETS):
        return None
    wide = gains.pivot(index="data", columns="method", values="mean")
    return str((np.sign(wide) * wide.abs().rank()).sum().idxmax())


def chosen_studies(paths: Mapping[str, str], table: pd.DataFrame) -> tuple[Study, ...]:
    """Return the studies that put what ``choose`` chose against uniform on seeds that decided nothing."""
    common = common_setting(table)
    if common is None:
        return ()
    return tuple(
        Study.make(
            {
                "name": "chosen",
                "data": {data: {"path": paths[data]}},
                "networks": MLP,
                "methods": {**UNIFORM, CHOSEN: SHORTLIST[choice.setting], COMMON: SHORTLIST[common]},
                "config": BUDGET,
                "seeds": [3] if data in LARGE else [3, 4, 5],
            }
        )
        for data, choice in choices(table).items()
    )
