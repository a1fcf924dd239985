"""The page of ``diff``: which labels and rows a run does better or worse than another."""

import math
from collections.abc import Sequence

import pandas as pd

from ..audit.findings import records
from ..judged_rows import JudgedRows
from ..report.markup import Html, joined
from ..report.page import Card, Section, cards, notes, prose, table
from ..report.wording import fixed
from .differences import Difference
from .row_cards import row_cards, rows_page


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
    return rows_page("Difference", f"{names[0]} and {names[1]}", lead, sections, "Written by d2ace diff.")


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
    return row_cards(judged, changed["row"].to_numpy(), told)


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.4f}"


def _ends(low: float, high: float) -> str:
    return f"{_signed(low)} to {_signed(high)}"
