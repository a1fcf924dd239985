"""A comparison as text and Markdown tables."""

import math
from collections.abc import Sequence

import pandas as pd

from ...common.text_table import aligned
from .comparison import Comparison
from .ranks import Ranks, alike_p
from .tuned_table import tuned_caption
from .values import CELL, better_sign
from .verdict import Verdict


def text(comparison: Comparison) -> str:
    """Return the tables with their captions, ranks and notes as plain text."""
    parts = [
        f"{value_caption(comparison)}\n\n{aligned(value_rows(comparison))}",
        f"{verdict_caption(comparison)}\n\n{aligned(verdict_rows(comparison))}",
        f"{tuned_caption()}\n\n{aligned(comparison.tuned)}" if comparison.tuned else "",
        "\n".join([*rank_lines(comparison), *comparison.notes]),
    ]
    return "\n\n".join(part for part in parts if part)


def markdown(comparison: Comparison) -> str:
    """Return the same in Markdown: the best mean of each cell in bold, ranks and notes as a list."""
    parts = [
        value_caption(comparison),
        markdown_table(value_rows(comparison, bold="**")),
        verdict_caption(comparison),
        markdown_table(verdict_rows(comparison)),
        *([tuned_caption(), markdown_table(comparison.tuned)] if comparison.tuned else []),
        "\n".join(f"- {line}" for line in [*rank_lines(comparison), *comparison.notes]),
    ]
    return "\n\n".join(part for part in parts if part)


def value_caption(comparison: Comparison) -> str:
    """Return what the table of values shows."""
    direction = "higher" if better_sign(comparison.metric) > 0 else "lower"
    return (
        f"test {comparison.metric} ({direction} is better), mean ± standard deviation over folds and seeds; "
        "(n): only n runs, where others have more"
    )


def verdict_caption(comparison: Comparison) -> str:
    """Return what the table of verdicts shows; four lines."""
    unit = comparison.unit
    return (
        f"Against {comparison.reference}: difference, mean over {unit}s, positive is better, with its "
        f"{comparison.level:.0%} bootstrap interval;\n"
        f"W/T/L, {unit}s won, tied, lost; p, Wilcoxon signed-rank test over {unit}s; "
        f"Holm p, corrected for the methods, alpha {comparison.alpha:g};\n"
        "r, rank-biserial correlation; d_z, Cohen's; epochs until the reference's best validation value was reached,\n"
        "divided by the reference's own, median; reached, share of runs that ever did"
    )


def value_rows(comparison: Comparison, bold: str = "") -> list[list[str]]:
    """Return a header and a row a cell: mean ± std of each method, the best between two ``bold``.

    Only methods with all runs of a cell can be the best there.
    """
    values, ranks = comparison.values, comparison.ranks
    methods = list(dict.fromkeys([comparison.reference, *(v.method for v in comparison.verdicts), *values["method"]]))
    rows = [["data / network", *methods]]
    for (data, network), cell in values.groupby(CELL, sort=False):
        shown = _value_cells(cell, better_sign(comparison.metric), bold)
        rows.append([f"{data} / {network}", *(shown.get(name, "-") for name in methods)])
    if ranks:
        average = dict(zip(ranks.methods, ranks.average, strict=True))
        rows.append(["average rank", *(_number(average.get(name, math.nan), ".2f") for name in methods)])
    return rows


def _value_cells(cell: pd.DataFrame, sign: int, bold: str) -> dict[str, str]:
    """The methods of one cell and what is shown for each."""
    all_runs = cell["runs"].max()
    best = (sign * cell.loc[cell["runs"] == all_runs, "mean"]).max()
    shown = {}
    for row in cell.to_dict("records"):
        count = "" if row["runs"] == all_runs else f" ({row['runs']})"
        mark = bold if not count and sign * row["mean"] == best else ""
        shown[row["method"]] = f"{mark}{row['mean']:.4f} ± {_number(row['std'], '.4f')}{mark}{count}"
    return shown


def verdict_rows(comparison: Comparison) -> list[list[str]]:
    """Return a header and a row a method; then, with several seeds, the reference against another seed's target."""
    interval = f"{comparison.level:.0%} interval"
    rows = [["method", "difference", interval, "W/T/L", "p", "Holm p", "r", "d_z", "epochs", "reached", "verdict"]]
    rows += [_verdict_row(comparison, verdict) for verdict in comparison.verdicts]
    if comparison.reference in comparison.targets.index:
        by_chance = _target_cells(comparison.targets, comparison.reference)
        rows.append([f"{comparison.reference}, other seed", *["-"] * 7, *by_chance, "what no effect gives"])
    return rows


def _verdict_row(comparison: Comparison, verdict: Verdict) -> list[str]:
    return [
        verdict.method,
        _number(verdict.difference, "+.4f"),
        f"[{_number(verdict.interval.low, '+.4f')}, {_number(verdict.interval.high, '+.4f')}]",
        f"{verdict.wins}/{verdict.ties}/{verdict.losses}",
        _number(verdict.p, ".3g"),
        _number(verdict.holm_p, ".3g"),
        _number(verdict.rank_biserial, "+.2f"),
        _number(verdict.cohens_dz, "+.2f"),
        *_target_cells(comparison.targets, verdict.method),
        verdict.verdict,
    ]


def _target_cells(targets: pd.DataFrame, method: str) -> list[str]:
    """Median ratio of epochs, and share of runs that reached the target."""
    if method not in targets.index:
        return ["-", "-"]
    ratio, reached = (float(targets[column][method]) for column in ("median_epochs_ratio", "reached"))
    return ["never" if math.isinf(ratio) else f"{ratio:.2f}x", f"{reached:.0%}"]


def rank_lines(comparison: Comparison) -> list[str]:
    """Return what Friedman's and Nemenyi's tests say, in words."""
    ranks = comparison.ranks
    if not ranks:
        return []
    tests = (
        f"Friedman over {ranks.cells} cells: chi2 {ranks.chi2:.2f}, p {ranks.chi2_p:.3g}; {_iman_davenport(ranks)}. "
        f"Critical difference of average ranks (Nemenyi, alpha {ranks.alpha:g}): {ranks.critical_difference:.2f}."
    )
    return [tests, *(f"Closer than that: {', '.join(group)}." for group in ranks.groups)]


def _iman_davenport(ranks: Ranks) -> str:
    """F and its p; where every cell ranks the methods alike, F is infinite and p would be 0 for any number of cells."""
    if math.isfinite(ranks.f):
        return f"Iman-Davenport F {ranks.f:.2f}, p {ranks.f_p:.3g}"
    return f"no Iman-Davenport F, since every cell ranks the methods alike (by chance: {alike_p(ranks):.3g})"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table, the first row as header, the first column to the left."""
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    rule = " | ".join(["---", *["---:"] * (len(rows[0]) - 1)])
    return "\n".join(f"| {line} |" for line in [lines[0], rule, *lines[1:]])


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)
