"""What a browser would find in a report: text, tables, pictures; and what is wrong with it."""

from collections import Counter
from html.parser import HTMLParser

_VOID = {"meta", "img", "input"}


class Page(HTMLParser):
    """A parsed page.

    Attributes:
        tables: by caption, the rows of cells, the header first.
        elements: (tag, attributes) of every element.
        headings: text of every h1, h2, h3.
        text: of the whole page, without the style sheet.
        problems: elements closed in the wrong order or never, and ids that two of them have.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, list[list[str]]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.problems: list[str] = []
        self._texts: list[str] = []
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self.feed(source)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]
        ids = Counter(values["id"] for _, values in self.elements if "id" in values)
        self.problems += [f"{count} elements have the id {name}" for name, count in ids.items() if count > 1]

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.elements.append((tag, values))
        if tag in _VOID:
            return
        self._open.append(tag)
        if tag == "table":
            self._rows = self.tables.setdefault(values["aria-label"] or "", [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self._texts.append(data)
        if "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data

    def column(self, caption: str, name: str) -> dict[str, str]:
        """Return a column of a table by the first cell of each row."""
        head, *rows = self.tables[caption]
        return {row[0]: row[head.index(name)] for row in rows}
