"""Would rates beyond those of ``proof.py`` make its baselines stronger? The same studies, with rates of up to 0.1.

On eight sets of the strong baselines an arm chose the largest rate that was tried. Here 0.1 is tried instead of the
smallest rate, which no arm chose, so every arm has as many settings as there, and everything else is as there.

Runs are kept in ``results/higher_rates/full/``, outside git; runs of ``results/proof/full/`` that are copied there are
not trained again. What the page ``docs/results/higher-rates.md`` shows is kept in ``results/higher_rates.json``.

Run: python benchmarks/higher_rates.py [--minutes M] [--only emotions,...] [--parallel N] [--page]
"""

from _common import PAGES, one_thread

one_thread()

import json  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from _kept_studies import KeptStudies  # noqa: E402
from _proof_studies import METHODS, RATES, RESULTS, prepared, study_of  # noqa: E402

from d2ace.pipeline.studies.compare.summary import markdown_table  # noqa: E402

NAMES = ("emotions", "yeast", "scene", "birds", "cal500", "reutersk500", "stackex_chemistry", "mirflickr14")
HIGHER = (*RATES[1:], 0.1)
ABOUT = """# Rates beyond those of the strong baselines

Written by `python benchmarks/higher_rates.py --page` from `benchmarks/results/higher_rates.json`.

On these sets of [the strong baselines](strong-baselines.md) an arm chose the largest rate that was tried, 0.03.
Here 0.1 is tried instead of 0.0003, which no arm chose; all else is as there. For every arm: the rate that
validation rows choose there and here, test mAP there and here (mean ± standard deviation over ten seeds), and its
difference from uniform. Where no arm chose 0.1 all runs are the same."""


def write(kept: Mapping[str, Any]) -> str:
    """Return the page: a table with a row for each set and arm, beside what the strong baselines have."""
    there = json.loads((RESULTS / "proof.json").read_text())["sets"]
    rows = [["data", "arm", "rate there", "rate here", "mAP there", "here", "from uniform there", "here"]]
    for name, one in kept["sets"].items():
        rows += [_row(name, arm, there[name]["runs"], one["runs"]) for arm in METHODS]
    processors = sorted({one["machine"]["cpu"] for one in kept["sets"].values()})
    commits = sorted({str(run["commit"]) for one in kept["sets"].values() for run in one["runs"]})
    return f"{ABOUT}\n\n{markdown_table(rows)}\n\n{', '.join(processors)}, 2 cores; commits {', '.join(commits)}.\n"


def _row(name: str, arm: str, *studies: list[dict[str, Any]]) -> list[str]:
    rates, values, gains = [], [], []
    for runs in studies:
        mine, uniform = ([run for run in runs if run["method"] == method] for method in (arm, "uniform"))
        rates.append(f"{json.loads(mine[0]['tuned'])['settings']['optimizer.lr']:g}")
        values.append(f"{_values(mine).mean():.4f} ± {_values(mine).std(ddof=1):.4f}")
        gains.append(_values(mine).mean() - _values(uniform).mean())
    differences = ["" if arm == "uniform" else f"{gain:+.4f}" for gain in gains]
    return [name, arm, *rates, *values, *differences]


def _values(runs: list[dict[str, Any]]) -> np.ndarray:
    return np.array([run["test"]["map"] for run in runs])


HIGHER_RATES = KeptStudies(
    kept=RESULTS / "higher_rates.json",
    page=PAGES / "higher-rates.md",
    write=write,
    study=lambda name, data: study_of(name, prepared(name, data), rates=HIGHER),
    names=NAMES,
)

if __name__ == "__main__":
    HIGHER_RATES.main(__doc__)
