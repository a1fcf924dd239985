"""What ``proof.py`` keeps, and the page that shows it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from d2ace.pipeline.studies.compare import compare_methods, summary
from d2ace.pipeline.studies.compare.comparison import Comparison
from d2ace.pipeline.studies.compare.levels import below_linear, levels_told

METRICS = ("map", "macro_auc")
_COLUMNS = ("data", "network", "method", "fold", "seed", "reference", "protocol", "monitor", "tuned", "known", "rival")
ABOUT = """# Selection on strong baselines

Written by `python benchmarks/proof.py --page` from `benchmarks/results/proof.json`.

An MLP of 512 units, AdamW and a one-cycle rate that falls to its end, monitored by mAP. Of every arm five learning
rates, each with two dropouts (0.3, 0.7) and two weight decays (0.01, 1), were tried on validation rows of one to
three seeds of their own, 20 runs for each of these. Then each was trained with 10 seeds (large sets 3) on the data's
own split; the test rows are those of the epoch that validation chose. Runs are long enough that most are best before
their end; the section of a set says when. Labels have 20 positives or more. Features are scaled, but for the sets of
words (`scale` in `benchmarks/_proof_studies.py`); of rcv1sub1 and yahoo_arts the 2 % of the words with the largest
sums are kept. mirflickr14 and ccp are features of photographs. All arms draw the same rows and take the same steps.
Linear and plain rivals see the same rows, tuned with no more runs; gradient boosting only where it fits in minutes.

Seeds share the split, so intervals tell what initial weights, validation rows and batches do, not what other data
would. `paper` and `recommended` are the presets of `d2ace`; a run that is best before `recommended` begins to select,
at 60 % of its epochs, or `paper`, at 10 %, is that of uniform. Levels called known are of other splits of the same
rows. A set is shown when its study is complete."""


def kept_runs(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what is kept of each run of a complete study: names, what was chosen, and values at the best epoch."""
    runs = []
    for row in table.to_dict("records"):
        line = {name: row[name] for name in _COLUMNS if pd.notna(row[name])}
        at = int(row["best_epoch"])
        for split in ("validation", "test"):
            line[split] = {metric: round(float(row[f"{split}/{metric}"][at]), 6) for metric in METRICS}
        seconds = {name: round(float(np.sum(row[name])), 3) for name in ("train_s", "selection_s")}
        drawn = {name: int(np.sum(row[name])) for name in ("rows_drawn", "steps") if row[name] is not None}
        seen = {"best_epoch": at, "epochs": len(row["test/map"])}
        runs.append({**line, **seen, **seconds, **drawn, "commit": row["commit"] if pd.notna(row["commit"]) else None})
    return runs


def as_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Return kept runs as a comparison's table in which each has one epoch."""
    rows = []
    for run in runs:
        row = {name: run.get(name) for name in (*_COLUMNS, "commit")}
        for split in ("validation", "test"):
            row |= {f"{split}/{metric}": np.array([run[split][metric]]) for metric in METRICS}
        for name in ("train_s", "selection_s", "rows_drawn", "steps"):
            row[name] = np.array([float(run[name])]) if name in run else None
        rows.append({**row, "best_epoch": 0, "error": None})
    return pd.DataFrame(rows)


def page(kept: Mapping[str, Any], about: str = ABOUT, also: Sequence[str] = ()) -> str:
    """Return the page of everything that is kept: sets with the same arms together, then each by itself.

    Args:
        kept: runs by set.
        about: the page's beginning.
        also: arms; the first of them that a set has is compared with the others, besides their reference.
    """
    parts = [about]
    for names in _alike(kept):
        if len(names) > 1:
            title = "## Over all sets" if len(names) == len(kept["sets"]) else f"## Over {', '.join(names)}"
            parts += [
                title,
                *_comparisons(as_table([run for name in names for run in kept["sets"][name]["runs"]]), also),
            ]
    for name, one in kept["sets"].items():
        parts += [
            f"## {name}",
            _where(one),
            *_comparisons(as_table(one["runs"]), also),
            *_when_best(one["runs"]),
        ]
    return "\n\n".join(parts) + "\n"


def _alike(kept: Mapping[str, Any]) -> list[list[str]]:
    """Return the names of sets whose arms are compared with the same one, together."""
    found: dict[str, list[str]] = {}
    for name, one in kept["sets"].items():
        reference = next(run["method"] for run in one["runs"] if run["reference"])
        found.setdefault(reference, []).append(name)
    return list(found.values())


def _comparisons(table: pd.DataFrame, also: Sequence[str]) -> list[str]:
    found = []
    for metric in METRICS:
        comparison = compare_methods(table, metric)
        values = summary.markdown_table(summary.value_rows(comparison, bold="**"))
        told = [*levels_told(table, metric, comparison.reference), *below_linear(table, metric, comparison.reference)]
        found += [f"Test {metric}, mean ± standard deviation over seeds:", values, *_verdicts(comparison)]
        if arms := [arm for arm in also if arm in set(table["method"])]:
            found += _verdicts(compare_methods(table, metric, arms[0]))
        found += ["\n".join(f"- {line}" for line in told)] if told else []
    if table["data"].nunique() == 1:
        found += ["Chosen on validation rows (*: at the end of what was tried):"]
        found += [summary.markdown_table(compare_methods(table, "map").tuned)]
    return found


def _when_best(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return at which epochs the networks were judged; nothing where that was not kept."""
    at: dict[str, list[int]] = {}
    for run in runs:
        if run.get("epochs", 1) > 1:
            at.setdefault(run["method"], []).append(run["best_epoch"] + 1)
    told = [f"{method} {np.median(epochs):g} ({min(epochs)} to {max(epochs)})" for method, epochs in at.items()]
    return (
        [f"Judged at epoch, median (range), of {max(run['epochs'] for run in runs)}: {', '.join(told)}."] if at else []
    )


def _verdicts(comparison: Comparison) -> list[str]:
    rows = [line[:-3] + line[-1:] for line in summary.verdict_rows(comparison) if "other seed" not in line[0]]
    title = f"Against {comparison.reference}, positive is better; tests over {comparison.unit}s:"
    return [title, summary.markdown_table(rows)]


def _where(one: Mapping[str, Any]) -> str:
    """Return on which machine and commit a set was measured."""
    facts = ", ".join(f"{key} {value}" for key, value in one["machine"].items())
    commits = sorted({run["commit"] or "not noted" for run in one["runs"]})
    return f"Measured on: {facts}; shared with other work. Commit: {', '.join(commits)}."


def load(text: str | None) -> dict[str, Any]:
    """Return what is kept, or the beginning of it."""
    kept: dict[str, Any] = json.loads(text) if text else {"sets": {}}
    return kept
