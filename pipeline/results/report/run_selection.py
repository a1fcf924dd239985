"""The parts of a run's report that tell what selection did, and to which labels.

E epochs, N training rows, L labels.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ....selectors.scores.label_pairs import LabelPairs
from ...common.errors import DataError, RunError
from ..replay import SelectionOfRun
from . import selection
from .correlations import cosines, heat_map, strongest_pairs
from .curves import Curve, curve_plot
from .label_precision import LabelPrecision, label_precision
from .labels import exposure, frequency_plot
from .markup import Html, element, joined
from .page import (
    Section,
    details,
    figure,
    figures,
    left_out,
    legend,
    prose,
    subheading,
    table,
)
from .run_source import RunSource
from .theme import series_style
from .wording import fixed, short

_CLUSTERED = 300
_PAIRS = 5


def label_section(source: RunSource) -> Section | None:
    """Return how well each label is predicted, and how often its rows were drawn; None without known labels."""
    if not source.labels:
        return None
    drawn, missing, columns = [], [], {"training rows": [str(count) for count in source.positives]}
    if source.data is not None and (known := source.data.context.known_counts) is not None:
        columns["known in"] = [str(count) for count in known]
    try:
        found = label_precision(source)
        drawn.append(_precision_figure(source, found))
        columns |= {"average precision": [*map(fixed, found.precision)], "random order": [*map(fixed, found.chance)]}
    except (DataError, RunError) as error:
        missing.append(left_out("Average precision of each label", f"{error}."))
    try:
        seen = _exposures(source)
        drawn += _exposure_figures(source, seen)
        columns["exposure"] = [fixed(value, 3) for value in _whole_run(source, seen)]
    except (DataError, RunError) as error:
        missing.append(left_out("Exposure of each label", f"{error}."))
    order = np.argsort(source.positives, kind="stable")
    rows = [(source.labels[j], *(column[j] for column in columns.values())) for j in order]
    numbers = details("Every label in numbers", table("Labels, the rarest first", ("label", *columns), rows))
    return Section("labels", "Labels", joined(*missing, figures(*drawn), numbers))


def _precision_figure(source: RunSource, found: LabelPrecision) -> Html:
    picture = frequency_plot(
        source.positives, found.precision, source.labels, "average precision", marks=found.chance, limits=(0, 1.04)
    )
    remark = (
        "On test rows, with the best epoch's weights. Dashes: what a random order gives, the label's share of rows."
    )
    return figure(picture, "Average precision against frequency", remark)


def _exposures(source: RunSource) -> np.ndarray:
    draws = source.lists("draws_per_row")
    if draws is None:
        raise RunError("selection.parquet is not there")
    return exposure(draws, SelectionOfRun(source.folder.path, source.place).labels.positives)


def _whole_run(source: RunSource, seen: np.ndarray) -> np.ndarray:
    """Return the exposure over all epochs, float (L,): their mean weighted by their draws."""
    draws = source.lists("draws_per_row")
    assert draws is not None
    return np.average(seen, axis=0, weights=draws.sum(axis=1))


def _exposure_figures(source: RunSource, seen: np.ndarray) -> Iterator[Html]:
    remark = "Draws of the label's rows over what uniform draws would give, in the whole run."
    picture = frequency_plot(source.positives, _whole_run(source, seen), source.labels, "exposure", level=1)
    yield figure(picture, "Exposure against frequency", remark)
    if seen.shape[1] > 1:
        picture = selection.label_lines_plot(seen, source.positives, "exposure", level=1)
        yield figure(joined(_label_key(source), picture), "Exposure over epochs")


def _label_key(source: RunSource) -> Html:
    key = [("rarest label", selection.RAREST), ("most frequent label", selection.COMMONEST)]
    return legend([*key, ("others", selection.OTHERS)] if len(source.labels) > 2 else key)


def selection_section(source: RunSource) -> Section:
    """Return the law of every epoch and what was drawn by it."""
    draws = source.lists("draws_per_row")
    if draws is None:
        return Section("selection", "Selection", left_out("What was selected", "selection.parquet is not there."))
    set_at_end = {"label_weight_uncertainty": "label weights", "beta": "mixture", "pressure": "pressure"}
    there = ", ".join(name for column, name in set_at_end.items() if column in source.selection)
    told = prose(
        f"{there.capitalize()}: shown at the epoch whose end set them, for the next epoch's draws. All else is of the "
        "epoch itself."
    )
    law, drawn = [*_law_figures(source), *_branch_figure(source)], [*_draw_figures(draws)]
    if not there:
        return Section("selection", "Selection", figures(*law, *drawn))
    return Section("selection", "Selection", joined(told, figures(*law), subheading("Draws"), figures(*drawn)))


def _law_figures(source: RunSource) -> Iterator[Html]:
    for branch in source.branch_names:
        weights = source.lists(f"label_weight_{branch}")
        if weights is not None and weights.shape[1] > 1:
            picture = selection.label_lines_plot(weights, source.positives, "label weight")
            yield figure(joined(_label_key(source), picture), f"Label weights, {branch} branch")
    known, plain = source.selection, series_style(0)
    if "beta" in known:
        picture = curve_plot([Curve("share", known["beta"].to_numpy(), plain)], "share", from_zero=True)
        yield figure(picture, "Mixture", f"Share of the {source.branch_names[0]} branch in the law.")
    if "pressure" in known:
        picture = curve_plot([Curve("pressure", known["pressure"].to_numpy(), plain)], "pressure", level=1)
        yield figure(picture, "Selection pressure", "Largest over smallest probability within a branch; 1 is uniform.")
    size = known["effective_sample_size"].to_numpy(float)
    picture = curve_plot([Curve("effective sample size", size, plain)], "share of rows", level=1)
    yield figure(
        picture, "Effective sample size", "1 when all rows are equally likely, smaller the more uneven the law."
    )


def _branch_figure(source: RunSource) -> Iterator[Html]:
    names, branches = source.branch_names, source.selection["branch_of_draw"].tolist()
    if names and any(part is not None for part in branches):
        shares = selection.branch_shares(branches, len(names))
        lines = [Curve(name, shares[:, b], series_style(b)) for b, name in enumerate(names)]
        key = legend([(line.name, line.look) for line in lines])
        picture = curve_plot(lines, "share of draws", from_zero=True)
        yield figure(joined(key, picture), "Branches", "Share of the draws that each branch made; none in the warm-up.")


def _draw_figures(draws: np.ndarray) -> Iterator[Html]:
    picture = selection.draw_shares_plot(selection.draw_shares(draws))
    yield figure(picture, "Rows by draws in an epoch", "A permutation draws every row once.")
    totals = draws.sum(axis=0)
    remark = f"Mean {short(totals.mean())} (dashed), standard deviation {short(totals.std())}."
    yield figure(selection.draw_totals_plot(totals), "Rows by draws in the whole run", remark)


def correlation_section(source: RunSource) -> Section | None:
    """Return heat maps of the label correlations in the newest checkpoint; None for methods without them."""
    known = source.selector_state()
    if known is None or len(source.labels) < 2:
        return None
    epoch, state = known
    kept = np.sort(np.argsort(-source.positives, kind="stable")[:_CLUSTERED])
    names = [source.labels[j] for j in kept]
    listed = LabelPairs(len(source.labels), state.get("correlation_cells"))
    found = [
        (branch, cosines(listed.at(listed.loaded(state[f"correlation_{branch}"]), kept[:, None], kept)))
        for branch in source.branch_names
        if f"correlation_{branch}" in state
    ]
    if not found:
        return None
    every = len(names) == len(source.labels)
    some = "" if every else f" Only the {_CLUSTERED} most frequent of {len(source.labels)} labels are shown."
    told = prose(
        f"At the end of epoch {epoch}: cosines between the scores of two labels over the rows that have both, "
        "before each label's row is divided by its sum. Labels stand in the order of average linkage of 1 − cosine."
        f"{some}"
    )
    maps = [_correlation_figure(branch, cosine, names) for branch, cosine in found]
    pairs = [_pair_table(branch, cosine, names) for branch, cosine in found]
    return Section(
        "correlation", "Label correlation", joined(told, figures(*maps, element("div", *pairs), level=False))
    )


def _correlation_figure(branch: str, cosine: np.ndarray, names: Sequence[str]) -> Html:
    highest = strongest_pairs(cosine, 1)
    remark = f"Full colour: {highest[0][2]:.3f}." if highest else "No two labels have a row in common."
    return figure(heat_map(cosine, names), f"Correlation, {branch} branch", f"The stronger, the more alike. {remark}")


def _pair_table(branch: str, cosine: np.ndarray, names: Sequence[str]) -> Html:
    rows = [(f"{names[i]}, {names[j]}", fixed(value, 3)) for i, j, value in strongest_pairs(cosine, _PAIRS)]
    return table(f"Strongest pairs, {branch} branch", ("labels", "cosine"), rows)
