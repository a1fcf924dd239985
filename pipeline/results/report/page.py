"""The parts that a page is made of: sections, cards, tables, figures, and the page around them."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import NamedTuple

from .markup import Html, element, joined
from .svg import numbered, swatch
from .theme import SeriesStyle, css_variables


class Section(NamedTuple):
    """One part of a page: its anchor, its heading, and what stands below."""

    anchor: str
    title: str
    body: Html


class Card(NamedTuple):
    """One number of the summary: what it is, its value, and a remark."""

    name: str
    value: str
    remark: str = ""


def page(
    kicker: str,
    title: str,
    lead: object,
    sections: Sequence[Section],
    footer: object,
    *,
    more_style: str = "",
    script: str = "",
) -> str:
    """Return a whole page that needs nothing from elsewhere: no font, no script but that given; its pictures lie in it.

    Args:
        kicker: a word or two above the title.
        title: of the page.
        lead: below the title.
        sections: the page's parts.
        footer: its last line.
        more_style: CSS of this page alone.
        script: JavaScript that runs at its end, as it is.
    """
    style = css_variables() + files(__package__).joinpath("page.css").read_text(encoding="utf-8") + more_style
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        element("title", f"{title} · {kicker}"),
        element("style", Html(style)),
    )
    links = [element("a", section.title, href=f"#{section.anchor}") for section in sections]
    body = joined(
        element(
            "header", element("p", kicker, class_="kicker"), element("h1", title), element("p", lead, class_="lead")
        ),
        element("nav", *links, aria_label="Sections"),
        element("main", *map(_section, sections)),
        element("footer", element("p", footer)),
        element("script", Html(script)) if script else "",
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{numbered(body)}</body></html>\n'


def cards(given: Iterable[Card]) -> Html:
    """Return the summary's numbers side by side."""
    parts = [
        element("div", element("dt", name), element("dd", value), element("dd", remark, class_="remark"))
        for name, value, remark in given
    ]
    return element("dl", *parts, class_="cards")


def table(caption: str, head: Sequence[object], rows: Iterable[Sequence[object]], words: Sequence[int] = ()) -> Html:
    """Return a table that scrolls inside its own box; the first column names the row.

    Args:
        caption: what the table shows.
        head: of the columns.
        rows: cells of each row.
        words: columns that hold text; all others hold numbers.
    """
    kinds = ["words" if column in words else None for column in range(len(head))]
    top = [element("th", cell, scope="col", class_=kind) for cell, kind in zip(head, kinds, strict=True)]
    lines = [element("tr", element("th", row[0], scope="row"), *_cells(row[1:], kinds[1:])) for row in rows]
    inner = element("table", element("thead", element("tr", *top)), element("tbody", *lines), aria_label=caption)
    box = element("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return element("div", element("p", caption, class_="caption"), box, class_="table")


def _cells(cells: Sequence[object], kinds: Sequence[str | None]) -> list[Html]:
    return [element("td", cell, class_=kind) for cell, kind in zip(cells, kinds, strict=True)]


def figure(picture: Html, title: object, remark: object = "", rows: int = 1) -> Html:
    """Return a picture under its title and a remark on how to read it; a high one stands beside several rows."""
    caption = joined(element("strong", title), element("span", remark) if remark else "")
    style = f"grid-row:span {rows}" if rows > 1 else None
    return element("figure", element("figcaption", caption), picture, style=style)


def figures(*given: Html, level: bool = True) -> Html:
    """Return figures side by side where there is room, one below the other on a phone.

    Args:
        given: the figures.
        level: their pictures end on one line, not begin on one: for pictures of one height.
    """
    return element("div", *given, class_="figures" if level else "figures uneven")


def tall_rows(others: int) -> int:
    """Return how many rows the high figure of ``tall`` spans beside so many others."""
    return -(-others // 2)


def tall(high: Html, *others: Html) -> Html:
    """Return a figure that spans all rows of the others, two of which stand beside it where there is room.

    Args:
        high: made with ``rows=tall_rows(len(others))``.
        others: the figures beside it.
    """
    return element("div", high, *others, class_="figures uneven tall")


def beside(told: Html, picture: Html) -> Html:
    """Return a single figure with its explanation beside it where there is room."""
    return element("div", told, picture, class_="beside")


def side_by_side(*given: Html) -> Html:
    """Return tables or listings beside each other where there is room."""
    return element("div", *given, class_="side-by-side")


def legend(entries: Iterable[tuple[str, SeriesStyle]]) -> Html:
    """Return which line is which, for all figures that follow."""
    items = [element("li", swatch(look), element("span", name)) for name, look in entries]
    return element("ul", *items, class_="legend")


def details(summary: str, *parts: object) -> Html:
    """Return parts that are folded away behind a line."""
    return element("details", element("summary", summary), *parts)


def prose(*parts: object) -> Html:
    """Return a paragraph of explanation."""
    return element("p", *parts, class_="prose")


def notes(sentences: Sequence[str]) -> Html:
    """Return sentences as a list; nothing when there are none."""
    return element("ul", *(element("li", told) for told in sentences), class_="notes") if sentences else Html()


def left_out(what: str, reason: str) -> Html:
    """Return the remark that stands where a part is missing."""
    return element("p", element("strong", what), f" left out: {reason}", class_="left-out")


def listing(text: str) -> Html:
    """Return text as it is, such as a configuration file."""
    return element("pre", text, tabindex="0")


def subheading(text: str) -> Html:
    """Return a heading inside a section."""
    return element("h3", text)


def _section(given: Section) -> Html:
    return element("section", element("h2", given.title), given.body, id=given.anchor)
