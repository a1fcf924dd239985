"""What the pages of ``errors`` and ``diff`` share: their frame, and a card a row, with a thumbnail or its features."""

import math
from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from ...feeds.shard_rows import ShardRows
from ..judged_rows import JudgedRows
from ..report.markup import Html, element
from ..report.page import Section, page
from ..report.thumbnails import thumbnail
from ..report.wording import short

_SHOWN_FEATURES = 6


def row_cards(
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


def rows_page(kicker: str, title: str, lead: str, sections: Sequence[Section], footer: str) -> str:
    """Return a page whose style is also that of the cards; see ``report.page``."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    return page(kicker, title, lead, sections, footer, more_style=style)
