"""The studies of ``proof.py``: one a data set, all with the same arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _common import ROOT

from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.studies.compare import Study

DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results"
_QUICK = ("logistic-regression", "classifier-chain", "nearest-neighbours")


@dataclass(frozen=True)
class Set:
    """A data set and what of a study depends on its size.

    Attributes:
        source: below the folder of the real data, or anywhere.
        seeds: of the study's runs.
        epochs: of a run.
        batch_size: of a run.
        tuning_seeds: how many try settings: the fewer validation rows, the more it takes.
        rivals: that fit in minutes.
        scale: of the features; "none" where they are words and most of them 0.
        top_features: share of the features that is kept, those with the largest sums; None: all.
        known: mAP that is known to be reached on it with labels of 20 positives or more.
    """

    source: str | Path
    seeds: int
    epochs: int
    batch_size: int
    tuning_seeds: int = 1
    rivals: tuple[str, ...] = _QUICK
    scale: str = "standard"
    top_features: float | None = None
    known: float | None = None


_BOOSTED = (*_QUICK, "gradient-boosting")
_TOP = 0.02
"""Of very many words. Zhang and Wu, *LIFT: Multi-Label Learning with Label-Specific Features*, TPAMI 2015, keep as
many, by the number of rows that have a word [own: by its sum]."""
SETS: dict[str, Set] = {
    "emotions": Set("mulan/emotions", 10, 40, 64, 3, _BOOSTED),
    "yeast": Set("mulan/yeast", 10, 30, 128, 2),
    "scene": Set("mulan/scene", 10, 30, 128, tuning_seeds=2),
    "bibtex": Set("mulan/bibtex", 10, 25, 128, scale="none", known=0.4145),
    "birds": Set("mulan/birds", 10, 40, 64, tuning_seeds=3, rivals=_BOOSTED),
    "corel16k001": Set("many-labels/corel16k001.npz", 3, 20, 256, scale="none"),
    "enron": Set("mulan/enron", 10, 40, 64, tuning_seeds=2, scale="none"),
    "cal500": Set("mulan/cal500", 10, 40, 64, tuning_seeds=3),
    "Corel5k": Set("mulan/Corel5k", 10, 20, 128, scale="none", known=0.1515),
    "reutersk500": Set("many-labels/reutersk500.npz", 10, 20, 256, scale="none"),
    "stackex_cooking": Set("many-labels/stackex_cooking.npz", 3, 20, 256, scale="none"),
    "tmc2007-500": Set("mulan/tmc2007-500", 3, 15, 256, scale="none"),
    "stackex_chemistry": Set("many-labels/stackex_chemistry.npz", 10, 20, 256, scale="none"),
    "rcv1sub1": Set("many-labels/rcv1sub1.npz", 10, 25, 128, scale="none", top_features=_TOP),
    "yahoo_arts": Set("many-labels/yahoo_arts.npz", 10, 25, 128, scale="none", top_features=_TOP),
    "mirflickr14": Set("mirflickr14/efficientnet-lite0.npz", 10, 12, 256, known=0.803),
    "ccp": Set(RESULTS / "entries" / "full" / "ccp.npz", 10, 20, 128, tuning_seeds=2),
}
"""Of mirflickr14 and ccp, what a pretrained network makes of the photographs; ``_entries_features.py`` writes ccp's."""
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
DECAYS, DROPOUTS = (0.01, 1.0), (0.3, 0.7)
"""All of them are tried with all rates: 20 runs of an arm and tuning seed. A decay of .01 does next to nothing here."""
METHODS: dict[str, dict[str, Any]] = {
    "uniform": {"name": "uniform"},
    "d2ace, paper": {"name": "d2ace", "options": {"draws": "independent", "importance": 0.0, "warmup": 0.1}},
    "d2ace, recommended": {"name": "d2ace", "options": {"draws": "systematic", "importance": 0.5, "warmup": 0.6}},
}
"""All settings that a preset decides are written out, so that a study means the same whatever the defaults are."""


def prepared(name: str, folder: Path) -> Path:
    """Return the prepared data set, labels with 20 positives or more, made if it is not there."""
    if not (folder / name).is_dir():
        one = SETS[name]
        prepare(DATA / one.source, folder / name, min_positives=20, top_features=one.top_features)
    return folder / name


def study_of(
    name: str,
    path: Path,
    methods: Mapping[str, Any] = METHODS,
    *,
    like: str | None = None,
    rivals: bool = True,
    reference: str = "uniform",
    decays: Sequence[float] = DECAYS,
    dropouts: Sequence[float] = DROPOUTS,
    rates: Sequence[float] = RATES,
) -> Study:
    """Return a study of a data set with what ``SETS`` says of it, or of the one that it is ``like``."""
    one = SETS[like or name]
    known: dict[str, Any] = {}
    if one.known is not None and name in SETS:
        known = {"known": {"map": one.known}, "known_from": "an earlier check of this network"}
    seeds = list(range(1000, 1000 + one.tuning_seeds))
    return Study.make(
        {
            "name": f"proof, {name}",
            "data": {name: {"path": str(path), **known}},
            "networks": {"mlp": {"name": "mlp", "options": {"hidden": [512], "dropout": 0.3}}},
            "methods": methods,
            "rivals": {rival: {"name": rival} for rival in one.rivals if rivals},
            "reference": reference,
            "folds": None,
            "seeds": list(range(one.seeds)),
            "tuning": {"rates": rates, "weight_decays": decays, "dropouts": dropouts, "seeds": seeds},
            "config": {
                "data": {"scale": one.scale},
                "optimizer": {"name": "adamw", "schedule": "onecycle"},
                "train": {"epochs": one.epochs, "batch_size": one.batch_size, "monitor": "map"},
            },
        }
    )
