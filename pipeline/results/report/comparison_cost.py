"""The parts of a comparison's report about epochs and seconds: time to target, evenness of the law, cost of selection.

E epochs.
"""

import math

import numpy as np
import pandas as pd

from ...studies.compare.values import PLACE, RUN
from .curves import curve_plot
from .markup import Html, joined
from .page import Section, details, figure, figures, legend, prose, table
from .rows import Bar, bar_plot
from .study_source import StudySource
from .wording import duration, percent


def target_section(study: StudySource) -> Section | None:
    """Return how long each method took to be as good as the reference's best; None without verdicts."""
    if study.comparison is None or study.comparison.targets.empty:
        return None
    reference = study.comparison.reference
    drawn = [
        figure(_target_bars(study, f"median_{unit}_ratio", unit), f"{unit.capitalize()} to target", remark)
        for unit, remark in (
            ("epochs", "Median over runs; behind it the share of runs that reached the target at all."),
            ("seconds", "Of training alone; comparable where all runs had the same machine to themselves."),
        )
    ]
    told = prose(
        f"The target of a run is the best validation {study.metric} of {reference}'s run on the same fold and seed. "
        f"Shown are epochs or seconds over what {reference} took; less than 1 is faster. A run that never got "
        f"there counts as infinite. {reference} against the target of another seed shows what no effect gives."
    )
    return Section("targets", "Time to target", joined(told, figures(*drawn)))


def _target_bars(study: StudySource, column: str, unit: str) -> Html:
    assert study.comparison is not None
    targets, reference = study.comparison.targets.to_dict("index"), study.comparison.reference
    bars = []
    for name in [name for name in study.methods if name in targets]:
        ratio, reached = targets[name][column], targets[name]["reached"]
        told = f"{ratio:.2f}×" if math.isfinite(ratio) else "∞"
        by_chance = name == reference
        shown = f"{name}, other seed" if by_chance else name
        bars.append(Bar(shown, ratio, f"{told}, {100 * reached:.0f} %", by_chance))
    return bar_plot(bars, f"{unit} over {reference}'s", level=1)


def selection_section(study: StudySource) -> Section | None:
    """Return the effective sample size over epochs of every cell; None when no run succeeded."""
    drawn = []
    for title, runs in study.cells():
        lines = study.curves(runs, "effective_sample_size")
        drawn.append(figure(curve_plot(lines, "share of rows", level=1), title))
    if not drawn:
        return None
    told = prose("1 when all rows are equally likely, smaller the more uneven the law of the epoch; mean over runs.")
    body = joined(told, legend(study.drawn_looks.items()), figures(*drawn[:3]))
    if drawn[3:]:
        body = joined(body, details(f"{len(drawn) - 3} more data sets and networks", figures(*drawn[3:])))
    return Section("evenness", "Effective sample size", body)


def cost_section(study: StudySource) -> Section | None:
    """Return what selection takes of training, and seconds of an epoch; None when no run succeeded."""
    if study.done.empty:
        return None
    shares = selection_shares(study.done)
    bars = [
        Bar(name, 100 * shares[name], percent(shares[name]), name == study.reference)
        for name in study.methods
        if name in shares
    ]
    drawn = [
        figure(bar_plot(bars, "% of training"), "Share of selection", "Seconds of selection over seconds of training.")
    ]
    if study.reference is not None:
        ratios = seconds_ratios(study.done, study.reference)
        bars = [Bar(name, ratios[name], f"{ratios[name]:.2f}×") for name in study.methods[1:] if name in ratios]
        remark = f"Training seconds over those of {study.reference} on the same fold and seed, median over runs."
        drawn += (
            [figure(bar_plot(bars, "ratio", level=1), f"Seconds against {study.reference}", remark)] if bars else []
        )
    return Section("cost", "Cost of selection", joined(figures(*drawn, level=False), _epoch_table(study)))


def selection_shares(runs: pd.DataFrame) -> dict[str, float]:
    """Return for each method the seconds of selection over those of training, both summed over its runs."""
    sums = runs.assign(
        selection=[float(np.sum(part)) for part in runs["selection_s"]],
        training=[float(np.sum(part)) for part in runs["train_s"]],
    ).groupby("method", sort=False)[["selection", "training"]].sum()  # fmt: skip
    return {str(name): float(row.selection / row.training) for name, row in sums.iterrows()}


def seconds_ratios(runs: pd.DataFrame, reference: str) -> dict[str, float]:
    """Return for each other method the median over matched runs of its seconds of training over the reference's."""
    totals = runs[RUN].assign(seconds=[float(np.sum(part)) for part in runs["train_s"]])
    base = totals[totals["method"] == reference]
    pairs = totals[totals["method"] != reference].merge(base.drop(columns="method"), on=PLACE, suffixes=("", "_base"))
    ratios = (pairs["seconds"] / pairs["seconds_base"]).groupby(pairs["method"], sort=False).median()
    return {str(name): float(ratio) for name, ratio in ratios.items()}


def _epoch_table(study: StudySource) -> Html:
    rows = []
    for title, runs in study.cells():
        medians = {str(n): float(np.median(np.concatenate([*part]))) for n, part in runs.groupby("method")["train_s"]}
        rows.append((title, *(duration(medians.get(name)) for name in study.methods)))
    return table("Seconds of an epoch without evaluation, median", ("data / network", *study.methods), rows)
