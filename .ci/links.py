"""Looks for broken links in all Markdown of the repository, and in a site that ``make docs`` wrote; needs no network.

A link into the repository must lead to a file that is there, and its fragment to a heading (in Markdown) or an id (in
HTML) of that file. Links to other servers are not followed.

Usage: python .ci/links.py [SITE]; the exit code is 1 when a link is broken.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_MARKDOWN = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?:src|srcset|href)=\"([^\"]+)\"")
_NO_LINKS = re.compile(r"<(script|pre)\b.*?</\1>", re.DOTALL)
"""Scripts, and source code, in which a link is a text."""
_HTML = re.compile(r"\s(?:href|src)=\"([^\"]*)\"")
_ID = re.compile(r"\sid=\"([^\"]+)\"")


def markdown_files(root: Path) -> list[Path]:
    """Return the Markdown of the repository: at its top, and below docs/ and benchmarks/."""
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "benchmarks").rglob("*.md")])


def links(path: Path) -> Iterator[str]:
    """Yield the targets of all links of a file that lead to no other server."""
    text = path.read_text()
    if path.suffix == ".md":
        found = [one or other for one, other in _MARKDOWN.findall(_FENCE.sub("", text))]
    else:
        found = _HTML.findall(_NO_LINKS.sub("", text))
    yield from (unquote(target) for target in found if target and not re.match(r"[a-z]+:|//", target))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return what fragments of links to a file may be."""
    text = path.read_text()
    if path.suffix != ".md":
        return frozenset(_ID.findall(text))
    headings = re.findall(r"^#{1,6}\s+(.*?)\s*#*$", _FENCE.sub("", text), re.MULTILINE)
    return frozenset(anchor(heading) for heading in headings)


def anchor(heading: str) -> str:
    """Return the fragment that Markdown renderers make of a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def broken(path: Path) -> list[str]:
    """Return what is wrong with the links of a file, a sentence each."""
    faults = []
    for target in links(path):
        name, _, fragment = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists():
            faults.append(f"{path}: {target} leads to a file that is not there")
        elif fragment and file.suffix in (".md", ".html") and fragment not in anchors(file):
            faults.append(f"{path}: {target} leads to no heading or id of {file.name}")
    return faults


def main(arguments: Sequence[str]) -> int:
    """Check everything, print what is wrong; returns the exit code."""
    pages = [page for site in arguments for page in sorted(Path(site).rglob("*.html"))]
    files = [*markdown_files(ROOT), *pages]
    faults = [fault for path in files for fault in broken(path)]
    print("\n".join([*dict.fromkeys(faults), f"{len(files)} files, {len(faults)} broken links"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
