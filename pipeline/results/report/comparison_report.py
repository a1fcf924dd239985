"""The report of a comparison: tables, verdicts, curves, labels and seconds of every study in it."""

from collections.abc import Sequence

import pandas as pd

from ...studies.compare import summary
from ...studies.compare.comparison import Comparison
from ...studies.compare.values import RUN
from ...studies.compare.verdict import in_words
from ...training.metrics import HIGHER_IS_BETTER
from .comparison_cost import cost_section, selection_section, target_section
from .comparison_setup import configuration_section, failure_section
from .curves import curve_plot
from .labels import frequency_plot, has_trend, medians
from .markup import Html, element, joined
from .page import Card, Section, cards, details, figure, figures, left_out, legend, notes, page, prose, table
from .rows import Difference, forest_plot, furthest, outcome_plot, rank_plot
from .study_source import StudySource, label_gains
from .wording import duration, signed

_SHOWN = 9


def comparison_page(runs: pd.DataFrame, name: str) -> str:
    """Return the whole page.

    Args:
        runs: the comparison's table; the order of its rows does not matter.
        name: of the comparison, such as its folder's.
    """
    runs = runs.sort_values(["study", *RUN], kind="stable", ignore_index=True)
    studies = [StudySource.of(str(study), rows) for study, rows in runs.groupby("study", sort=False)]
    if len(studies) == 1:
        lead, sections = f"{len(runs)} runs in {name}. Epochs count from 1.", _study_sections(studies[0])
        return page("Comparison", studies[0].name, lead, sections, "Written by d2ace report.")
    names = ", ".join(study.name for study in studies)
    lead = f"{len(runs)} runs of {len(studies)} studies: {names}. Epochs count from 1."
    sections = [
        Section(f"study-{number}-{part.anchor}", f"{study.name}: {part.title}", part.body)
        for number, study in enumerate(studies)
        for part in _study_sections(study)
    ]
    return page("Comparisons", name, lead, sections, "Written by d2ace report.")


def _study_sections(study: StudySource) -> list[Section]:
    parts = (
        _summary,
        _leaderboard,
        _verdicts,
        _learning,
        _labels,
        target_section,
        selection_section,
        cost_section,
        failure_section,
        configuration_section,
    )
    return [section for section in (part(study) for part in parts) if section is not None]


def _summary(study: StudySource) -> Section:
    runs, comparison = study.table, study.comparison
    given = [
        Card("Runs", str(len(study.done)), f"{len(study.failed)} failed" if len(study.failed) else "none failed"),
        Card("Methods", str(len(study.methods)), f"against {study.reference}" if study.reference else ""),
        Card("Cells", str(len(runs[["data", "network"]].drop_duplicates())), "data set × network"),
        Card("Training", duration(float(sum(map(sum, study.done["train_s"])))), "seconds of all runs added up"),
    ]
    if comparison and comparison.ranks:
        ranks = comparison.ranks
        given.insert(2, Card("Best average rank", ranks.methods[0], f"{ranks.average[0]:.2f} of {len(ranks.methods)}"))
    protocols = ", ".join(map(str, runs["protocol"].unique()))
    told = prose(
        f"Compared by {study.metric} on test rows, protocol {protocols}. The unit is the cell, one data set with one "
        "network; the (fold, seed) within are matched pairs."
    )
    if comparison is None:
        return Section("summary", "Summary", joined(cards(given), told, left_out("Verdicts", f"{study.reason}.")))
    found = [verdict for verdict in comparison.verdicts if verdict.verdict in ("better", "worse")]
    decided = "; ".join(f"{verdict.method} {verdict.verdict}" for verdict in found)
    sentence = prose(
        element("strong", f"Against {comparison.reference}: {decided or 'no significant difference of any method'}."),
        f" Of {len(comparison.verdicts)} methods, Holm-corrected at {comparison.alpha:g}.",
    )
    return Section("summary", "Summary", joined(cards(given), sentence, told, notes(comparison.notes)))


def _leaderboard(study: StudySource) -> Section | None:
    if study.comparison is None:
        return None
    others = [_values(found) for found in study.other_comparisons.values()]
    told = prose(
        "Bold: the best mean of the line, among methods with all runs there. (n): only n runs, others have more."
    )
    more = details(f"{len(others)} more metrics", *others) if others else ""
    return Section("leaderboard", "Leaderboard", joined(told, _values(study.comparison), more))


def _values(comparison: Comparison) -> Html:
    """Return mean ± standard deviation of every cell and method."""
    head, *rows = summary.value_rows(comparison, bold="**")
    better = "higher" if HIGHER_IS_BETTER[comparison.metric] else "lower"
    caption = f"Test {comparison.metric}, {better} is better, mean ± standard deviation over folds and seeds"
    return table(caption, head, [(row[0], *map(_two_lines, row[1:])) for row in rows])


def _two_lines(cell: str) -> Html:
    """Return a cell of ``summary.value_rows`` with the spread below the mean."""
    mean, sign, spread = cell.replace("**", "").partition(" ± ")
    shown = element("strong", mean) if cell.startswith("**") else mean
    return joined(shown, element("small", f"± {spread}") if sign else "")


def _verdicts(study: StudySource) -> Section | None:
    comparison = study.comparison
    if comparison is None:
        return None
    overall = [
        Difference(v.method, v.difference, v.interval.low, v.interval.high, v.verdict) for v in comparison.verdicts
    ]
    what = f"gain in {study.metric}"
    over = f"Positive is better. Mean over {comparison.unit}s with its {comparison.level:.0%} bootstrap interval."
    over += " Triangles: significant." if any(v.verdict in ("better", "worse") for v in comparison.verdicts) else ""
    counts = [(v.method, v.wins, v.ties, v.losses) for v in comparison.verdicts]
    main = [
        figure(forest_plot(overall, what), f"Gain over {comparison.reference}", over),
        figure(outcome_plot(counts, f"{comparison.unit}s"), "Won, tied, lost", f"Against {comparison.reference}."),
    ]
    if comparison.ranks is not None:
        remark = "1 is best; CD: the critical difference (Nemenyi)."
        remark += " A thick bar joins methods whose ranks are closer." if comparison.ranks.groups else ""
        main.append(figure(rank_plot(comparison.ranks), "Average ranks", remark))
    cells = {
        f"{data} / {network}": [_within(row, comparison.alpha) for row in rows.to_dict("records")]
        for (data, network), rows in comparison.by_cell.groupby(["data", "network"], sort=False)
    }
    reach = furthest([difference for cell in cells.values() for difference in cell])
    alone = [figure(forest_plot(cell, what, reach), title) for title, cell in cells.items()]
    body = joined(
        figures(*main, level=False),
        notes(summary.rank_lines(comparison)),
        _verdict_table(comparison),
        details("Every cell by itself, over its pairs", figures(*alone, level=False)) if len(cells) > 1 else "",
        _every_metric(study),
    )
    return Section("verdicts", f"Against {comparison.reference}", body)


def _within(row: dict, alpha: float) -> Difference:
    decided = in_words(row["holm_p"], row["rank_biserial"], alpha)
    return Difference(row["method"], row["difference"], row["low"], row["high"], decided)


def _verdict_table(comparison: Comparison) -> Html:
    head, *rows = summary.verdict_rows(comparison)
    caption = summary.verdict_caption(comparison)
    last = len(head) - 1
    return joined(table(f"Every method against {comparison.reference}", head, rows, words=(last,)), prose(caption))


def _every_metric(study: StudySource) -> Html:
    """Return differences and verdicts in all metrics, folded away."""
    assert study.comparison is not None
    found = {study.metric: study.comparison, **study.other_comparisons}
    methods = [verdict.method for verdict in study.comparison.verdicts]
    rows = []
    for metric, comparison in found.items():
        cells = {v.method: (v.difference, v.verdict) for v in comparison.verdicts}
        rows.append((metric, *(_signed(*cells[name]) if name in cells else "–" for name in methods)))
    caption = f"Difference to {study.reference} in every metric, positive is better; bold: significant"
    told = prose("Each metric is corrected for its methods alone: of many metrics, some come out by chance.")
    return details("Every metric", table(caption, ("metric", *methods), rows), told)


def _signed(difference: float, verdict: str) -> object:
    return element("strong", signed(difference)) if verdict in ("better", "worse") else signed(difference)


def _learning(study: StudySource) -> Section | None:
    drawn = [
        [
            figure(_learning_plot(study, rows, f"{split}/{study.metric}"), title)
            for title, rows in study.cells()
            if rows[f"{split}/{study.metric}"].map(lambda curve: pd.notna(curve).any()).any()
        ]
        for split in ("validation", "test")
    ]
    if not any(drawn):
        return None
    key = legend(study.drawn_looks.items())
    told = prose(
        "Mean over folds and seeds; the band is one standard deviation to each side. The vertical axis fits the last "
        "four fifths of the epochs."
    )
    parts = [_folded(drawn[0], "data sets and networks"), details("The same on test rows", key, figures(*drawn[1]))]
    return Section("learning", f"Learning curves, validation {study.metric}", joined(told, key, *parts))


def _learning_plot(study: StudySource, runs: pd.DataFrame, column: str) -> Html:
    curves = study.curves(runs, column)
    return curve_plot(curves, study.metric, skipped=max(len(curve.values) for curve in curves) // 5)


def _folded(drawn: Sequence[Html], what: str) -> Html:
    """Return the first figures, and what is more folded away."""
    shown, more = drawn[:_SHOWN], drawn[_SHOWN:]
    return joined(figures(*shown), details(f"{len(more)} more {what}", figures(*more)) if more else "")


def _labels(study: StudySource) -> Section | None:
    if study.reference is None:
        return None
    drawn, trend = [], False
    for name in study.methods[1:]:
        gains = label_gains(study.done, name, study.reference).dropna()
        gains = gains[gains["positives"] > 0]
        if len(gains):
            drawn.append(_gain_figure(name, gains))
            trend = trend or has_trend(len(gains))
    if not drawn:
        return None
    told = prose(
        "A point is a label of a data set with a network: average precision on test rows with the method, less that "
        f"with {study.reference}, mean over matched runs."
        + (" The line joins the medians of fifths of the labels by frequency." if trend else "")
    )
    return Section("labels", "Labels: gain against frequency", joined(told, figures(*drawn)))


def _gain_figure(method: str, gains: pd.DataFrame) -> Html:
    names = [f"{row['data']} / {row['network']}: {row['label']}" for row in gains.to_dict("records")]
    positives, gain = gains["positives"].to_numpy(), gains["gain"].to_numpy()
    picture = frequency_plot(positives, gain, names, "gain in average precision", level=0, trend=True)
    better = f"{int((gain > 0).sum())} of {len(gain)} labels gain; mean {signed(float(gain.mean()))}."
    if has_trend(len(gain)):
        fifths = medians(positives, gain)[1]
        better += f" Median of the rarest fifth {signed(fifths[0])}, of the most frequent {signed(fifths[-1])}."
    return figure(picture, method, better)
