"""The page of ``incremental.py``: what its table says, in Markdown."""

from collections.abc import Mapping
from itertools import pairwise

import pandas as pd
from _common import ROOT, machines_told

from d2ace.pipeline.studies.compare.summary import markdown_table
from d2ace.pipeline.studies.compare.verdict import Verdict
from d2ace.pipeline.studies.incremental.comparison import judged_values, sign_of
from d2ace.pipeline.studies.incremental.study_text import verdict_table

Wanted = Mapping[tuple[str, str, str], int]
TABLE = ROOT / "benchmarks" / "results" / "incremental.csv"
MACHINES = TABLE.with_name("incremental_machines.json")
NUMBERS = {
    "last_map": "last mAP",
    "average_map": "average mAP",
    "last_old_map": "last mAP, old classes",
    "forgetting": "forgetting",
    "last_fpr@0.5": "FPR at 0.5",
    "last_cf1@0.5": "CF1 at 0.5",
    "last_cf1@0.8": "CF1 at 0.8",
    "last_cf1@validation": "CF1, validation thresholds",
}
RELABELLED = {
    "entries": "entries",
    "positives": "filled as 1",
    "precision": "precision",
    "recall": "recall",
    "fpr": "false positives",
}
CHAINS = {
    "exemplars not recognised": ("fine-tune", "er-apart", "kd-apart", "akd-apart", "rebll-apart"),
    "exemplars not recognised, relabelling calibrated": ("akd-apart", "rebll-apart-calibrated"),
    "exemplars recognised": ("fine-tune", "er", "kd", "akd", "rebll"),
}
"""Methods in the order that their last mAP is expected to have: as published programs replay rows, and by default."""
D2ACE = (("rebll-apart-calibrated", "rebll-apart-calibrated-d2ace"), ("rebll", "rebll-d2ace"))
"""The same method with uniform batches and with those of D2ACE."""
STEPS = {"last_map": "last mAP", "last_fpr@0.5": "false-positive rate at 0.5"}
"""Numbers that are compared step by step along a chain."""


def incremental_page(table: pd.DataFrame, wanted: Wanted) -> str:
    """Return the whole page.

    Args:
        table: one row a sequence, see ``incremental.row``.
        wanted: data set, protocol and method of every comparison, with the number of sequences that it asks for.
    """
    about = (
        f"Written by `python benchmarks/incremental.py`. {len(table)} sequences, commits "
        f"{', '.join(sorted(table['commit'].dropna().unique()))}; {machines_told(MACHINES)}, shared with other work. "
        "Memory: herding, so many exemplars a class. Where a name ends in apart, an exemplar that comes again is not "
        "recognised, as in published programs. Every method but those that end in d2ace has uniform batches. Pairs "
        "share class order and seed. Forms and constants of AKD, and how predictions become labels, are this project's "
        "own."
    )
    parts = ["# Class-incremental learning: results", about]
    main = table[table["study"] == "main"]
    for (data, protocol), cell in main.groupby(["data", "protocol"], sort=False):
        parts += [f"## {data}, {protocol}", *_cell(cell)]
    if len(tried := table[table["study"] == "sensitivity"]):
        parts += ["## Forms and constants of AKD", *_sensitivity(tried)]
    return "\n\n".join([*parts, "## Not run", _not_run(main, wanted)]) + "\n"


def _not_run(main: pd.DataFrame, wanted: Wanted) -> str:
    """Say what the comparisons lack."""
    counts = main.groupby(["data", "protocol", "method"]).size()
    lines = []
    for data, protocol in dict.fromkeys((data, protocol) for data, protocol, _ in wanted):
        asked = {method: n for (name, part, method), n in wanted.items() if (name, part) == (data, protocol)}
        there = {method: int(counts.get((data, protocol, method), 0)) for method in asked}
        lacking = [f"{method} ({n} of {asked[method]})" for method, n in there.items() if n < asked[method]]
        if lacking:
            lines.append(f"- {data}, {protocol}: {', '.join(lacking) if any(there.values()) else 'nothing was run'}.")
    return "\n".join(lines)


def _cell(cell: pd.DataFrame) -> list[str]:
    found = [markdown_table(_means(cell))]
    there = set(cell["method"])
    reference = next((name for name in ("er-apart", "er") if name in there), str(cell["method"].iloc[0]))
    if verdicts := _judged(cell, reference):
        found += [f"Last mAP, each against {reference}:", markdown_table(verdict_table(verdicts))]
    for about, chain in CHAINS.items():
        found += [line for number in STEPS if (line := _ordering(cell, about, chain, number))]
    for plain, chosen in D2ACE:
        for verdict in _judged(cell[cell["method"].isin((plain, chosen))], plain):
            told = f"{verdict.difference:+.4f} over {_pairs(verdict)}: {verdict.verdict}"
            found.append(f"D2ACE batches against uniform ones, both {plain}: last mAP {told}.")
    if rows := _relabelled(cell):
        found += ["Labels of exemplars that a model has filled, after the last task:", markdown_table(rows)]
    return found


def _means(cell: pd.DataFrame) -> list[list[str]]:
    rows = [["method", "sequences", *NUMBERS.values()]]
    for name, members in cell.groupby("method", sort=False):
        means, spreads = members[list(NUMBERS)].mean(), members[list(NUMBERS)].std()
        around = {number: f" ± {spreads[number]:.3f}" if len(members) > 1 else "" for number in NUMBERS}
        shown = [f"{means[number]:.3f}{around[number]}" for number in NUMBERS]
        rows.append([str(name), str(len(members)), *shown])
    return rows


def _judged(cell: pd.DataFrame, reference: str, number: str = "last_map") -> tuple[Verdict, ...]:
    values = cell[["method", "order", "seed"]].assign(value=cell[number]).dropna()
    return judged_values(values, sign_of(number), reference)


def _ordering(cell: pd.DataFrame, about: str, chain: tuple[str, ...], number: str) -> str:
    """Say of each step of the expected order whether it holds; nothing where no step has pairs."""
    told = []
    for before, after in pairwise(chain):
        for verdict in _judged(cell[cell["method"].isin((before, after))], before, number):
            holds = "holds" if verdict.difference > 0 else "does NOT hold"
            gain = verdict.difference * sign_of(number)
            told.append(f"{before} to {after} {holds} ({gain:+.4f}, {_pairs(verdict)})")
    return f"Expected order of the {STEPS[number]}, {about}: {'; '.join(told)}." if told else ""


def _pairs(verdict: Verdict) -> str:
    """Return over how many pairs, and the p of several, before any correction."""
    if verdict.pairs == 1:
        return "a single pair"
    return f"{verdict.pairs} pairs, {verdict.wins} won, p {verdict.p:.2g}"


def _relabelled(cell: pd.DataFrame) -> list[list[str]]:
    rows = [["method", "triangle", *RELABELLED.values()]]
    for name, members in cell.groupby("method", sort=False):
        for triangle in ("lower", "upper"):
            columns = [f"{triangle}_{number}" for number in RELABELLED]
            means = members[columns].mean()
            if means[columns[0]] > 0:
                counts = [f"{means[column]:.0f}" for column in columns[:2]]
                rows.append([str(name), triangle, *counts, *(_shown(means[column]) for column in columns[2:])])
    return rows if len(rows) > 1 else []


def _shown(value: float) -> str:
    """Return a number; a dash for one that nothing defines, such as the recall of positives where there are none."""
    return "-" if pd.isna(value) else f"{value:.3f}"


def _sensitivity(table: pd.DataFrame) -> list[str]:
    parts = []
    for (data, protocol), cell in table.groupby(["data", "protocol"], sort=False):
        parts += [f"{data}, {protocol}; the name says loss of the labels, form of the distillation, decay, weight:"]
        ranked = cell.groupby("method")["last_map"].mean().sort_values(ascending=False)
        rows = _means(cell)
        by_name = {row[0]: row for row in rows[1:]}
        parts.append(markdown_table([rows[0], *(by_name[str(name)] for name in ranked.index)]))
    return parts
