"""The other pages of a run, each about one question: where it is wrong, what another run does otherwise, bad labels."""

import posixpath
from collections.abc import Iterator
from urllib.parse import quote

from ...common.storage.any_path import AnyPath, in_bucket
from ...common.storage.locations import Location
from .markup import Html, element, joined
from .page import Section, prose
from .run_source import RunSource

_ERRORS, _AUDIT = "errors.html", "audit/audit.html"


def pages_section(source: RunSource, target: AnyPath) -> Section | None:
    """Return the section with a link to each page that lies in the run folder, and the command of one that could.

    Args:
        source: the run.
        target: where the report goes, which links start from.

    Returns:
        None for a run without rows to judge it by.
    """
    splits = None if source.data is None else source.data.splits
    if splits is None or not (len(splits.validation) or len(splits.test)):
        return None
    folder = source.folder.path
    items = [element("li", _link(folder / name, target), f": {what}") for name, what in _pages(folder)]
    parts = [element("ul", *items, class_="notes")] if items else []
    if not (folder / _ERRORS).is_file():
        command = element("code", f"d2ace errors {folder.name}")
        parts.append(prose(command, " writes a page on the rows and labels that the run is most wrong on."))
    return Section("pages", "Errors and other pages", joined(*parts))


def _pages(folder: AnyPath) -> Iterator[tuple[str, str]]:
    """Yield name and subject of the pages that there are."""
    if (folder / _ERRORS).is_file():
        yield _ERRORS, "the rows and labels that the run is most wrong on, and groups of them"
    for name in Location.of(folder).glob("diff-*.html"):
        yield name, f"what the run does better or worse than {name.removeprefix('diff-').removesuffix('.html')}"
    if (folder / _AUDIT).is_file():
        yield _AUDIT, "labels that may be missing or wrong"


def _link(page: AnyPath, target: AnyPath) -> Html:
    if in_bucket(page) != in_bucket(target):  # a browser follows no such link
        return element("code", str(page))
    here, there = (Location.of(each).resolved().path for each in (target, page))
    place = posixpath.relpath(there, posixpath.dirname(here))
    return element("a", page.name, href=quote(place))
