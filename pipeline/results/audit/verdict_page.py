"""The page of an audit: a card for each suspect, on which a person says whether the row has the label.

One file that works without a network and without a server. What is said is kept by the browser until the person
downloads it as ``verdicts.csv``, which ``d2ace prepare PREPARED OUT --verdicts`` takes.
"""

from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from ...common.storage.any_path import AnyPath, replacing
from ...feeds.shard_rows import ShardRows
from ..replay import SelectionOfRun
from ..report.markup import Html, element, joined
from ..report.page import Section, notes, page, prose, table
from ..report.thumbnails import thumbnail
from ..report.wording import fixed, short
from .findings import Audit, records
from .surroundings import strongest_features
from .tables import Views

MOST_CARDS = 500
"""More would make a page that browsers are slow with."""
_VERDICTS = (("present", "y", "yes"), ("absent", "n", "no"), ("unsure", "u", "unsure"))
_WIDTH, _HEIGHT = 150, 30


def write_page(folder: AnyPath, known: SelectionOfRun, audit: Audit, views: Views) -> None:
    """Write ``audit.html``: the most suspicious ``MOST_CARDS`` of each kind together, as they are ranked."""
    first = audit.suspects.sort_values(["rank", "kind"], kind="stable").index[:MOST_CARDS].sort_values()
    shown, positions = audit.suspects.loc[first], views.positions[first]
    left = len(audit.suspects) - len(shown)
    more = [f"{left} suspects more are in suspects.csv alone."] if left else []
    pictures = _pictures(known, views, positions)
    cards = [_card(line, picture) for line, picture in zip(records(shown), pictures, strict=True)]
    about = {"data": known.data.fingerprint, "run": known.folder.path.name}
    gallery = element("div", *cards, id="suspects", class_="gallery", data_data=about["data"], data_run=about["run"])
    text = page(
        "Audit",
        f"Labels of {about['run']} that may be missing or wrong",
        joined(*audit.remarks[:1]),
        [
            Section(
                "look", "Does the row have the label?", joined(_toolbar(), notes([*audit.remarks[1:], *more]), gallery)
            ),
            Section("labels", "Labels", _labels(audit.labels)),
        ],
        "The same list, with more columns: suspects.csv and suspects.parquet.",
        more_style=_asset("audit.css"),
        script=_asset("audit.js"),
    )
    with replacing(folder / "audit.html") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _toolbar() -> Html:
    keys = ", ".join(f"{key}: {word}" for _, key, word in _VERDICTS)
    told = prose(
        f"Keys: {keys}, Backspace: no verdict, arrows: from card to card. The browser keeps what is said; download it "
        "at the end and give it to d2ace prepare PREPARED OUT --verdicts verdicts.csv."
    )
    button = element("button", "Download verdicts.csv", type="button", id="download")
    return joined(told, element("p", element("span", "", id="progress", role="status"), button, class_="toolbar"))


def _pictures(known: SelectionOfRun, views: Views, positions: np.ndarray) -> list[Html]:
    """Return what the page shows of each row: a thumbnail, or the features of a table in which it stands out."""
    if views.scaled is not None:
        return [_features(mine) for mine in strongest_features(known, views.scaled, positions)]
    rows = known.rows.ids_at(positions)
    images = ShardRows(known.manifest, images=False).open().gather(rows).images or []
    return [thumbnail(image, f"row {row}") for row, image in zip(rows, images, strict=True)]


def _features(strongest: list[tuple[str, float]]) -> Html:
    lines = [element("tr", element("th", name), element("td", short(value))) for name, value in strongest]
    return element("table", *lines, aria_label="features furthest from the mean")


def _card(line: dict[str, Any], picture: Html) -> Html:
    """Return one suspect; its verdict is kept in ``data-verdict`` by the script."""
    name = "" if pd.isna(line["name"]) else f" · {line['name']}"
    given = {"0": "given: no", "1": "given: yes"}.get(line["given"], f"given: {line['given']}")
    facts = [given, f"mean prediction {fixed(line['mean'], 2)}"]
    if not np.isnan(line["chance"]):
        facts.insert(1, f"{line['kind']} with a chance of {100 * line['chance']:.0f}\u00a0%")
    if not pd.isna(line["neighbours_with_label"]):
        facts.append(f"{line['neighbours_with_label']} of {line['neighbours']} neighbours have it")
    buttons = [
        element("button", word, type="button", data_verdict=verdict, title=f"key {key}", aria_pressed="false")
        for verdict, key, word in _VERDICTS
    ]
    caption = element(
        "figcaption",
        element("strong", line["label"]),
        element("span", f"row {line['row']}{name}"),
        element("span", "; ".join(facts), class_="remark"),
    )
    curve = _curve(line["predictions"]) if len(line["predictions"]) > 1 else ""
    verdicts = element("div", *buttons, class_="verdicts", role="group", aria_label="verdict")
    return element(
        "figure", picture, caption, curve, verdicts,
        class_="suspect", tabindex="0", data_row=str(line["row"]), data_label=line["label"], data_kind=line["kind"],
    )  # fmt: skip


def _curve(predictions: np.ndarray) -> Html:
    """Return the course of an entry's predictions, oldest first, from 0 at the bottom to 1, with a line at one half."""
    xs = np.linspace(1, _WIDTH - 1, len(predictions))
    points = " ".join(f"{x:.1f},{1 + (1 - p) * (_HEIGHT - 2):.1f}" for x, p in zip(xs, predictions, strict=True))
    told = f"predictions, oldest first: {', '.join(fixed(float(p), 2) for p in predictions)}"
    half = element("line", x1="0", x2=str(_WIDTH), y1=str(_HEIGHT / 2), y2=str(_HEIGHT / 2))
    line = element("polyline", points=points)
    return element(
        "svg", element("title", told), half, line, class_="course", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img"
    )


def _labels(labels: pd.DataFrame) -> Html:
    ordered = labels.sort_values(["expected", "listed"], ascending=False, kind="stable")
    rows = [
        (
            line["label"],
            line["kind"],
            f"{line['positives']:,}",
            f"{line['suspects']:,}",
            fixed(line["expected"], 0),
            f"{line['listed']:,}",
        )
        for line in records(ordered)
    ]
    head = ("label", "kind", "positives", "suspects", "missing or wrong, about", "listed")
    return table("Suspects of each label", head, rows, words=(1,))
