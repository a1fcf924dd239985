"""Whether, where and at which settings batch selection helps: nine Mulan data sets, folds, networks, methods.

Four studies share one table, which a stopped run goes on with: ``main`` (every method at a small budget), ``search``
(settings of D2ACE, judged on validation rows only), ``confirm`` (the setting that the search put first against uniform,
on test rows of other seeds) and ``reproduction`` (the papers' protocol beside the figures known from them). Every call
trains what is missing within the minutes given and writes ``benchmarks/RESULTS.md`` from all that is there. Needs the
real data beside the project.

Run: python benchmarks/nine_sets.py [STUDY ...] [--minutes M] [--networks mlp,...] [--data yeast,...]
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _common import ROOT, commit, left_out, machine
from _photographs_part import with_photographs
from _results_page import results_page

from d2ace.pipeline.compare import Study, compare
from d2ace.pipeline.data.prepare import prepare

MULAN = ROOT.parent / "shared" / "data" / "mulan"
TABLE = ROOT / "benchmarks" / "results" / "nine_sets"
SETS = ("emotions", "birds", "cal500", "scene", "yeast", "enron", "Corel5k", "bibtex", "tmc2007-500")
SEARCH_SETS = SETS[:7]

NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "options": {"hidden": [512]}},
    "clif": {"name": "clif"},
    "dela": {"name": "dela"},
}
# A fifth of the papers' 100 epochs at five times their learning rate: the same learning rate x epochs.
BUDGET = {"train": {"epochs": 20, "batch_size": 128}, "optimizer": {"lr": 5e-4, "weight_decay": 1e-4}}
PAPERS = {
    "train": {"epochs": 100, "batch_size": 128},
    "optimizer": {"lr": 1e-4, "weight_decay": 1e-4, "warmup_epochs": 10},
}


def d2ace(**options: Any) -> dict[str, Any]:
    """Return D2ACE with settings."""
    return {"name": "d2ace", "options": options}


def searched(**options: Any) -> dict[str, Any]:
    """Return D2ACE as the search has it: systematic draws after one epoch."""
    return d2ace(warmup=1, draws="systematic", **options)


FIRST = searched(mixture="hardness", pressure_end=200, importance=0.5)
"""The setting that the search put first."""

UNIFORM = {"uniform": {"name": "uniform"}}
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
    "hardness s 8, hardly decaying, importance 1/2": searched(mixture="hardness", pressure_end=200, importance=0.5),
    "hardness s 20, hardly decaying, importance 1/2": searched(
        pressure=20.0, mixture="hardness", pressure_end=200, importance=0.5
    ),
    "hardness s 64, hardly decaying, importance 1/2": searched(
        pressure=64.0, mixture="hardness", pressure_end=200, importance=0.5
    ),
    "hardness s 20, hardly decaying, importance 3/4": searched(
        pressure=20.0, mixture="hardness", pressure_end=200, importance=0.75
    ),
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
REPRODUCTION: dict[str, dict[str, Any]] = {**UNIFORM, "d2ace-released": d2ace(variant="released")}


def main() -> None:
    """Parse, train what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", default=["main", "search", "confirm", "reproduction"])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after that time")
    parser.add_argument("--networks", help="only these, comma-separated")
    parser.add_argument("--data", help="only these, comma-separated")
    options = parser.parse_args()
    if not MULAN.is_dir():
        left_out(f"the real data is not here: {MULAN}")
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: prepared(Path(folder), name) for name in SETS}
        paths["birds-labelled"] = prepared(Path(folder), "birds", drop_unlabelled=True)
        everything = studies(paths)
        for name in options.studies:
            chosen = everything[name].model_copy(
                update={
                    "networks": only(everything[name].networks, options.networks),
                    "data": only(everything[name].data, options.data),
                }
            )
            if chosen.networks and chosen.data:
                compare(chosen, TABLE, minutes=options.minutes, commit=commit())
        tables = {name: compare(study, TABLE, limit=0, quiet=True) for name, study in everything.items()}
    page = ROOT / "benchmarks" / "RESULTS.md"
    page.write_text(with_photographs(results_page(tables, everything, machine()), machine()))
    print(f"written: {page.relative_to(ROOT)}")


def prepared(folder: Path, name: str, **filters: Any) -> str:
    """Prepare a set as the papers do: without labels of 20 positives or fewer."""
    out = folder / f"{name}{'-filtered' if filters else ''}"
    prepare(MULAN / name, out, min_positives=20, **filters)
    return str(out)


def studies(paths: Mapping[str, str]) -> dict[str, Study]:
    """Return the studies on prepared data."""

    def make(name: str, sets: tuple[str, ...], networks: tuple[str, ...], methods: Any, **more: Any) -> Study:
        data = {each: {"path": paths[each]} for each in sets}
        chosen = {each: NETWORKS[each] for each in networks}
        return Study.make({"name": name, "data": data, "networks": chosen, "methods": methods, **more})

    return {
        "main": make("main", SETS, tuple(NETWORKS), MAIN, config=BUDGET),
        "search": make("search", SEARCH_SETS, ("mlp",), SEARCH, config=BUDGET, folds=3, seeds=[100]),
        "confirm": make(
            "confirm", SETS, tuple(NETWORKS), {**UNIFORM, "d2ace-searched": FIRST}, config=BUDGET, seeds=[1, 2]
        ),
        "reproduction": make(
            "reproduction",
            ("yeast", "birds-labelled", "scene"),
            ("clif",),
            REPRODUCTION,
            config=PAPERS,
            protocol="papers",
        ),
    }


def only(entries: Mapping[str, Any], names: str | None) -> dict[str, Any]:
    """Return the entries that a comma-separated list names; all without one."""
    return {name: entry for name, entry in entries.items() if name in names.split(",")} if names else dict(entries)


if __name__ == "__main__":
    main()
