"""The pages of ``errors`` and ``diff``: tables, and cards of single rows with a thumbnail or the row's features."""

import math
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pandas as pd

from ...feeds.shard_rows import ShardRows
from ..audit.findings import records
from ..judged_rows import JudgedRows
from ..report.markup import Html, element, joined
from ..report.page import Card, Section, cards, notes, page, prose, table
from ..report.thumbnails import thumbnail
from ..report.wording import fixed, short
from .differences import Difference
from .worst import Errors

_SHOWN_LABELS = 40
_SHOWN_FEATURES = 6


def errors_page(judged: Sequence[JudgedRows], found: Sequence[Errors]) -> str:
    """Return the page of a run's errors, a part for each split."""
    run = judged[0].run
    lead = (
        f"Network {run.config.model.name}, rows chosen by {run.config.selector.name}. A label is given where its "
        f"probability is above {_thresholds(judged[0])}. Loss is the mean binary cross-entropy over a row's known "
        "labels."
    )
    sections = [part for rows, errors in zip(judged, found, strict=True) for part in _error_sections(rows, errors)]
    return _page("Errors", run.folder.path.name, lead, sections, "Written by d2ace errors.")


def _thresholds(judged: JudgedRows) -> str:
    low, high = judged.thresholds.min(), judged.thresholds.max()
    return f"{low:g}" if low == high else f"its own threshold ({low:.2f} to {high:.2f}, chosen by d2ace decide)"


def _error_sections(judged: JudgedRows, found: Errors) -> list[Section]:
    name = found.split
    worst = [
        (f"loss {fixed(line['loss'], 3)}", [("missed", line["missed"]), ("wrongly given", line["wrong"])])
        for line in records(found.rows)
    ]
    gallery = _gallery(judged, found.rows["row"].to_numpy(), worst)
    return [
        Section(
            f"{name}-rows", f"Rows, {name}", joined(prose("The rows with the largest loss, worst first."), gallery)
        ),
        Section(f"{name}-labels", f"Labels, {name}", joined(_label_table(found), _confusion_table(found))),
        Section(f"{name}-groups", f"Groups, {name}", joined(_row_groups(found), _label_groups(found))),
    ]


def _label_table(found: Errors) -> Html:
    rows = [
        (
            line["label"],
            f"{line['positives']:,}",
            f"{line['missed']:,}",
            f"{line['wrong']:,}",
            fixed(line["f1"]),
            fixed(line["average_precision"]),
            fixed(line["loss"], 3),
        )
        for line in records(found.labels.head(_SHOWN_LABELS))
    ]
    left = len(found.labels) - len(rows)
    caption = "Labels, the lowest F1 first" + (f" ({left} more have a higher one)" if left > 0 else "")
    return table(caption, ("label", "positives", "missed", "wrongly given", "F1", "average precision", "loss"), rows)


def _confusion_table(found: Errors) -> Html:
    if found.confusions.empty:
        return prose("No two labels replace each other in more than one row, and more often than by chance.")
    rows = [
        (line["missed"], line["instead"], f"{line['rows']:,}", f"{line['lift']:.1f}")
        for line in records(found.confusions)
    ]
    head = ("missed", "given instead", "rows", "times as often as by chance")
    return table(
        "Labels that replace each other: rows in which one is missed and the other wrongly given", head, rows, (1,)
    )


def _row_groups(found: Errors) -> Html:
    rows = [
        (
            line["by"],
            line["group"],
            f"{line['rows']:,}",
            fixed(line["loss"], 3),
            f"{fixed(line['loss_low'], 3)} to {fixed(line['loss_high'], 3)}",
            fixed(line["all_right"]),
            fixed(line["micro_f1"]),
        )
        for line in records(found.row_slices)
    ]
    head = ("rows by", "group", "rows", "loss", "95 % interval", "rows without an error", "micro-F1")
    return table("Groups of rows; the interval is of the mean loss, by bootstrap over rows", head, rows, (1,))


def _label_groups(found: Errors) -> Html:
    rows = [
        (
            line["group"],
            str(line["labels"]),
            f"{line['positives']:,}",
            f"{line['missed']:,}",
            f"{line['wrong']:,}",
            fixed(line["f1"]),
            fixed(line["average_precision"]),
        )
        for line in records(found.label_slices)
    ]
    head = ("labels", "how many", "positives", "missed", "wrongly given", "macro-F1", "mean average precision")
    return table("Labels by their training rows", head, rows)


def diff_page(first: JudgedRows, second: JudgedRows, found: Difference) -> str:
    """Return the page of two runs' differences."""
    names = [judged.run.folder.path.name for judged in (first, second)]
    lead = (
        f"{names[1]} against {names[0]} on {found.n_rows:,} {found.split} rows. Intervals of 95 % are by bootstrap "
        f"over rows, {found.resamples:,} times, the same rows for both."
    )
    sections = [
        Section("overall", "Overall", joined(_cards(found), _overall_table(found, names))),
        Section("labels", "Labels", _changed_labels(found, names)),
        Section("better", f"Rows better in {names[1]}", _changed_rows(second, found.better)),
        Section("worse", f"Rows worse in {names[1]}", _changed_rows(second, found.worse)),
    ]
    return _page("Difference", f"{names[0]} and {names[1]}", lead, sections, "Written by d2ace diff.")


def _cards(found: Difference) -> Html:
    verdicts = found.labels["verdict"]
    changes = found.rows["difference"]
    return cards(
        [
            Card("Labels better", str((verdicts == "better").sum()), "interval above 0"),
            Card("Labels worse", str((verdicts == "worse").sum()), "interval below 0"),
            Card("Rows better", f"{(changes < 0).sum():,}", "lower loss"),
            Card("Rows worse", f"{(changes > 0).sum():,}", "higher loss"),
        ]
    )


def _overall_table(found: Difference, names: Sequence[str]) -> Html:
    rows = [
        (
            line["measure"],
            fixed(line["first"]),
            fixed(line["second"]),
            _signed(line["difference"]),
            _ends(line["low"], line["high"]),
        )
        for line in records(found.overall)
    ]
    return table("Measures", ("", *names, "difference", "95 % interval"), rows)


def _changed_labels(found: Difference, names: Sequence[str]) -> Html:
    rows = [
        (
            line["label"],
            f"{line['positives']:,}",
            fixed(line["first"]),
            fixed(line["second"]),
            _signed(line["difference"]),
            _ends(line["low"], line["high"]),
            line["verdict"],
        )
        for line in records(found.labels)
    ]
    chance = len(found.labels) * 0.05
    told = f"Of {len(found.labels)} labels without any difference about {chance:.1f} would have an interval beside 0."
    head = ("label", "positives", *names, "difference", "95 % interval", "")
    return joined(notes([told]), table("F1 of each label, the greatest fall first", head, rows, (6,)))


def _changed_rows(judged: JudgedRows, changed: pd.DataFrame) -> Html:
    if changed.empty:
        return prose("There are none.")
    told = [
        (
            f"loss {fixed(line['first'], 3)} → {fixed(line['second'], 3)}",
            [("mended", line["mended"]), ("broken", line["broken"])],
        )
        for line in records(changed)
    ]
    return _gallery(judged, changed["row"].to_numpy(), told)


def _gallery(
    judged: JudgedRows, ids: np.ndarray, told: Sequence[tuple[str, Sequence[tuple[str, Sequence[str]]]]]
) -> Html:
    """Return a card a row: its picture, its labels, and what is told of it.

    Args:
        judged: the rows.
        ids: int64 (k,), of the rows shown.
        told: a line on each, and names of labels under headings.
    """
    places = np.searchsorted(judged.ids, ids)
    given = []
    for row, place, picture, (line, lists) in zip(ids, places, _pictures(judged, ids), told, strict=True):
        has = [judged.labels[j] for j in np.flatnonzero(judged.truth[place] >= 0.5)]
        facts = [f"{heading}: {', '.join(names)}" for heading, names in (("labels", has), *lists) if names]
        caption = element(
            "figcaption",
            element("strong", f"row {row}"),
            element("span", line),
            *(element("span", fact, class_="remark") for fact in facts),
        )
        given.append(element("figure", picture, caption))
    return element("div", *given, class_="rows")


def _pictures(judged: JudgedRows, ids: np.ndarray) -> list[Html]:
    """Return a thumbnail of each row, or the features of a table's row that are largest beside the rows shown."""
    batch = ShardRows(judged.manifest, images=False).open().gather(ids)
    if batch.images is not None:
        return [thumbnail(image, f"row {row}") for row, image in zip(ids, batch.images, strict=True)]
    assert batch.features is not None
    names = judged.manifest.feature_names or [f"feature {i}" for i in range(batch.features.shape[1])]
    spread = batch.features.std(axis=0)
    away = np.abs(batch.features - batch.features.mean(axis=0)) / np.where(spread > 0, spread, math.inf)
    return [
        _features(names, row, np.argsort(-far)[:_SHOWN_FEATURES]) for row, far in zip(batch.features, away, strict=True)
    ]


def _features(names: Sequence[str], row: np.ndarray, shown: np.ndarray) -> Html:
    lines = [element("tr", element("th", names[i]), element("td", short(float(row[i])))) for i in shown]
    return element("table", *lines, aria_label="features furthest from the mean of the rows shown")


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.4f}"


def _ends(low: float, high: float) -> str:
    return f"{_signed(low)} to {_signed(high)}"


def _page(kicker: str, title: str, lead: str, sections: Sequence[Section], footer: str) -> str:
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    return page(kicker, title, lead, sections, footer, more_style=style)
