"""The page INCREMENTAL.md: what the table of ``incremental.py`` says."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
from _common import ROOT

from d2ace.pipeline.studies.compare.summary import markdown_table
from d2ace.pipeline.studies.incremental.comparison import judged_values, sign_of
from d2ace.pipeline.studies.incremental.study_text import verdict_table

TABLE = ROOT / "benchmarks" / "results" / "incremental.csv"
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
CHAIN = ("fine-tune", "er", "kd", "akd", "rebll")
"""Methods in the order that their last mAP is expected to have."""
REFERENCE = "er"
D2ACE = ("rebll", "rebll-d2ace")
"""The same method with uniform batches and with those of D2ACE."""


def incremental_page(table: pd.DataFrame, machine: Mapping[str, Any]) -> str:
    """Return the whole page.

    Args:
        table: one row a sequence, see ``incremental.row``.
        machine: of ``_common.machine``.
    """
    facts = ", ".join(f"{key} {value}" for key, value in machine.items() if key != "load")
    about = (
        f"Written by `python benchmarks/incremental.py`. {len(table)} sequences, commits "
        f"{', '.join(sorted(table['commit'].dropna().unique()))}; {facts}, shared with other work. Memory: herding, "
        "so many exemplars a class; every method but rebll-d2ace has uniform batches. Pairs share class order and seed."
        " Forms and constants of AKD, and how predictions become labels, are this project's own."
    )
    parts = ["# Class-incremental learning: results", about]
    main = table[table["study"] == "main"]
    for (data, protocol), cell in main.groupby(["data", "protocol"], sort=False):
        parts += [f"## {data}, {protocol}", *_cell(cell)]
    if len(tried := table[table["study"] == "sensitivity"]):
        parts += ["## Forms and constants of AKD", *_sensitivity(tried)]
    return "\n\n".join(parts) + "\n"


def _cell(cell: pd.DataFrame) -> list[str]:
    found = [
        markdown_table(_means(cell)),
        f"Last mAP, each against {REFERENCE}:",
        markdown_table(verdict_table(_judged(cell, REFERENCE))),
    ]
    found.append(_ordering(cell))
    if D2ACE[1] in set(cell["method"]):
        (verdict,) = _judged(cell[cell["method"].isin(D2ACE)], D2ACE[0]) or (None,)
        if verdict is not None:
            found.append(
                f"D2ACE batches against uniform ones, both {D2ACE[0]}: last mAP {verdict.difference:+.4f} over "
                f"{verdict.pairs} pairs, p {verdict.p:.3g}: {verdict.verdict}."
            )
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


def _judged(cell: pd.DataFrame, reference: str, number: str = "last_map") -> tuple[Any, ...]:
    values = cell[["method", "order", "seed"]].assign(value=cell[number]).dropna()
    return judged_values(values, sign_of(number), reference)


def _ordering(cell: pd.DataFrame) -> str:
    """Say of each step of the expected order whether it holds."""
    told = []
    for lower, higher in pairwise(CHAIN):
        found = _judged(cell[cell["method"].isin((lower, higher))], lower)
        if found:
            (verdict,) = found
            holds = "holds" if verdict.difference > 0 else "does NOT hold"
            told.append(f"{lower} < {higher} {holds} ({verdict.difference:+.4f}, p {verdict.p:.3g})")
    return f"Expected order of the last mAP: {'; '.join(told)}." if told else "No step of the expected order has pairs."


def _relabelled(cell: pd.DataFrame) -> list[list[str]]:
    rows = [["method", "triangle", *RELABELLED.values()]]
    for name, members in cell.groupby("method", sort=False):
        for triangle in ("lower", "upper"):
            columns = [f"{triangle}_{number}" for number in RELABELLED]
            means = members[columns].mean()
            if means[columns[0]] > 0:
                counts = [f"{means[column]:.0f}" for column in columns[:2]]
                rows.append([str(name), triangle, *counts, *(f"{means[column]:.3f}" for column in columns[2:])])
    return rows if len(rows) > 1 else []


def _sensitivity(table: pd.DataFrame) -> list[str]:
    parts = []
    for (data, protocol), cell in table.groupby(["data", "protocol"], sort=False):
        parts += [f"{data}, {protocol}; the name says loss of the labels, form of the distillation, decay, weight:"]
        ranked = cell.groupby("method")["last_map"].mean().sort_values(ascending=False)
        rows = _means(cell)
        by_name = {row[0]: row for row in rows[1:]}
        parts.append(markdown_table([rows[0], *(by_name[str(name)] for name in ranked.index)]))
    return parts
