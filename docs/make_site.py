"""Writes the API reference of all rooms from their docstrings into ``site/``; ``make docs`` runs it.

Usage: python docs/make_site.py [FOLDER]
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pdoc import doc, render

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("pipeline", "selectors", "tune_spaces")
_CONSTRUCTOR = re.compile(r'href="([^"]*#\w+)\.__init__"')
"""A link to a constructor: it is sent to the class, since pdoc shows none of an abstract class but links it."""


def modules() -> Iterator[str]:
    """Yield every public module of the rooms, by its full name.

    pdoc's own search does not look into folders without ``__init__.py``, which ``selectors/`` is made of, and follows
    the path of ``d2ace``, which in a checkout leads to itself.
    """
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if not any(part.startswith("_") for part in parts):
                yield ".".join(("d2ace", *parts))


def write(folder: Path) -> int:
    """Write a page for each module, the index and the data of its search; return the number of pages."""
    render.configure(docformat="google", footer_text="d2ace")
    everything = {name: _loaded(name) for name in modules()}
    for name, module in everything.items():
        page = folder.joinpath(*name.split(".")).with_suffix(".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(_CONSTRUCTOR.sub(r'href="\1"', render.html_module(module, everything)))
    (folder / "index.html").write_text(render.html_index(everything))
    (folder / "search.js").write_text(render.search_index(everything))
    return len(everything) + 1


def _loaded(name: str) -> doc.Module:
    """Return a module whose public names are there: packages import theirs on first use, and pdoc looks, not asks."""
    module = doc.Module.from_name(name)
    for member in getattr(module.obj, "__all__", ()):
        getattr(module.obj, member)
    return module


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    print(f"{write(target)} pages; open {target / 'index.html'}")
