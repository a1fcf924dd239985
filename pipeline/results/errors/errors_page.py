"""The page of ``errors``: rows, labels and groups that a run is most wrong on."""

from collections.abc import Sequence

from ..audit.findings import records
from ..judged_rows import JudgedRows
from ..report.markup import Html, joined
from ..report.page import Section, prose, table
from ..report.wording import fixed
from .row_cards import row_cards, rows_page
from .worst import Errors

_SHOWN_LABELS = 40


def errors_page(judged: Sequence[JudgedRows], found: Sequence[Errors]) -> str:
    """Return the page of a run's errors, a part for each split."""
    run = judged[0].run
    lead = (
        f"Network {run.config.model.name}, rows chosen by {run.config.selector.name}. A label is given where its "
        f"probability is above {_thresholds(judged[0])}. Loss is the mean binary cross-entropy over a row's known "
        "labels."
    )
    sections = [part for rows, errors in zip(judged, found, strict=True) for part in _error_sections(rows, errors)]
    return rows_page("Errors", run.folder.path.name, lead, sections, "Written by d2ace errors.")


def _thresholds(judged: JudgedRows) -> str:
    low, high = judged.thresholds.min(), judged.thresholds.max()
    return f"{low:g}" if low == high else f"its own threshold ({low:.2f} to {high:.2f}, chosen by d2ace decide)"


def _error_sections(judged: JudgedRows, found: Errors) -> list[Section]:
    name = found.split
    worst = [
        (f"loss {fixed(line['loss'], 3)}", [("missed", line["missed"]), ("wrongly given", line["wrong"])])
        for line in records(found.rows)
    ]
    ids = found.rows["row"].to_numpy()
    gallery = row_cards(judged, ids, worst) if len(ids) else prose("No label of any row is known.")
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
